# SPDX-License-Identifier: Apache-2.0
"""Ask these hosts at these moments: who answered, and how fast?"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.echo import connect, stamp
from agent.echo.address import Address
from agent.echo.icmp import EchoLine, icmp_permission
from agent.echo.ledger import Ledger, Outcome
from agent.echo.plan import Ask, moments

_FURTHER_S = 0.2
"""Duplicates come close behind what they repeat."""

Method = Literal["icmp", "tcp"]


@dataclass(frozen=True, slots=True)
class Answers:
    """One outcome per request of the plan, in its order."""

    method: Method
    outcomes: tuple[Outcome, ...]

    def to(self, addresses: Sequence[Address]) -> list[Outcome]:
        """The outcomes of these hosts, in sending order."""
        return [outcome for outcome in self.outcomes if outcome.address in addresses]


async def ask(
    plan: Sequence[Ask], *, timeout_s: float, tcp_port: int, patience_s: float | None = None
) -> Answers:
    """Send each request of the plan at its moment and wait for answers.

    By ICMP echo where that is permitted, else by opening TCP connections to `tcp_port`. The round ends soon
    after each request is settled, or `patience_s` after the last one; until then answers that exceed the
    time-out are seen, as late. With no more patience than the time-out, the last ones of a slow link would be
    told lost.

    Args:
        plan: ascending by `at_s`; at most 65,536 requests.
        timeout_s: how long an answer counts as received.
        tcp_port: where to knock without ICMP; a connection is not waited for beyond the time-out.
        patience_s: how long an answer is waited for at all; the time-out by default.
    """
    patience_s = timeout_s if patience_s is None else patience_s
    if icmp_permission() == "denied":
        return Answers(
            "tcp", tuple(await connect.ask_by_connecting(plan, timeout_s=timeout_s, port=tcp_port))
        )
    return Answers("icmp", tuple(await _ask_by_echo(plan, timeout_s, patience_s)))


async def _ask_by_echo(plan: Sequence[Ask], timeout_s: float, patience_s: float) -> list[Outcome]:
    ledger = Ledger(plan, timeout_s)
    settled = asyncio.Event()
    with _lines(plan, ledger, settled) as lines:
        await stamp.begin()
        async for index, item in moments(plan):
            lines[item.address.family].send(index, item.address)
        if not ledger.is_settled:
            await _wait(settled, patience_s)
        for line in lines.values():
            line.read()
    return ledger.outcomes()


async def _wait(settled: asyncio.Event, patience_s: float) -> None:
    """Until each request is settled, and a moment more for further answers to the last one."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await settled.wait()
            await asyncio.sleep(_FURTHER_S)


@contextlib.contextmanager
def _lines(
    plan: Sequence[Ask], ledger: Ledger, settled: asyncio.Event
) -> Iterator[dict[socket.AddressFamily, EchoLine]]:
    loop = asyncio.get_running_loop()

    def read(line: EchoLine) -> None:
        line.read()
        if ledger.is_settled:
            settled.set()

    with contextlib.ExitStack() as stack:
        lines = {}
        for family in {item.address.family for item in plan}:
            line = lines[family] = EchoLine(family, ledger)
            stack.callback(line.close)
            if line.socket is not None:
                loop.add_reader(line.socket, read, line)
                stack.callback(loop.remove_reader, line.socket)
        yield lines
