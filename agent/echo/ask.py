# SPDX-License-Identifier: Apache-2.0
"""Ask these hosts at these moments: who answered, and how fast?"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.echo import connect
from agent.echo.address import Address
from agent.echo.icmp import EchoLine, icmp_permission
from agent.echo.ledger import Ledger, Outcome
from agent.echo.plan import Ask, moments

Method = Literal["icmp", "tcp"]


@dataclass(frozen=True, slots=True)
class Answers:
    """One outcome per request of the plan, in its order."""

    method: Method
    outcomes: tuple[Outcome, ...]

    def to(self, addresses: Sequence[Address]) -> list[Outcome]:
        """The outcomes of these hosts, in sending order."""
        return [outcome for outcome in self.outcomes if outcome.address in addresses]


async def ask(plan: Sequence[Ask], *, timeout_s: float, tcp_port: int) -> Answers:
    """Send each request of the plan at its moment and wait for answers.

    By ICMP echo where that is permitted, else by opening TCP connections to `tcp_port`. The round ends when
    each request is settled, or `timeout_s` after the last one; until then answers that exceed the time-out
    are seen, as late.

    Args:
        plan: ascending by `at_s`; at most 65,536 requests.
        timeout_s: how long an answer counts as received.
        tcp_port: where to knock without ICMP.
    """
    if icmp_permission() == "denied":
        return Answers(
            "tcp", tuple(await connect.ask_by_connecting(plan, timeout_s=timeout_s, port=tcp_port))
        )
    return Answers("icmp", tuple(await _ask_by_echo(plan, timeout_s)))


async def _ask_by_echo(plan: Sequence[Ask], timeout_s: float) -> list[Outcome]:
    ledger = Ledger(plan, timeout_s)
    settled = asyncio.Event()
    with _lines(plan, ledger, settled) as lines:
        async for index, item in moments(plan):
            lines[item.address.family].send(index, item.address)
        if not ledger.is_settled:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await settled.wait()
        for line in lines.values():
            line.read()
    return ledger.outcomes()


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
