# SPDX-License-Identifier: Apache-2.0
"""Do two methods say the same of a link?

TCP cannot get more out of a link than it carries, and one that gets less than half of it in its steady state
is held up by something that one of the two figures does not show: UDP that is held back, a rate that holds
for seconds only, a policer too small for TCP's bursts, a reflector that is a little wrong. Then the later
figure says `disagrees`. Rates of radio links change by the hour, so single tests are compared when they are
at most a quarter of an hour apart; of two tests four times a day each at times by hash that is one in twelve.
What is so of the last three tests of each method, within two days, is no matter of the hour: each of one
method's figures contradicts each of the other's, which by chance alone is so once in twenty times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.contract.kinds import Throughput
from agent.probes.base import Finding, Reading
from agent.throughput.validity import doubted
from agent.throughput.verdict import Doubt, Validity

WITHIN_S = 900.0
OFTEN, OFTEN_WITHIN_S = 3, 172_800.0
_MORE, _LESS = 1.05, 0.5
_CAPACITY, _STEADY_TCP = "capacity", "tcp_"


@dataclass(frozen=True, slots=True)
class _Said:
    at_s: float
    fields: Throughput


@dataclass(frozen=True, slots=True)
class _Range:
    """Where figures of one method lie, all of them."""

    low: float
    high: float


class Agreement:
    """Keeps the last valid figures of each method, server and direction."""

    def __init__(self) -> None:
        self._said: dict[tuple[str | None, str | None, str | None], tuple[_Said, ...]] = {}

    def judged(self, reading: Reading, now_s: float) -> Reading:
        """The same findings, doubted where another method has said something else."""
        return tuple(self._judge(finding, now_s) for finding in reading)

    def _judge(self, finding: Finding, now_s: float) -> Finding:
        fields = finding.fields
        if not isinstance(fields, Throughput) or fields.mbps is None or fields.validity != Validity.VALID:
            return finding
        key = fields.method, fields.server, fields.direction
        said = self._said[key] = (*self._said.get(key, ()), _Said(now_s, fields))[-OFTEN:]
        others = [s for k, s in self._said.items() if k != key and k[1:] == key[1:]]
        is_other = any(_contradict(said, other, now_s) for other in others)
        return doubted(finding, {Doubt.DISAGREES}) if is_other else finding


def _contradict(latest: Sequence[_Said], other: Sequence[_Said], now_s: float) -> bool:
    if now_s - other[-1].at_s <= WITHIN_S and _exclude(latest[-1:], other[-1:]):
        return True
    if min(len(latest), len(other)) < OFTEN or now_s - min(latest[0].at_s, other[0].at_s) > OFTEN_WITHIN_S:
        return False
    return _exclude(latest, other)


def _exclude(one: Iterable[_Said], other: Iterable[_Said]) -> bool:
    """Whether a link with these capacities cannot have given the other figures."""
    told = [[s.fields for s in said] for said in (one, other)]
    by_method = sorted(told, key=lambda fields: fields[0].method != _CAPACITY)
    if [fields[0].method == _CAPACITY for fields in by_method] != [True, False]:
        return False
    capacity, got = map(_range, by_method)
    is_steady = (by_method[1][0].method or "").startswith(_STEADY_TCP)
    return got.low > _MORE * capacity.high or (is_steady and got.high < _LESS * capacity.low)


def _range(told: Sequence[Throughput]) -> _Range:
    """What burst through counts as carried."""
    known = [[f.mbps, f.mbps_low, f.mbps_high, f.burst_mbps] for f in told]
    return _Range(
        low=min(mbps for each in known for mbps in each[:2] if mbps is not None),
        high=max(mbps for each in known for mbps in each if mbps is not None),
    )
