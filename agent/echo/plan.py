# SPDX-License-Identifier: Apache-2.0
"""Who is asked at which moment of a round?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from agent.echo.address import Address

DOUBTFUL = 3
"""So many requests without an answer raise a doubt; where 3 % are lost, one round in 37,000 begins so."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a plan: to whom, how many seconds after the round began."""

    at_s: float
    address: Address


def evenly(addresses: Sequence[Address], *, every_s: float, count: int, from_s: float = 0.0) -> list[Ask]:
    """Ask these hosts in rotation, one each `every_s`, so many times in all; nothing for nobody."""
    if not addresses:
        return []
    return [Ask(from_s + i * every_s, addresses[i % len(addresses)]) for i in range(count)]


def fitting(span_s: float, *, every_s: float) -> int:
    """How many requests begin within the span, at least one."""
    return max(1, math.ceil(span_s / every_s - _ROUNDING))


def interleaved(plans: Iterable[Sequence[Ask]]) -> list[Ask]:
    """Several plans as one, in the order of their moments."""
    return sorted((ask for plan in plans for ask in plan), key=lambda ask: ask.at_s)


def in_doubt(plan: Sequence[Ask], hosts: Sequence[Address], *, timeout_s: float, until_s: float) -> list[Ask]:
    """When these hosts are asked in another way, should none of them have answered the plan's requests.

    It begins when the first few requests to them are overdue and keeps the plan's moments, so that both ways
    see the same link. A host that has no moment left is asked beside the last request, or as soon after it as
    those few are overdue, at `until_s` at the latest: each is asked once at least.
    """
    asked = [item for item in plan if item.address in hosts]
    if not asked:
        return []
    overdue_s = asked[:DOUBTFUL][-1].at_s + timeout_s
    kept = [item for item in asked if item.at_s >= overdue_s - _ROUNDING]
    last_s = max(asked[-1].at_s, min(overdue_s, until_s))
    left = [host for host in dict.fromkeys(hosts) if all(item.address != host for item in kept)]
    return [*kept, *(Ask(last_s, host) for host in left)]


async def moments(plan: Sequence[Ask]) -> AsyncIterator[tuple[int, Ask]]:
    """Each request and its place, when its moment has come."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    for index, item in enumerate(plan):
        await asyncio.sleep(max(0.0, start_s + item.at_s - loop.time()))
        yield index, item
