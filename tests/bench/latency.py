# SPDX-License-Identifier: Apache-2.0
"""How true are the agent's round-trip times and losses, on a link whose truth is known?

The agent's own `agent.echo` asks from the school; each answer is compared with the stamps on the school's
interface (bias) and with the link program's log (which were lost). The bias against that log holds the way
through the bed's namespaces and the waking of the link program as well, some 70 µs that no school has.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Sequence

from tests.bench.accuracy import as_table, write_part
from tests.bench.figure import Figure
from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Link
from tests.linkbed.echoes import SPIN, Echo, exchange

_COUNT = 1000
_EVERY_S = 0.005
_RTTS_MS = (1.0, 20.0, 600.0)
_P50_GOAL_US, _P99_GOAL_US = 50, 200

LINKS = {
    "no loss": Link(rtt_ms=20),
    "1 % random loss": Link(rtt_ms=20, loss_ratio=0.005),
    "3 % random loss": Link(rtt_ms=20, loss_ratio=0.015),
    "20 % random loss": Link(rtt_ms=20, loss_ratio=0.106),
    "20 % bursty loss": Link(rtt_ms=20, down={"burst_loss": Burst(to_bad_ratio=0.025, to_good_ratio=0.1)}),
    "duplicates": Link(rtt_ms=20, duplicate_ratio=0.05),
    "reordering": Link(rtt_ms=20, reorder_ratio=0.1, reorder_ms=30),
    "all answers late": Link(rtt_ms=600, loss_ratio=0.01),
}
_TIMEOUT_S = 0.4


def measure() -> list[Figure]:
    """Bias at each round-trip time, idle and busy, both families; then verdicts on nasty links."""
    with Bed(keeps_packets=True, serves=False) as bed:
        biases = [figure for rtt_ms in _RTTS_MS for figure in _biases_at(bed, rtt_ms)]
        verdicts = []
        for name, link in LINKS.items():
            bed.apply(link)
            verdicts.append(_misjudged(bed, name))
    figures = [*biases, *verdicts]
    write_part("latency", as_table(figures))
    return figures


@contextlib.contextmanager
def busy(bed: Bed) -> Iterator[None]:
    """As many programs as there are CPUs do nothing but work."""
    programs = [bed.start("school", [sys.executable, "-c", SPIN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _biases_at(bed: Bed, rtt_ms: float) -> Iterator[Figure]:
    bed.apply(Link(rtt_ms=rtt_ms))
    for family, host in (("IPv4", place.ANCHORS[0]), ("IPv6", place.ANCHORS_6[0])):
        yield from _biases(bed, f"{rtt_ms:g} ms, {family}, CPU idle", host)
        with busy(bed):
            yield from _biases(bed, f"{rtt_ms:g} ms, {family}, CPU busy", host)


def _biases(bed: Bed, name: str, host: str) -> Iterator[Figure]:
    echoes = exchange(bed, host, count=_COUNT, every_s=_EVERY_S, timeout_s=3.0)
    wire = [1000 * (e.rtt_ms - e.wire_ms) for e in echoes if e.rtt_ms is not None and e.wire_ms is not None]
    link = [1000 * (e.rtt_ms - e.link_ms) for e in echoes if e.rtt_ms is not None and e.link_ms is not None]
    note = f"{len(wire)} of {_COUNT} requests; against the link's log: " + ", ".join(
        f"{label} {_percentile(link, q):.0f} µs" for label, q in (("p50", 0.5), ("p99", 0.99))
    )
    for label, q, goal in (("p50", 0.5, _P50_GOAL_US), ("p99", 0.99, _P99_GOAL_US)):
        value = _percentile(wire, q)
        yield Figure(name=f"RTT bias at {name}, {label}", value=value, unit="µs", goal=goal, note=note)


def _misjudged(bed: Bed, name: str) -> Figure:
    echoes = exchange(bed, place.ANCHORS[0], count=_COUNT, every_s=_EVERY_S, timeout_s=_TIMEOUT_S)
    wrong = [echo for echo in echoes if not echo.is_told_truly]
    note = (
        f"of {_COUNT}: {_count_lost(echoes)} lost in truth, {sum(e.late for e in echoes)} told late, "
        f"{sum(max(0, e.answers - 1) for e in echoes)} further answers"
    )
    return Figure(name=f"requests told wrongly, {name}", value=len(wrong), unit="", goal=0, note=note)


def _count_lost(echoes: Sequence[Echo]) -> int:
    return sum(echo.answers == 0 for echo in echoes)


def _percentile(values: Sequence[float], q: float) -> float:
    """Nearest rank of the absolute values."""
    ordered = sorted(abs(value) for value in values)
    return ordered[math.ceil(q * len(ordered)) - 1]
