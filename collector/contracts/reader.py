# SPDX-License-Identifier: Apache-2.0
"""What do the files of contracts say, and what is wrong with what they say?"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from agent.contract.decoder import DecodeError, decode, nearest
from collector.contracts.book import Contracts
from collector.contracts.calendars import Calendars
from collector.contracts.contract_form import (
    ContractForm,
    ContractsFile,
    LotForm,
    SchoolForm,
    VersionForm,
    exact,
)
from collector.errors import ConfigError
from collector.registry import Registry, School
from collector.sla.assessment import PENALTIES, Combination
from collector.sla.exclusion import ExclusionType
from collector.sla.localtime import days
from collector.sla.penalty import Rule
from collector.sla.promise import Promise, SchoolContract, Stretch
from collector.tables import load_toml

_ONE_DAY = dt.timedelta(days=1)
_FILE_TABLES = ("calendar", "school", "contract")


def read_contracts(files: Iterable[Path], registry: Registry) -> Contracts:
    """Everything that is promised to the schools of a registry.

    Raises:
        ConfigError: the first thing that is wrong, with file and key.
    """
    written = [(file, _decoded(file)) for file in files]
    reading = _Reading({s.id: s for s in registry.schools()})
    for table in _FILE_TABLES:  # a contract may name what stands in another file
        for file, forms in written:
            for i, form in enumerate(getattr(forms, table)):
                with _named(file, f"{table}[{i}]"):
                    getattr(reading, f"take_{table}")(form, f"{file}: {table}[{i}]")
    return reading.contracts()


def _decoded(file: Path) -> ContractsFile:
    with _named(file):
        return decode(ContractsFile, load_toml(file, Decimal), strict=True)


@contextlib.contextmanager
def _named(file: Path, path: str = "") -> Iterator[None]:
    """Name file and place in what the decoder says."""
    try:
        yield
    except DecodeError as e:
        where = ".".join(filter(None, (path, e.path)))
        raise ConfigError(f"{file}: {where}" if where else str(file), e.problem) from e


@contextlib.contextmanager
def _within(path: str) -> Iterator[None]:
    """Put a place before what the decoder says."""
    try:
        yield
    except DecodeError as e:
        raise DecodeError(".".join(filter(None, (path, e.path))), e.problem) from e


@dataclass
class _Reading:
    """What has been read so far."""

    registered: dict[str, School]
    calendars: Calendars = field(default_factory=Calendars)
    schools: dict[str, SchoolForm] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    found: dict[str, list[SchoolContract]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def contracts(self) -> Contracts:
        """All of it."""
        return Contracts(
            by_school={school: tuple(found) for school, found in self.found.items()},
            contracts=tuple(self.places),
            calendars=self.calendars.names(),
            warnings=(*self.calendars.warnings(), *self.warnings),
        )

    def take_calendar(self, form: Any, _where: str) -> None:
        """One calendar, with the schools it makes exceptions for."""
        self.calendars.add(form)
        for i, override in enumerate(form.override):
            for j, school in enumerate(override.schools):
                self._refuse_unregistered(f"override[{i}].schools[{j}]", school)

    def take_school(self, form: SchoolForm, _where: str) -> None:
        """What is known of a school beside the registry."""
        self._refuse_unregistered("id", form.id)
        if form.id in self.schools:
            raise DecodeError("id", f"there is another school {form.id!r}")
        self.schools[form.id] = form

    def take_contract(self, form: ContractForm, where: str) -> None:
        """One contract, for every school it names."""
        if form.id in self.places:
            raise DecodeError("id", f"there is another contract {form.id!r} ({self.places[form.id]})")
        self.places[form.id] = where
        stretches: dict[str, list[Stretch]] = {}
        for i, version in enumerate(form.version):
            with _within(f"version[{i}]"):
                for school, stretch in self._of_version(form, version):
                    stretches.setdefault(school, []).append(stretch)
        for school, its in stretches.items():
            self._add(self._concluded(form, school, its))
        if not stretches:
            self.warnings.append(f"contract {form.id!r} promises no school anything")

    def _of_version(self, form: ContractForm, version: VersionForm) -> Iterator[tuple[str, Stretch]]:
        """What each school is promised while a version holds."""
        rules = _rules(version)
        later = [v.since for v in form.version if v.since > version.since]
        first, last = max(version.since, form.first), min((d - _ONE_DAY for d in later), default=form.last)
        for i, lot in enumerate(version.lot):
            with _within(f"lot[{i}]"):
                for j, school in enumerate(lot.schools):
                    self._refuse_unregistered(f"schools[{j}]", school)
                    promise = self._promise(form, version, lot, rules, school)
                    for begin, end in days(first, min(last, form.last), promise.calendar.zone).spans:
                        yield school, Stretch(first=begin, end=end, promise=promise)

    def _promise(
        self, form: ContractForm, version: VersionForm, lot: LotForm, rules: tuple[Rule, ...], school: str
    ) -> Promise:
        return Promise(
            since=version.since,
            operator=form.operator,
            technology=lot.technology,
            lot=lot.id,
            calendar=self.calendars.of(lot.calendar or version.calendar, school),
            availability=Fraction(
                version.availability_ratio if lot.availability_ratio is None else lot.availability_ratio
            ),
            down_mbps=exact(lot.down_mbps),
            up_mbps=exact(lot.up_mbps),
            throughput=version.throughput.target,
            latency=version.latency_of(lot.technology).target,
            repair=None if version.repair is None else version.repair.target,
            exclusions={ExclusionType(k): e.rule(ExclusionType(k)) for k, e in version.exclusion.items()},
            penalties=rules,
            combination=Combination(
                combine=version.penalties_combine,
                cap_fee_ratio=version.penalties_cap_fee_ratio,
                rounding=version.rounding,
            ),
            monthly_fee=lot.monthly_fee,
            parameters=version.parameters.parameters,
        )

    def _concluded(self, form: ContractForm, school: str, stretches: list[Stretch]) -> SchoolContract:
        known, written = self.registered[school], self.schools.get(school)
        if known.operator and known.operator != form.operator:
            self.warnings.append(
                f"contract {form.id!r}: school {school!r} is registered with operator {known.operator!r}, "
                f"not {form.operator!r}"
            )
        return SchoolContract(
            contract=form.id,
            school=school,
            currency=form.currency,
            stretches=tuple(sorted(stretches, key=lambda s: s.first)),
            region=known.region,
            students=None if written is None else written.students,
            exchange=None if form.exchange is None else form.exchange.exchange,
        )

    def _add(self, new: SchoolContract) -> None:
        others = self.found.setdefault(new.school, [])
        for other in others:
            for ours in new.stretches:
                if any(True for _ in other.within(ours.first, ours.end)):
                    raise DecodeError(
                        "",
                        f"school {new.school!r} is in contract {other.contract!r} at the same time "
                        f"({self.places[other.contract]}); end one before the other begins",
                    )
        others.append(new)

    def _refuse_unregistered(self, path: str, school: str) -> None:
        if school not in self.registered:
            hint = nearest(school, self.registered)
            raise DecodeError(path, f"school {school!r} is not in the registry{hint}")


def _rules(version: VersionForm) -> tuple[Rule, ...]:
    """The penalties, each by its kind.

    Raises:
        DecodeError: unknown kind, a table that does not fit, or one name twice.
    """
    made: dict[str, Rule] = {}
    for i, table in enumerate(version.penalty):
        with _within(f"penalty[{i}]"):
            kind = table.get("kind")
            if kind not in PENALTIES:
                known = ", ".join(PENALTIES)
                raise DecodeError("kind", f"{kind!r} is not one of {known}{nearest(str(kind), PENALTIES)}")
            plain = {key: value for key, value in table.items() if key != "kind"}
            rule = decode(PENALTIES[kind], plain, strict=True)
            if rule.id in made:
                raise DecodeError("id", f"there is another penalty {rule.id!r}")
            made[rule.id] = rule
    return tuple(made.values())
