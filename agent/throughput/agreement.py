# SPDX-License-Identifier: Apache-2.0
"""Do two methods say the same of a link when one measures soon after the other?

TCP cannot get more out of a link than it carries, and one that gets less than half of it in its steady state
is held up by something that one of the two figures does not show: a rate that holds for seconds only, a
policer too small for TCP's bursts, a reflector that is a little wrong. Then the later figure says
`disagrees`. Rates of radio links change by the hour, so only tests at most a quarter of an hour apart are
compared; of two tests four times a day each at times by hash that is one in twelve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.contract.kinds import Throughput
from agent.probes.base import Finding, Reading
from agent.throughput.validity import doubted
from agent.throughput.verdict import Doubt, Validity

WITHIN_S = 900.0
_MORE, _LESS = 1.05, 0.5
_CAPACITY, _STEADY_TCP = "capacity", "tcp_"


@dataclass(frozen=True, slots=True)
class _Said:
    at_s: float
    fields: Throughput


class Agreement:
    """Keeps the last valid figure of each method, server and direction."""

    def __init__(self) -> None:
        self._said: dict[tuple[str | None, str | None, str | None], _Said] = {}

    def judged(self, reading: Reading, now_s: float) -> Reading:
        """The same findings, doubted where another method has just said something else."""
        return tuple(self._judge(finding, now_s) for finding in reading)

    def _judge(self, finding: Finding, now_s: float) -> Finding:
        fields = finding.fields
        if not isinstance(fields, Throughput) or fields.mbps is None or fields.validity != Validity.VALID:
            return finding
        near = [
            s.fields for s in self._said.values() if now_s - s.at_s <= WITHIN_S and _is_of(s.fields, fields)
        ]
        self._said[fields.method, fields.server, fields.direction] = _Said(now_s, fields)
        return doubted(finding, {Doubt.DISAGREES}) if _contradicts(fields, near) else finding


def _is_of(one: Throughput, other: Throughput) -> bool:
    """Whether both measured the same way."""
    return (one.server, one.direction) == (other.server, other.direction)


def _contradicts(fields: Throughput, others: Iterable[Throughput]) -> bool:
    pairs = [(fields, o) if fields.method == _CAPACITY else (o, fields) for o in others]
    return any(_exclude(c, o) for c, o in pairs if c.method == _CAPACITY and o.method != _CAPACITY)


def _exclude(capacity: Throughput, other: Throughput) -> bool:
    """Whether a link with this capacity cannot have given that figure."""
    most = max(
        known for known in (capacity.mbps_high, capacity.mbps, capacity.burst_mbps) if known is not None
    )
    least = min(known for known in (capacity.mbps_low, capacity.mbps) if known is not None)
    if (other.mbps_low or other.mbps or 0.0) > _MORE * most:
        return True
    is_steady = (other.method or "").startswith(_STEADY_TCP)
    return is_steady and (other.mbps_high or other.mbps or 0.0) < _LESS * least
