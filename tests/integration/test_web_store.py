# SPDX-License-Identifier: Apache-2.0
"""Does the page show what the real embedded store holds, while that is being written?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path

from agent.contract import histogram
from agent.contract.kinds import Fields, Host, Latency, Reach
from agent.contract.record import ClockState, Record
from collector.health import Health
from collector.registry import School
from collector.sinks.base import Measurement
from collector.sinks.reader import StoreReader
from collector.sinks.store import StoreOptions, StoreSink
from collector.web.options import WebOptions
from collector.web.view import View
from tests.unit.collector.web.fakes import MINUTE_MS, Registry
from tests.unit.collector.web.site import client

SCHOOL = School(id="№ 5/Әбай", name="№5 Әбай мектебі", operator="Operator B")
NOW_MS = int(time.time() * 1000)


def measurements(minutes: Iterable[int]) -> list[Measurement]:
    """What one school measured at these minutes before now."""
    found = []
    for ago in minutes:
        times = histogram.count([600.0, 610.0, 620.0])
        latency = Latency(target="1.1.1.1", sent=4, received=3, rtt_histogram=times)
        told: tuple[Fields, ...] = (Reach(up=True, hint="up"), latency, Host(spool_records=7))
        for place, fields in enumerate(told):
            found.append(measurement(100_000 - ago * 10 + place, fields, ago))
    return found


def measurement(seq: int, fields: Fields, ago: int) -> Measurement:
    at_ms = NOW_MS - ago * MINUTE_MS
    clock = ClockState(wall_ms=at_ms, mono_ms=5_000, boot="0123abcd", age_s=30)
    record = Record(seq=seq, kind=fields.kind, clock=clock, duration_ms=40, fields=fields)
    return Measurement(
        school=SCHOOL, device="pi-1", session="0123456789abcdef", record=record, at_ms=at_ms,
        received_ms=at_ms + 500, backlog=False,
    )  # fmt: skip


def view(path: Path) -> View:
    reader = StoreReader(path)
    return View(
        registry=Registry((SCHOOL,)),
        reader=reader,
        health=Health(mqtt_connected=True),
        now=lambda: NOW_MS / 1000,
    )


async def test_page_shows_what_the_store_holds(tmp_path: Path) -> None:
    sink = StoreSink(StoreOptions(path=str(tmp_path / "store.db")))
    await sink.write(measurements(range(120, 0, -1)))
    async with client(view(tmp_path / "store.db"), WebOptions()) as site:
        (school,) = (await (await site.get("/api/schools.json")).json())["schools"]
        page = await (await site.get("/school/%E2%84%96%205%2F%D3%98%D0%B1%D0%B0%D0%B9")).text()
    await sink.close()
    assert (school["state"], school["data_age_s"], school["loss_ratio"]) == ("up", 60.0, 0.25)
    assert 590 < school["rtt_median_ms"] < 620
    for said in ("№5 Әбай мектебі", "Latency to 1.1.1.1", "7 records", "last set 30 s before"):
        assert said in page


async def test_page_is_read_while_the_store_is_written(tmp_path: Path) -> None:
    sink = StoreSink(StoreOptions(path=str(tmp_path / "store.db")))
    await sink.write(measurements([200]))

    async def write() -> None:
        for ago in range(199, 100, -1):
            await sink.write(measurements([ago]))

    async with client(view(tmp_path / "store.db")) as site:
        writing = asyncio.create_task(write())
        while not writing.done():
            assert (await site.get("/school/%E2%84%96%205%2F%D3%98%D0%B1%D0%B0%D0%B9")).status == 200
        await writing
    await sink.close()


async def test_page_waits_when_there_is_no_store_yet(tmp_path: Path) -> None:
    async with client(view(tmp_path / "none.db")) as site:
        answer = await site.get("/healthz")
        assert (answer.status, (await answer.json())["failing"]) == (503, ["page"])
