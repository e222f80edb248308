# SPDX-License-Identifier: Apache-2.0
"""How fast do an interface's counters run? What that went back (reboot, wrap) gives none, not a wrong one."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.contract.kinds import Interface
from collector.web.view import Stored

Counter = tuple[int, Interface]
"""When it was read, and what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceDay:
    """One interface over the day; None where two readings to compare were not to be had."""

    interface: str
    source: str
    device: str
    at_ms: int
    up: bool | None
    speed_mbps: int | None
    rx_bytes_per_s: float | None
    tx_bytes_per_s: float | None
    rx_bytes: int | None
    tx_bytes: int | None
    errors: int | None
    drops: int | None
    rx_rates: tuple[tuple[int, float], ...]


def by_interface(stored: Iterable[Stored]) -> tuple[InterfaceDay, ...]:
    """The day of each interface of each device."""
    found: dict[tuple[str, str, str], list[Counter]] = defaultdict(list)
    for each in stored:
        if isinstance(each.fields, Interface):
            found[each.device, each.fields.source, each.fields.interface].append((each.at_ms, each.fields))
    return tuple(_day(key, found[key]) for key in sorted(found))


def _day(key: tuple[str, str, str], read: Sequence[Counter]) -> InterfaceDay:
    device, source, interface = key
    at_ms, last = read[-1]
    return InterfaceDay(
        interface=interface,
        source=source,
        device=device,
        at_ms=at_ms,
        up=last.up,
        speed_mbps=last.speed_mbps,
        rx_bytes_per_s=_latest(read, "rx_bytes"),
        tx_bytes_per_s=_latest(read, "tx_bytes"),
        rx_bytes=_sum([_grown(read, "rx_bytes")]),
        tx_bytes=_sum([_grown(read, "tx_bytes")]),
        errors=_sum([_grown(read, "rx_errors"), _grown(read, "tx_errors")]),
        drops=_sum([_grown(read, "rx_drops"), _grown(read, "tx_drops")]),
        rx_rates=tuple(rates(read, "rx_bytes")),
    )


def rates(read: Sequence[Counter], name: str) -> Iterable[tuple[int, float]]:
    """End of each step and growth per second in it."""
    for (a_ms, a), (b_ms, b) in itertools.pairwise(read):
        growth = _growth(getattr(a, name), getattr(b, name))
        if growth is not None and b_ms > a_ms:
            yield b_ms, growth * 1000 / (b_ms - a_ms)


def _latest(read: Sequence[Counter], name: str) -> float | None:
    return next((rate for _, rate in rates(read[-2:], name)), None)


def _grown(read: Sequence[Counter], name: str) -> list[int]:
    """Growth of each step in which the counter did not go back."""
    pairs = itertools.pairwise(read)
    steps = (_growth(getattr(a, name), getattr(b, name)) for (_, a), (_, b) in pairs)
    return [s for s in steps if s is not None]


def _growth(earlier: int | None, later: int | None) -> int | None:
    if earlier is None or later is None or later < earlier:
        return None
    return later - earlier


def _sum(steps: Iterable[Sequence[int]]) -> int | None:
    told = [n for some in steps for n in some]
    return sum(told) if told else None
