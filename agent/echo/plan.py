# SPDX-License-Identifier: Apache-2.0
"""Who is asked at which moment of a round?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from agent.echo.address import Address

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


async def moments(plan: Sequence[Ask]) -> AsyncIterator[tuple[int, Ask]]:
    """Each request and its place, when its moment has come."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    for index, item in enumerate(plan):
        await asyncio.sleep(max(0.0, start_s + item.at_s - loop.time()))
        yield index, item
