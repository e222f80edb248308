# SPDX-License-Identifier: Apache-2.0
"""What does one record say to the rules? Pure; a record that says nothing of a figure gives no sign.

What is promised is asked of the contracts. Figures that no record holds (what the judge computes, what the
authority knows) come as signs too, by `Watchman.feed`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agent.contract.kinds import Host, Portal, Reach, Throughput
from collector.contracts.book import NO_CONTRACTS, Contracts
from collector.moment import TimeBasis
from collector.sinks.base import Measurement
from collector.sla.budget import Budget
from collector.sla.slot import slot_of
from collector.sla.throughput import VALID
from collector.web.state import State, classify

_MB, _GB = 1e6, 1e9
_GOOD_CLOCK_S = 86_400
_RATIOS = {"down": "throughput_ratio", "up": "upload_ratio"}
_NOTHING_ALLOWED = 10.0
"""Of a budget of nothing: spent, by far."""
_PORTALS = frozenset({"portal", "quota"})

FIGURES: dict[str, str] = {
    "down": "1 in a minute without internet, else 0",
    "degraded": "1 in a minute of poor internet, else 0; none without internet",
    "heard": "0 with everything that comes from a device",
    "spool_free_mb": "free space where the device's spool lives, MB",
    "card_failed": "1 while the card takes no writes, else 0",
    "clock_bad": "1 while the device's clock was not known good for a day, else 0",
    "undervoltage": "1 while the supply voltage is too low, else 0",
    "portal": "1 while a portal or a quota page stands before the internet, else 0",
    "data_plan_used_ratio": "share of the month's data plan that crossed the line, by `data_plan_gb`",
    "certificate_left_ratio": "share of its life that is left of a device's newest certificate",
    "throughput_ratio": "a valid test's rate to the school, in service time, by what the contract asks",
    "upload_ratio": "the same from the school",
    "budget_spent_ratio": "downtime of the month so far by what the contract allows for the whole",
}
"""Name, and what it is."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One figure at one moment.

    Attributes:
        figure: one of `FIGURES`, or KIND.FIELD of a record (`own.py`).
        value: a finite number; 1 for bad and 0 for good where it is a yes or no.
        cause: what more is known of a bad one.
        device: whose figure it is; empty where it is the school's.
    """

    figure: str
    school: str
    at_ms: int
    value: float
    cause: str | None = None
    device: str = ""

    def __post_init__(self) -> None:
        """Refuse what compares with nothing."""
        if self.figure not in FIGURES and "." not in self.figure:
            raise ValueError(f"there is no figure {self.figure!r}; there are: {', '.join(FIGURES)}")
        if not math.isfinite(self.value):
            raise ValueError(f"{self.figure} of {self.school}: {self.value} is not a finite number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """What schools were promised.

    Attributes:
        contracts: rates and service times.
        plans_gb: a month's data plan, by the schools' label `contract`.
    """

    contracts: Contracts = NO_CONTRACTS
    plans_gb: Mapping[str, float] = field(default_factory=dict)


NOTHING_PROMISED = Promised()


def signs(measurement: Measurement, promised: Promised = NOTHING_PROMISED) -> Iterator[Sign]:
    """Everything that a record says."""
    fields = measurement.record.fields
    # A clock ahead of ours would make all that comes after it look old.
    school, at_ms = measurement.school.id, min(measurement.at_ms, measurement.received_ms)
    yield Sign("heard", school, measurement.received_ms, 0, device=measurement.device)
    if isinstance(fields, Reach):
        yield from _of_reach(fields, school, at_ms)
    elif isinstance(fields, Host):
        yield from _of_host(fields, measurement, at_ms)
        yield from _of_plan(fields, measurement, at_ms, promised.plans_gb)
    elif isinstance(fields, Throughput):
        is_sound = measurement.record.reason is None and measurement.time_basis is not TimeBasis.UNKNOWN
        yield from _of_test(fields, school, at_ms, promised.contracts) if is_sound else ()
    elif isinstance(fields, Portal) and fields.verdict is not None:
        yield Sign("portal", school, at_ms, float(fields.verdict in _PORTALS), fields.verdict)


def _of_reach(fields: Reach, school: str, at_ms: int) -> Iterator[Sign]:
    state, cause = classify(fields)
    if state is State.UNKNOWN:
        return
    yield Sign("down", school, at_ms, float(state is State.DOWN), cause)
    if state is not State.DOWN:
        yield Sign("degraded", school, at_ms, float(state is State.DEGRADED))


def _of_host(fields: Host, measurement: Measurement, at_ms: int) -> Iterator[Sign]:
    school, device = measurement.school.id, measurement.device
    found = {
        "spool_free_mb": None if fields.disk_free_bytes is None else fields.disk_free_bytes / _MB,
        "card_failed": None if fields.spool_writable is None else not fields.spool_writable,
        "undervoltage": fields.undervoltage,
        "clock_bad": _is_clock_bad(measurement),
    }
    for figure, value in found.items():
        if value is not None:
            yield Sign(figure, school, at_ms, float(value), device=device)


def _is_clock_bad(measurement: Measurement) -> bool:
    age_s = measurement.record.clock.age_s
    return measurement.time_basis is TimeBasis.UNKNOWN or age_s is None or age_s > _GOOD_CLOCK_S


def _of_plan(
    fields: Host, measurement: Measurement, at_ms: int, plans_gb: Mapping[str, float]
) -> Iterator[Sign]:
    plan_gb = plans_gb.get(measurement.school.contract)
    if plan_gb and fields.line_bytes_month is not None:
        used_ratio = fields.line_bytes_month / (plan_gb * _GB)
        yield Sign("data_plan_used_ratio", measurement.school.id, at_ms, used_ratio)


def _of_test(fields: Throughput, school: str, at_ms: int, contracts: Contracts) -> Iterator[Sign]:
    """By the version of the contract that held then; a test outside the service time says nothing."""
    figure, slot = _RATIOS.get(fields.direction), slot_of(at_ms)
    if figure is None or fields.mbps is None or fields.validity != VALID:
        return
    for contract in contracts.of(school):
        promise = contract.at(slot)
        required = promise.required(fields.direction) if promise is not None else None
        if required is not None and required.mbps and contract.service(slot, slot + 1):
            asked_mbps = float(required.mbps * required.target.reach_ratio)
            yield Sign(figure, school, at_ms, fields.mbps / asked_mbps, f"{fields.mbps:.1f} Mbit/s")


def budget_sign(school: str, budget: Budget, at_ms: int) -> Sign:
    """What the judge says of a school's month so far."""
    ratio = budget.spent_ratio
    value = float(ratio) if ratio is not None else (_NOTHING_ALLOWED if budget.spent else 0.0)
    return Sign("budget_spent_ratio", school, at_ms, value, f"{budget.spent} minutes")
