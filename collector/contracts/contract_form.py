# SPDX-License-Identifier: Apache-2.0
"""How do people write a contract down? Each field is a key of its TOML table."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from agent.contract.decoder import DecodeError, nearest
from agent.contract.option import option, required
from collector.contracts.calendar_form import CalendarForm, day_key, refuse_bad_id, refuse_same_day
from collector.sla.allowance import ExclusionRule
from collector.sla.cause import PROVIDER_CAUSES, Cause
from collector.sla.exclusion import ExclusionType
from collector.sla.latency import LatencyTarget
from collector.sla.money import Exchange
from collector.sla.parameters import Parameters
from collector.sla.repair import RepairTarget
from collector.sla.throughput import ThroughputTarget

ANY = "any"
"""The latency targets of technologies that have none of their own."""
_CURRENCY = re.compile(r"[A-Z]{3}")
_HOUR_SLOTS = 60
_TECHNOLOGIES = ("fibre", "microwave", "cellular", "leo", "geo", "unknown")
Technology = Literal["fibre", "microwave", "cellular", "leo", "geo", "unknown"]


def exact(number: Decimal | None) -> Fraction | None:
    """The same number; of nothing, nothing."""
    return None if number is None else Fraction(number)


@dataclass(frozen=True, kw_only=True)
class ThroughputForm:
    """What tests must reach."""

    reach_ratio: Decimal = option(
        "share of the contracted rate that a test must reach", Decimal("0.8"), low=0
    )
    share_ratio: Decimal = option("share of the tests that must do so", Decimal("0.8"), low=0, high=1)
    tests_min: int = option("with fewer valid tests in a month nobody can say", 60, low=1)

    @property
    def target(self) -> ThroughputTarget:
        """The same in exact numbers."""
        return ThroughputTarget(
            reach_ratio=Fraction(self.reach_ratio),
            share_ratio=Fraction(self.share_ratio),
            tests_min=self.tests_min,
        )


@dataclass(frozen=True, kw_only=True)
class LatencyForm:
    """What the percentile of the slots may be at most; what is not there is not promised."""

    idle_rtt_ms: Decimal | None = option("round-trip time with the line idle", None, low=0, example=700)
    loaded_rtt_ms: Decimal | None = option("the same with the line loaded", None, low=0, example=1200)
    idle_loss_ratio: Decimal | None = option(
        "share of echoes lost with the line idle", None, low=0, high=1, example=0.02
    )
    loaded_loss_ratio: Decimal | None = option("the same with the line loaded", None, low=0, high=1)
    quantile_ratio: Decimal = option("which percentile", Decimal("0.95"), low=0.01, high=1)
    slots_min: int = option("with fewer slots in a month nobody can say", 60, low=1)

    @property
    def target(self) -> LatencyTarget:
        """The same in exact numbers."""
        return LatencyTarget(
            idle_rtt_ms=exact(self.idle_rtt_ms),
            loaded_rtt_ms=exact(self.loaded_rtt_ms),
            idle_loss_ratio=exact(self.idle_loss_ratio),
            loaded_loss_ratio=exact(self.loaded_loss_ratio),
            quantile=Fraction(self.quantile_ratio),
            slots_min=self.slots_min,
        )


@dataclass(frozen=True, kw_only=True)
class RepairForm:
    """How long repairs may take."""

    within_hours: Decimal = required("an outage must be over after so many hours", 8, low=0.05)
    share_ratio: Decimal = option("share of the repairs for which that holds", Decimal("0.8"), low=0, high=1)
    clock: Literal["service", "wall"] = option("which hours: those of the calendar, or all", "service")

    @property
    def target(self) -> RepairTarget:
        """The same in slots."""
        return RepairTarget(
            within_slots=int(self.within_hours * _HOUR_SLOTS),
            share_ratio=Fraction(self.share_ratio),
            by_service_clock=self.clock == "service",
        )


@dataclass(frozen=True, kw_only=True)
class ParametersForm:
    """By which figures slots are judged."""

    open_after: int = option("so many bad slots in a row open an outage", 3, low=1, high=60)
    close_after: int = option("so many good ones in a row close it", 3, low=1, high=60)
    degraded_loss_ratio: float = option("a larger share of requests lost is degraded", 0.2, low=0, high=1)
    degraded_rtt_ms: float | None = option("a longer round trip is degraded", None, low=1, example=900)
    dns_degrades: bool = option("whether a slot in which no name was answered is degraded", default=True)
    portal_degrades: bool = option("whether one with a page before the web is", default=True)
    provider_causes: tuple[Cause, ...] = option(
        "what the operator answers for where the gateway lives and every anchor is dead",
        tuple(sorted(PROVIDER_CAUSES)),
    )

    @property
    def parameters(self) -> Parameters:
        """The same for the judge."""
        return Parameters(
            open_after=self.open_after,
            close_after=self.close_after,
            degraded_loss_ratio=self.degraded_loss_ratio,
            degraded_rtt_ms=self.degraded_rtt_ms,
            dns_degrades=self.dns_degrades,
            portal_degrades=self.portal_degrades,
            provider_causes=frozenset(self.provider_causes),
        )


@dataclass(frozen=True, kw_only=True)
class ExclusionForm:
    """What the contract says of one type of exclusion."""

    accepted: bool = option("false: time of this type counts all the same", default=True)
    notice_hours: int | None = option(
        "how long before its begin it must be declared; unset: 72 for planned_maintenance, else 0",
        None,
        low=0,
        example=72,
    )
    refuse_late: bool = option(
        "true: what is declared later takes nothing out; false: it is flagged", default=False
    )
    minutes_max: int | None = option("most that the type takes out of a month", None, low=0, example=480)
    dispute_days: int = option("days after a decision within which it may be disputed", 14, low=0)

    def rule(self, kind: ExclusionType) -> ExclusionRule:
        """The same for one type."""
        usual = 72 if kind is ExclusionType.PLANNED_MAINTENANCE else 0
        return ExclusionRule(
            is_accepted=self.accepted,
            notice_hours=usual if self.notice_hours is None else self.notice_hours,
            refuses_late=self.refuse_late,
            minutes_max=self.minutes_max,
            dispute_days=self.dispute_days,
        )


@dataclass(frozen=True, kw_only=True)
class LotForm:
    """Schools that are promised the same."""

    id: str = required("its name", "lot-1")
    technology: Technology = required(", ".join(_TECHNOLOGIES), "geo")
    schools: tuple[str, ...] = required("ids as registered", ["kz-0001"])
    down_mbps: Decimal | None = option("contracted rate to the school", None, low=0.001, example=20)
    up_mbps: Decimal | None = option("contracted rate from the school", None, low=0.001, example=4)
    monthly_fee: Decimal | None = option("fee of each school for a whole month", None, low=0, example=45000)
    calendar: str | None = option("id of a calendar; unset: the version's", None)
    availability_ratio: Decimal | None = option(
        "share of the service time; unset: the version's", None, low=0, high=1
    )

    def __post_init__(self) -> None:
        """A school is in a lot once."""
        refuse_bad_id(self.id)
        for i, school in enumerate(self.schools):
            if school in self.schools[:i]:
                raise DecodeError(f"schools[{i}]", f"{school!r} is there twice")


@dataclass(frozen=True, kw_only=True)
class VersionForm:
    """All that is promised from one day on."""

    since: dt.date = day_key("the first day it is in force, until the next version's", "2026-09-01")
    availability_ratio: Decimal = required("share of the service time", 0.99, low=0, high=1)
    calendar: str = required("id of a calendar", "two-shifts")
    lot: tuple[LotForm, ...] = required("tables `[[contract.version.lot]]`", None)
    throughput: ThroughputForm = field(default_factory=ThroughputForm, metadata={"doc": "a table"})
    latency: dict[str, LatencyForm] = field(
        default_factory=dict, metadata={"doc": f"one table for each technology, or `{ANY}`"}
    )
    repair: RepairForm | None = option("table `[contract.version.repair]`; unset: nothing is promised", None)
    parameters: ParametersForm = field(default_factory=ParametersForm, metadata={"doc": "a table"})
    exclusion: dict[str, ExclusionForm] = field(
        default_factory=dict, metadata={"doc": "one table for each type"}
    )
    penalty: tuple[dict[str, Any], ...] = option("tables `[[contract.version.penalty]]`", ())
    penalties_combine: Literal["sum", "largest"] = option("all that apply, or only the largest", "sum")
    penalties_cap_fee_ratio: Decimal | None = option(
        "most that they may take of a month's fee together", None, low=0, high=1, example=0.5
    )
    rounding: Decimal = option("smallest amount", Decimal("0.01"), low=0.0001)

    def __post_init__(self) -> None:
        """Refuse words nobody knows, and a school in two lots."""
        _refuse_unknown("latency", self.latency, (*_TECHNOLOGIES, ANY))
        _refuse_unknown("exclusion", self.exclusion, tuple(kind.value for kind in ExclusionType))
        seen: dict[str, str] = {}
        for i, lot in enumerate(self.lot):
            for j, school in enumerate(lot.schools):
                if school in seen:
                    raise DecodeError(f"lot[{i}].schools[{j}]", f"{school!r} is in lot {seen[school]!r} too")
                seen[school] = lot.id

    def latency_of(self, technology: str) -> LatencyForm:
        """What holds for a technology."""
        return self.latency.get(technology) or self.latency.get(ANY) or LatencyForm()


@dataclass(frozen=True, kw_only=True)
class ExchangeForm:
    """A rate of exchange as it was published."""

    currency: str = required("ISO 4217", "USD")
    rate: Decimal = required("one of the contract's currency in this one", 0.0019, low=0)
    day: dt.date = day_key("of which day", "2026-11-02")

    def __post_init__(self) -> None:
        """Three letters."""
        _refuse_currency(self.currency)

    @property
    def exchange(self) -> Exchange:
        """The same for the judge."""
        return Exchange(currency=self.currency, rate=self.rate, day=self.day.isoformat())


@dataclass(frozen=True, kw_only=True)
class ContractForm:
    """What one operator promises to schools."""

    id: str = required("its name in reports", "kz-2026-1")
    operator: str = required("who promises", "op1")
    first: dt.date = day_key("its first day", "2026-09-01")
    last: dt.date = day_key("its last day; it is one of them", "2027-08-31")
    version: tuple[VersionForm, ...] = required("tables `[[contract.version]]`", None)
    currency: str = option("of fees and penalties, ISO 4217", "KZT")
    exchange: ExchangeForm | None = option(
        "table `{ currency, rate, day }`; unset: amounts are in the contract's currency only", None
    )

    def __post_init__(self) -> None:
        """Refuse what leaves open which version holds, or that none does."""
        refuse_bad_id(self.id)
        _refuse_currency(self.currency)
        if not self.operator.strip():
            raise DecodeError("operator", "must not be empty")
        if self.last < self.first:
            raise DecodeError("last", f"{self.last} is before {self.first}")
        days = [v.since for v in self.version]
        refuse_same_day(days)
        if min(days) > self.first:
            raise DecodeError("version", f"none is in force on the first day, {self.first}")
        for i, day in enumerate(days):
            if day > self.last:
                raise DecodeError(f"version[{i}].since", f"{day} is after the contract's last day")


@dataclass(frozen=True, kw_only=True)
class SchoolForm:
    """What contracts need to know of a school beside the registry."""

    id: str = required("as registered", "kz-0001")
    students: int | None = option("how many", None, low=0, example=412)
    counted: dt.date | None = option("when they were counted", None)


@dataclass(frozen=True, kw_only=True)
class ContractsFile:
    """One file."""

    calendar: tuple[CalendarForm, ...] = option("tables `[[calendar]]`", ())
    contract: tuple[ContractForm, ...] = option("tables `[[contract]]`", ())
    school: tuple[SchoolForm, ...] = option("tables `[[school]]`", ())


def _refuse_currency(text: str) -> None:
    if not _CURRENCY.fullmatch(text):
        raise DecodeError("currency", f"{text!r} is not three capital letters (ISO 4217), such as KZT")


def _refuse_unknown(key: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            raise DecodeError(f"{key}.{name}", f"is not one of {', '.join(known)}{nearest(name, known)}")
