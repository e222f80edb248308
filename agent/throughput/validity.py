# SPDX-License-Identifier: Apache-2.0
"""Can this figure be, whatever its method says of itself? The last look at each result of a test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.probes.base import Finding, Reading
from agent.throughput.verdict import Doubt, Validity, judge

_SLACK_RATIO, _SLACK_BYTES = 0.06, 100_000
"""Segments that the interface cuts for the kernel (TSO) are counted with one header for all of them."""

_MOST_MBPS = 100_000
_LEAST_BYTES_PER_MBPS = 25
"""No rate is known from less than 0.2 ms of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What was seen from before the test until after it.

    Attributes:
        line_bytes: that crossed the interface, both ways; None when not known.
        was_busy: others used the line right before and would not stop.
        was_throttled: the firmware slowed the processor at any time.
    """

    line_bytes: int | None = None
    was_busy: bool = False
    was_throttled: bool = False


def settle(reading: Reading, around: Around) -> Reading:
    """The same findings, with what else is to be doubted; what cannot be loses its figure."""
    claimed = sum(f.fields.bytes or 0 for f in reading if isinstance(f.fields, Throughput))
    doubts = {Doubt.CROSS_TRAFFIC} if around.was_busy else set()
    doubts |= {Doubt.THROTTLED} if around.was_throttled else set()
    if around.line_bytes is not None and claimed > around.line_bytes * (1 + _SLACK_RATIO) + _SLACK_BYTES:
        doubts.add(Doubt.IMPLAUSIBLE)
    return tuple(doubted(finding, doubts) for finding in reading)


def moved_bytes(reading: Sequence[Finding]) -> int | None:
    """What the findings say they moved; None when one does not say, or nothing that can be."""
    counts = [f.fields.bytes for f in reading if isinstance(f.fields, Throughput)]
    known = [n for n in counts if n is not None and n >= 0]
    return sum(known) if counts and len(known) == len(counts) else None


def doubted(finding: Finding, doubts: set[Doubt]) -> Finding:
    """The same finding with these doubts as well; a figure that cannot be is taken away."""
    fields = finding.fields
    if not isinstance(fields, Throughput) or fields.mbps is None:
        return finding
    found = doubts | ({Doubt.IMPLAUSIBLE} if _is_absurd(fields) else set())
    said = fields.reasons.split(",") if fields.reasons else []
    known = {doubt for doubt in Doubt if doubt in said}
    if found <= known:
        return finding
    validity, reasons = judge({*known, *found})
    judged = replace(fields, validity=validity, reasons=reasons)
    if validity is not Validity.INVALID:
        return replace(finding, fields=judged)
    bare = replace(judged, mbps=None, mbps_low=None, mbps_high=None, burst_mbps=None, burst_bytes=None)
    return Finding(bare, Reason.UNTRUE, _detail(fields))


def _is_absurd(fields: Throughput) -> bool:
    """Whether no link and no interface could have given these figures."""
    mbps = fields.mbps
    if mbps is None:
        return False
    low, high, moved = fields.mbps_low, fields.mbps_high, fields.bytes
    return (
        not all(math.isfinite(rate) for rate in (mbps, low, high) if rate is not None)
        or not 0 < mbps <= _MOST_MBPS
        or (moved is not None and moved < mbps * _LEAST_BYTES_PER_MBPS)
        or (fields.nic_mbps is not None and mbps > fields.nic_mbps)
        or (low is not None and low > mbps)
        or (high is not None and high < mbps)
    )


def _detail(fields: Throughput) -> str:
    speed = "" if fields.nic_mbps is None else f" over an interface of {fields.nic_mbps} Mbit/s"
    return f"{fields.mbps} Mbit/s from {fields.bytes} bytes{speed} cannot be"
