# SPDX-License-Identifier: Apache-2.0
"""How true is the capacity test, at which cost, on links whose truth is known?

Agent and reflector are the real ones, at either end of the emulated link; the tables go to docs/accuracy.md.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.accuracy import write_part
from tests.bench.figure import Figure
from tests.linkbed import capacity
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Link

RATES_MBPS = (0.5, 2.0, 10.0, 50.0, 200.0)
RTTS_MS = (20.0, 50.0, 600.0)
SHAPES = ("shaper", "policer", "burst")
NASTY: dict[str, dict[str, Any]] = {
    "loss 1 %": {"loss_ratio": 0.01},
    "loss 3 %": {"loss_ratio": 0.03},
    "bursty loss 2 %": {"burst_loss": Burst(to_bad_ratio=0.005, to_good_ratio=0.25)},
    "jitter uniform ±3 ms": {"jitter_ms": 3},
    "jitter uniform ±30 ms": {"jitter_ms": 30},
    "jitter exponential 5 ms": {"jitter_ms": 5, "jitter": "exponential"},
    "jitter exponential 30 ms": {"jitter_ms": 30, "jitter": "exponential"},
    "slots of 5 ms": {"slot_ms": 5},
    "slots of 20 ms": {"slot_ms": 20},
    "reordering 5 %": {"reorder_ratio": 0.05, "reorder_ms": 20},
    "burst 64 kB": {"burst_bytes": 64_000},
    "burst 256 kB": {"burst_bytes": 256_000},
    "burst 1 MB": {"burst_bytes": 1_000_000},
    "queue 6 kB": {"queue_bytes": 6000},
    "policer 6 kB": {"policed": True, "burst_bytes": 6000},
    "policer 100 kB": {"policed": True, "burst_bytes": 100_000},
    "queue of 1 s": {"queue_bytes": 1_250_000},
}
_NASTY_MBPS, _NASTY_RTT_MS = 10.0, 40.0
_TCP_S = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """One direction of one test beside its truth."""

    name: str
    rtt_ms: float
    truth_mbps: float
    told: dict[str, Any]

    @property
    def error(self) -> float | None:
        """None where no figure was told."""
        return None if self.told["mbps"] is None else self.told["mbps"] / self.truth_mbps - 1

    @property
    def cost(self) -> float:
        """Bytes beside those of ten seconds at the link's rate, what a 10 s TCP test takes at least."""
        return float(self.told["bytes"] or 0) / (self.truth_mbps * 1e6 * _TCP_S / 8)

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth; half a percent is the bed's own goal."""
        low, high = self.told["mbps_low"], self.told["mbps_high"]
        return low is not None and low * 0.995 <= self.truth_mbps <= high * 1.005

    def __str__(self) -> str:
        told, error = self.told, "–" if self.error is None else f"{100 * self.error:+.2f} %"
        burst = f"{told['burst_mbps']:.0f} / {told['burst_bytes']}" if told["burst_mbps"] else "–"
        verdict = told["validity"] + (f": {told['reasons']}" if told["reasons"] else "")
        cells = (
            self.name,
            f"{self.truth_mbps:g}",
            f"{self.rtt_ms:g}",
            told["direction"],
            error,
            f"{told['mbps_low']:.4g} to {told['mbps_high']:.4g}",
            burst,
            f"{(told['bytes'] or 0) / 1e6:.2f}",
            f"{100 * self.cost:.1f} %",
            f"{told['duration_s']:.1f}",
            verdict if self.told["mbps"] is not None else f"{told['reason']}: {told['detail']}",
        )
        return f"| {' | '.join(cells)} |"


_HEAD = (
    "| link | Mbit/s | RTT ms | way | error | 95 % interval | burst Mbit/s / bytes | MB | of 10 s TCP | s "
    "| says |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def shape(name: str, mbps: float) -> dict[str, Any]:
    """A policer of 10 ms at the rate, or a bucket of 100 ms; both at least some packets deep."""
    bytes_in_s = mbps * 1e6 / 8
    return {
        "shaper": {},
        "policer": {"policed": True, "burst_bytes": max(3000, round(0.01 * bytes_in_s))},
        "burst": {"burst_bytes": max(4500, round(0.1 * bytes_in_s))},
    }[name]


def measure() -> list[Figure]:
    """The whole grid, then nasty links."""
    with (
        Bed(serves=False) as bed,
        tempfile.TemporaryDirectory() as folder,
        capacity.reflector(bed, Path(folder)),
    ):
        grid = [
            row
            for mbps, rtt_ms, name in itertools.product(RATES_MBPS, RTTS_MS, SHAPES)
            for row in _measure(bed, name, Link(rate_bps=mbps * 1e6, rtt_ms=rtt_ms, **shape(name, mbps)))
        ]
        nasty = [
            row
            for name, options in NASTY.items()
            for row in _measure(bed, name, Link(rate_bps=_NASTY_MBPS * 1e6, rtt_ms=_NASTY_RTT_MS, **options))
        ]
    _write(grid, nasty)
    return [*_summary("grid", grid), *_summary("nasty links", nasty)]


def _measure(bed: Bed, name: str, link: Link) -> list[Row]:
    bed.apply(link)
    rows = [Row(name, link.rtt_ms, (link.rate_bps or 0) / 1e6, told) for told in capacity.measure(bed)]
    for row in rows:
        print(row, flush=True)
    return rows


def _summary(name: str, rows: Sequence[Row]) -> list[Figure]:
    errors = [abs(row.error) for row in rows if row.error is not None]
    unsaid = [abs(r.error) for r in rows if r.error is not None and r.told["validity"] == "valid"]
    note = f"{len(errors)} of {len(rows)} gave a figure, {len(unsaid)} say valid"
    held = sum(row.holds for row in rows)
    costs = [row.cost for row in rows]
    pc, beside = 100, f"{name}: bytes beside 10 s TCP"
    return [
        Figure(
            name=f"{name}: error, median", value=pc * statistics.median(errors), unit="%", goal=2, note=note
        ),
        Figure(name=f"{name}: error, worst", value=pc * max(errors), unit="%", goal=5),
        Figure(
            name=f"{name}: error, worst that says valid",
            value=pc * max(unsaid, default=0.0),
            unit="%",
            goal=5,
        ),
        Figure(
            name=f"{name}: bytes beside 10 s TCP, median",
            value=pc * statistics.median(costs),
            unit="%",
            goal=5,
        ),
        Figure(name=f"{beside}, most", value=pc * max(costs), unit="%", goal=5),
        Figure(name=f"{name}: intervals without the truth", value=len(rows) - held, unit=f"of {len(rows)}"),
    ]


def _write(grid: Sequence[Row], nasty: Sequence[Row]) -> None:
    load = f"Load of the machine at the end (1, 5, 15 min; {os.cpu_count()} processors): "
    load += " ".join(f"{x:.1f}" for x in os.getloadavg()) + "."
    lines = [f"{figure}" for figure in (*_summary("grid", grid), *_summary("nasty links", nasty))]
    tables = (
        f"### The grid\n\n{_HEAD}{chr(10).join(map(str, grid))}\n\n"
        f"### Nasty links\n\n{_HEAD}{chr(10).join(map(str, nasty))}\n"
    )
    write_part("capacity", f"```\n{chr(10).join(lines)}\n```\n\n{load}\n\n{tables}")
