# SPDX-License-Identifier: Apache-2.0
"""How far is the emulated link from what it was told to be?

UDP trains through the whole bed, stamped by the kernel at both hosts (`tests.linkbed.train`); what the link
program says of itself is not used. The delay error holds the way through the namespaces, some 30 µs of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from tests.bench.accuracy import as_table, write_part
from tests.bench.figure import Figure
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Link
from tests.linkbed.train import Passage, Train, rate_bps, served_ns
from tests.linkbed.truth import WayName

RATES_MBPS = (0.5, 2.0, 10.0, 50.0, 200.0)
_RTT_MS = 20.0
_FULL_BYTES = 1500
_NO_BOUND_BYTES = 1 << 30
_US = 1000.0
_WAYS: tuple[WayName, ...] = ("up", "down")


def measure() -> list[Figure]:
    """Every rate in both directions, then loss, burst and policer."""
    with Bed(serves=False) as bed:
        figures = [figure for mbps in RATES_MBPS for figure in _at_rate(bed, mbps * 1e6)]
        figures += [_bucket(bed), _policer(bed), _loss(bed), _bursty_loss(bed)]
        counted = bed.truth()
    lost = sum(not way.is_balanced for way in (counted.up, counted.down))
    figures.append(Figure(name="directions with packets unaccounted for", value=lost, unit="", goal=0))
    write_part("linkbed", as_table(figures))
    return figures


def _at_rate(bed: Bed, bps: float) -> list[Figure]:
    bed.apply(Link(rate_bps=bps, rtt_ms=_RTT_MS, queue_bytes=_NO_BOUND_BYTES))
    name = f"at {bps / 1e6:g} Mbit/s"
    rates = [abs(_rate_error(bed, bps, way)) for way in _WAYS]
    idle = [error for way in _WAYS for error in _idle_errors_us(bed, bps, way)]
    loaded = [error for way in _WAYS for error in _loaded_errors_us(bed, bps, way)]
    return [
        Figure(name=f"rate error {name}", value=100 * max(rates), unit="%", goal=0.5, note="worse direction"),
        *_percentiles(f"delay error {name}, idle", idle),
        *_percentiles(f"delay error {name}, 90 % load", loaded),
    ]


def _rate_error(bed: Bed, bps: float, way: WayName) -> float:
    """Over a train that comes in a third faster than the link serves."""
    seconds = 2.0 if bps < 2e6 else 0.6
    count = math.ceil(seconds * bps / 8 / _FULL_BYTES)
    passages = Train(count=count, every_s=_FULL_BYTES * 8 / bps / 1.3, way=way).send(bed)
    return rate_bps(passages, length_bytes=_FULL_BYTES) / bps - 1


def _idle_errors_us(bed: Bed, bps: float, way: WayName) -> list[float]:
    small_bytes = 100
    passages = Train(count=200, length_bytes=small_bytes, every_s=0.005, way=way).send(bed)
    truth_ns = _RTT_MS / 2 * 1e6 + small_bytes * 8e9 / bps
    return [(passage.delay_ns - truth_ns) / _US for passage in passages]


def _loaded_errors_us(bed: Bed, bps: float, way: WayName) -> list[float]:
    """Against an ideal queue, computed anew from the sender's stamps."""
    count = max(100, min(3000, math.ceil(0.5 * bps / 8 / _FULL_BYTES)))
    passages = Train(count=count, every_s=_FULL_BYTES * 8 / bps / 0.9, way=way).send(bed)
    served = served_ns(passages, length_bytes=_FULL_BYTES, rate_bps=bps)
    return [
        (passage.received_ns - end_ns - _RTT_MS / 2 * 1e6) / _US
        for passage, end_ns in zip(sorted(passages, key=_seq), served, strict=True)
    ]


def _percentiles(name: str, errors_us: Sequence[float]) -> list[Figure]:
    ordered = sorted(abs(error) for error in errors_us)
    return [
        Figure(name=f"{name}, {label}", value=ordered[math.ceil(q * len(ordered)) - 1], unit="µs", goal=200)
        for label, q in (("p50", 0.5), ("p99", 0.99))
    ]


def _bucket(bed: Bed) -> Figure:
    """Bytes that came out at once after a rest."""
    bed.apply(Link(rate_bps=2e6, burst_bytes=64_000, queue_bytes=_NO_BOUND_BYTES))
    passages = Train(count=80).send(bed)
    # One packet takes 6 ms at the rate: those that followed within a third of that went through the bucket.
    gaps_ns = [b.received_ns - a.received_ns for a, b in itertools.pairwise(passages)]
    at_once = 1 + next(i for i, gap_ns in enumerate(gaps_ns) if gap_ns > 2_000_000)
    error = abs(at_once * _FULL_BYTES - 64_000) / _FULL_BYTES
    return Figure(name="burst of 64 kB at 2 Mbit/s, error", value=error, unit="packets", goal=1)


def _policer(bed: Bed) -> Figure:
    """A train four times too fast for 1 s: bucket and rate are what passes."""
    bps, bucket_bytes = 10e6, 30_000
    bed.apply(Link(rate_bps=bps, burst_bytes=bucket_bytes, policed=True))
    passages = Train(count=3333, every_s=0.0003).send(bed)
    lasted_s = (passages[-1].sent_ns - passages[0].sent_ns) / 1e9
    truth = (bucket_bytes + lasted_s * bps / 8) / _FULL_BYTES
    return Figure(
        name="policed 10 Mbit/s, packets passed, error", value=100 * abs(len(passages) / truth - 1), unit="%"
    )


def _loss(bed: Bed) -> Figure:
    return _loss_error(bed, Link(loss_ratio=0.03), 0.03, "random loss of 3 %")


def _bursty_loss(bed: Bed) -> Figure:
    burst = Burst(to_bad_ratio=0.01, to_good_ratio=0.25)
    return _loss_error(bed, Link(burst_loss=burst), burst.mean_loss_ratio, "bursty loss of 3.8 %")


def _loss_error(bed: Bed, link: Link, ratio: float, name: str) -> Figure:
    """Arrivals against the bed's own count, which must agree to the packet."""
    bed.apply(link)
    count, before = 20_000, bed.truth().up.lost
    arrived = len(Train(count=count, length_bytes=100).send(bed))
    lost = bed.truth().up.lost - before
    note = f"{lost} of {count} lost by its own count, {lost / count:.2%}; {ratio:.2%} set"
    return Figure(
        name=f"{name}, packets miscounted", value=abs(count - arrived - lost), unit="", goal=0, note=note
    )


def _seq(passage: Passage) -> int:
    return passage.seq
