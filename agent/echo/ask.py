# SPDX-License-Identifier: Apache-2.0
"""Ask these hosts at these moments: who answered, and how fast?

By echo requests. Where the device may send none, and where they are dropped on the way, connections tell
whether a host is there: of a host on the LAN any answer, of one beyond it only what nobody's address gets as
well is none (`knock`). A refusal in the name of a host beyond the LAN is no answer either: a router or
filter on the way sends the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent.contract.reason import Reason
from agent.echo import stamp
from agent.echo.address import Address
from agent.echo.connect import connect
from agent.echo.icmp import EchoLine, icmp_permission
from agent.echo.knock import knock
from agent.echo.ledger import Ledger, Outcome
from agent.echo.plan import Ask, moments
from agent.echo.way import FAR

_FURTHER_S = 0.2
"""Duplicates come close behind what they repeat."""

Method = Literal["icmp", "tcp"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of a round.

    Attributes:
        method: by what the plan's requests were made.
        outcomes: one per request of the plan, in its order, but for those made by connection instead.
        instead: connections that were made because echo requests get no answer, or not each.
    """

    method: Method
    outcomes: tuple[Outcome, ...]
    instead: tuple[Outcome, ...] = ()

    def to(self, addresses: Collection[Address]) -> list[Outcome]:
        """The outcomes of the plan's requests to these hosts, in sending order."""
        return [outcome for outcome in self.outcomes if outcome.address in addresses]

    def of(self, addresses: Collection[Address]) -> tuple[Method, list[Outcome]]:
        """What tells most of these hosts: the plan's requests, unless only connections were answered."""
        asked = self.to(addresses)
        instead = [outcome for outcome in self.instead if outcome.address in addresses]
        if _any_answered(asked) or (asked and not _any_answered(instead)):
            return self.method, asked
        return "tcp", instead


async def ask(
    plan: Sequence[Ask],
    *,
    timeout_s: float,
    tcp_port: int,
    patience_s: float | None = None,
    near: Collection[Address] = (),
    in_doubt: Sequence[Ask] = (),
) -> Answers:
    """Send each request of the plan at its moment and wait for answers.

    By ICMP echo where that is permitted, else by opening TCP connections to `tcp_port`; so are hosts beyond
    the LAN while echoes are known to be filtered or rationed on the way (`FAR`). The round ends soon
    after each request is settled, or `patience_s` after the last one; until then answers that exceed the
    time-out are seen, as late. With no more patience than the time-out, the last ones of a slow link would be
    told lost.

    Args:
        plan: ascending by `at_s`; at most 65,536 requests.
        timeout_s: how long an answer counts as received.
        tcp_port: where to knock without ICMP; a connection is not waited for beyond the time-out.
        patience_s: how long an answer is waited for at all; the time-out by default.
        near: hosts of the LAN, in whose name nobody else accepts connections.
        in_doubt: connections that are made at their moments for as long as none of the hosts they go to has
            answered an echo request.
    """
    patience_s = timeout_s if patience_s is None else patience_s
    if icmp_permission() == "denied":
        outcomes = await ask_by_connection(plan, timeout_s=timeout_s, port=tcp_port, near=near)
        return Answers("tcp", tuple(outcomes))
    far = [item for item in plan if FAR.now == "connection" and item.address not in near]
    plan = [item for item in plan if FAR.now == "echo" or item.address in near]
    ledger = Ledger(plan, timeout_s)
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask_by_echo(plan, ledger, patience_s), name="echo requests")
        connecting = group.create_task(
            ask_by_connection(far, timeout_s=timeout_s, port=tcp_port)
            if far
            else _ask_in_doubt(in_doubt, plan, ledger, timeout_s, tcp_port),
            name="connections",
        )
    return Answers("icmp", tuple(ledger.outcomes()), tuple(connecting.result()))


async def ask_by_connection(
    plan: Sequence[Ask],
    *,
    timeout_s: float,
    port: int,
    near: Collection[Address] = (),
    is_over: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Open a connection for each request of the plan until it is over, and close it at once."""
    tasks: list[asyncio.Task[Outcome]] = []
    async with asyncio.TaskGroup() as group:
        async for _, item in moments(plan):
            if is_over():
                break
            connecting = _connect(item.address, timeout_s, port, is_near=item.address in near)
            tasks.append(group.create_task(connecting, name=f"connect {item.address}"))
    return [task.result() for task in tasks]


async def _connect(address: Address, timeout_s: float, port: int, *, is_near: bool) -> Outcome:
    if is_near:
        return await connect(address, timeout_s=timeout_s, port=port)
    outcome = await knock(address, timeout_s=timeout_s, port=port)
    if outcome.refused:
        return replace(outcome, rtt_ms=None, late=False, reason=Reason.REFUSED)
    return outcome


async def _ask_in_doubt(
    in_doubt: Sequence[Ask], plan: Sequence[Ask], ledger: Ledger, timeout_s: float, port: int
) -> list[Outcome]:
    hosts = {item.address for item in in_doubt}

    def is_answered() -> bool:
        return _any_answered([o for o in ledger.outcomes() if o.address in hosts])

    outcomes = await ask_by_connection(in_doubt, timeout_s=timeout_s, port=port, is_over=is_answered)
    last_s = max((item.at_s for item in plan if item.address in hosts), default=0.0)
    told = zip(in_doubt, outcomes, strict=False)
    return outcomes if any(_is_proof(item, outcome, last_s - timeout_s) for item, outcome in told) else []


def _is_proof(item: Ask, outcome: Outcome, last_s: float) -> bool:
    """Whether the link must have lived while an echo request was on its way, the one beside it or a later.

    What needed a second SYN at the end of a round may be the answer of a link that has just come back.
    """
    return outcome.rtt_ms is not None or (outcome.late and item.at_s <= last_s)


def _any_answered(outcomes: Sequence[Outcome]) -> bool:
    return any(outcome.answered for outcome in outcomes)


async def _ask_by_echo(plan: Sequence[Ask], ledger: Ledger, patience_s: float) -> None:
    settled = asyncio.Event()
    with _lines(plan, ledger, settled) as lines:
        await stamp.begin()
        async for index, item in moments(plan):
            lines[item.address.family].send(index, item.address)
        if not ledger.is_settled:
            await _wait(settled, patience_s)
        for line in lines.values():
            line.read()


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
