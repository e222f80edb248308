# SPDX-License-Identifier: Apache-2.0
"""How true are the TCP tests, on links whose truth is known?

`SCHOOLPULSE_BENCH_STREAM=full` measures everything three times, which takes an hour.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.accuracy import write_part
from tests.bench.figure import Figure
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link
from tests.linkbed.streams import MEASURE, SERVE

_IS_FULL = os.environ.get("SCHOOLPULSE_BENCH_STREAM") == "full"
_TIMES = 3 if _IS_FULL else 1
_RATES_MBPS = (0.5, 2.0, 10.0, 50.0, 200.0)
_RTTS_MS = (20.0, 50.0, 600.0)
NASTY: Mapping[str, dict[str, Any]] = {
    "burst 64 kB": {"burst_bytes": 64_000},
    "burst 256 kB": {"burst_bytes": 256_000},
    "burst 1 MB": {"burst_bytes": 1_000_000},
    "policer 30 kB": {"burst_bytes": 30_000, "policed": True},
    "loss 1 %": {"loss_ratio": 0.01},
    "loss 3 %": {"loss_ratio": 0.03},
    "jitter 10 ms": {"jitter_ms": 10.0},
    "jitter 30 ms": {"jitter_ms": 30.0},
    "slots 20 ms": {"slot_ms": 20.0},
}
_MOST_DETAILED_MBPS, _MTU_BYTES = 10.0, 576
QUEUES_MS = {"100 ms of queue": 100, "500 ms of queue": 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one method said of one link in one direction; the interval's ends are None where it has none."""

    mbps: float | None
    low: float | None
    high: float | None
    link_bytes: int
    cpu_s: float
    doubts: str


def measure() -> list[Figure]:
    """The grid, the nasty links, one connection alone, small packets, the full queues."""
    with Bed(serves=False) as bed, served(bed) as token:
        figures = [*_grid(bed, token), *_nasty(bed, token), *_one(bed, token), *_small(bed, token)]
    with Bed(serves=False, keeps_packets=True) as bed, served(bed) as token:
        figures += _loaded(bed, token)
    write_part("stream", as_table(figures))
    return figures


def as_table(figures: Sequence[Figure]) -> str:
    """For docs/accuracy.md."""
    rows = (f"| {figure.name} | {figure.value:+.1f} {figure.unit} | {figure.note} |" for figure in figures)
    return "\n".join(["| what | error | runs, bytes, processor, doubts |", "|---|---|---|", *rows])


@contextlib.contextmanager
def served(bed: Bed) -> Iterator[str]:
    """Everything listens in the internet; the token that opens it."""
    ours = bed.start("internet", [*SERVE, "{}"], stdout=subprocess.PIPE)
    iperf3 = bed.start("internet", ["iperf3", "--server"], stdout=subprocess.DEVNULL)
    assert ours.stdout is not None
    try:
        yield ours.stdout.readline().strip()
    finally:
        iperf3.kill()
        ours.kill()


def _grid(bed: Bed, token: str) -> Iterator[Figure]:
    errors = []
    for rtt_ms in _RTTS_MS:
        for mbps in _RATES_MBPS:
            for direction in ("down", "up"):
                figure = _error(
                    bed, token, direction, f"{mbps:g} Mbit/s {rtt_ms:g} ms", rate=mbps, rtt_ms=rtt_ms
                )
                errors.append(figure.value)
                yield figure
    yield Figure(name="tcp, grid, median error", value=statistics.median(errors), unit="%", goal=2)
    yield Figure(name="tcp, grid, worst error", value=max(errors), unit="%", goal=5)


def _nasty(bed: Bed, token: str) -> Iterator[Figure]:
    for name, trouble in NASTY.items():
        for direction in ("down", "up"):
            yield _error(bed, token, direction, f"10 Mbit/s 50 ms {name}", rate=10.0, rtt_ms=50.0, **trouble)


def _one(bed: Bed, token: str) -> Iterator[Figure]:
    rate = _MOST_DETAILED_MBPS
    for rtt_ms in _RTTS_MS:
        for direction in ("down", "up"):
            name = f"{rate:g} Mbit/s {rtt_ms:g} ms, one connection"
            yield _error(bed, token, direction, name, rate=rate, streams=1, rtt_ms=rtt_ms)


def _small(bed: Bed, token: str) -> Iterator[Figure]:
    bed.run("school", ["ip", "link", "set", "eth0", "mtu", str(_MTU_BYTES)])
    rate = _MOST_DETAILED_MBPS
    for rtt_ms in _RTTS_MS:
        for direction in ("down", "up"):
            name = f"{rate:g} Mbit/s {rtt_ms:g} ms, MTU {_MTU_BYTES}"
            yield _error(bed, token, direction, name, rate=rate, rtt_ms=rtt_ms)


def _error(
    bed: Bed, token: str, direction: str, name: str, *, rate: float, streams: int = 4, **link: Any
) -> Figure:
    """The worst of the runs; the note has what a reader asks next."""
    bed.apply(Link(rate_bps=rate * 1e6, **link))
    told = [_ours(bed, token, direction, streams) for _ in range(_TIMES)]
    errors = [100 * abs(t.mbps / rate - 1) for t in told if t.mbps is not None]
    signed = ", ".join(_said(t, rate) for t in told)
    note = f"{signed}; {told[0].link_bytes / 1e6:.2f} MB, CPU {told[0].cpu_s:.2f} s {told[0].doubts}".strip()
    return Figure(
        name=f"tcp {direction}, {name}", value=max(errors, default=100.0), unit="%", goal=5, note=note
    )


def _said(told: Told, rate: float) -> str:
    """The error, and the confidence interval in Mbit/s."""
    if told.mbps is None:
        return "none"
    error = f"{100 * (told.mbps / rate - 1):+.1f} %"
    if told.low is None or told.high is None:
        return f"{error} (no interval)"
    return f"{error} ({told.low:.4g} to {told.high:.4g})"


def _loaded(bed: Bed, token: str) -> Iterator[Figure]:
    for rtt_ms in (20.0, 600.0):
        for name, queue_ms in QUEUES_MS.items():
            bed.apply(Link(rate_bps=10e6, rtt_ms=rtt_ms, queue_bytes=int(10e6 / 8 * queue_ms / 1000)))
            for direction in ("down", "up"):
                yield _responsiveness(bed, token, direction, f"{rtt_ms:g} ms, {name}")


def _responsiveness(bed: Bed, token: str, direction: str, name: str) -> Figure:
    told = _measure(bed, {"token": token, "direction": direction, "load_s": 12.0})["loaded"]
    if told is None or told["rpm"] is None:
        return Figure(
            name=f"rpm {direction}, 10 Mbit/s {name}", value=100, unit="%", goal=10, note="no figure"
        )
    trip_ms = bed.truth().round_trip_ms(round(told["from_s"] * 1e9), round(told["to_s"] * 1e9))
    truth = 60_000 / trip_ms
    note = (
        f"told {told['rpm']:.0f}, truth {truth:.0f}; RTT told {told['rtt_ms']:.0f} ms, truth {trip_ms:.0f} ms"
    )
    error = 100 * abs(told["rpm"] / truth - 1)
    return Figure(name=f"rpm {direction}, 10 Mbit/s {name}", value=error, unit="%", goal=10, note=note)


def _ours(bed: Bed, token: str, direction: str, streams: int) -> Told:
    before = _moved(bed)
    told = _measure(bed, {"token": token, "direction": direction, "streams": streams})
    return Told(
        mbps=told.get("mbps"),
        low=told.get("low"),
        high=told.get("high"),
        link_bytes=_moved(bed) - before,
        cpu_s=told["cpu_s"],
        doubts=",".join(told["doubts"]),
    )


def _measure(bed: Bed, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(bed.run("school", [*MEASURE, json.dumps(arguments)])))


def _moved(bed: Bed) -> int:
    """Bytes that went into the link, both ways."""
    return sum(counters.in_bytes for counters in bed.link.counters().values())
