# SPDX-License-Identifier: Apache-2.0
"""The whole site in this process, over the fakes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp.test_utils import TestClient, TestServer

from agent.contract.kinds import Dns, Event, Host, Interface, Latency, Reach
from agent.contract.reason import Reason
from collector.registry import School
from collector.web.board import Board
from collector.web.options import WebOptions
from collector.web.server import application
from collector.web.view import View
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS, Reader, RollUp, Seen, Stored

EVIL = "<script>alert('x')</script>\"'&"
HOUR_MS = NOW_MS // 3_600_000 * 3_600_000


@contextlib.asynccontextmanager
async def client(
    view: View, options: WebOptions | None = None, *, is_read: bool = True
) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    """A client of the site, after one reading of the store."""
    options = options or WebOptions()
    board = Board(view, refresh_every_s=1)
    if is_read:
        await board.refresh()
    async with TestClient(TestServer(application(options, view, board))) as made:
        yield made
    board.close()


def one_school(school: School) -> Reader:
    """Two hours of every kind of record, with failures among them."""
    return Reader(
        stored={school.id: sorted(_records(), key=lambda s: s.at_ms)},
        rollups={school.id: [RollUp(hour_ms=HOUR_MS)]},
        seen={school.id: Seen(at_ms=NOW_MS - MINUTE_MS, received_ms=NOW_MS - MINUTE_MS + 4000)},
    )


def _records() -> list[Stored]:
    found = []
    for ago in range(120, 0, -1):
        at_ms, seq = NOW_MS - ago * MINUTE_MS, 1000 - ago
        told = (
            Reach(up=not 30 < ago < 40, gateway_answered=1),
            Latency(target="1.1.1.1", sent=10, received=9, rtt_histogram=((150, 9),)),
            Interface(interface="eth0", source="host", up=True, rx_bytes=seq * 1000, tx_bytes=None),
            Host(uptime_s=500, spool_records=3, spool_oldest_s=61.0, undervoltage=False),
            Dns(target="9.9.9.9", lookup_ms=12.5),
        )
        found += [Stored(at_ms=at_ms, kind=f.kind, fields=f, seq=seq) for f in told]
    failed = Stored(
        at_ms=NOW_MS - 90_000, kind="dns", fields=None, reason=Reason.TIMEOUT, detail=EVIL, backlog=True
    )
    event = Stored(at_ms=NOW_MS - 90_000, kind="event", fields=Event(event="agent_started", subject=EVIL))
    return [*found, failed, event]
