# SPDX-License-Identifier: Apache-2.0
"""By what was a month judged: registry, contracts, calendars and exclusions, as they were when it was closed?

The files go into the bundle byte for byte, and are read from there by the same code as anywhere else.
"""

from __future__ import annotations

import hashlib
import json
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

from agent.contract.decoder import decode
from collector.config import RegistryOptions, read_registry, registry_files
from collector.contracts.book import Contracts
from collector.contracts.ledger import read_exclusions
from collector.contracts.options import ContractOptions
from collector.contracts.reader import read_contracts
from collector.errors import ConfigError
from collector.evidence.manifest import canonical
from collector.registry import Registry
from collector.reports.plain import to_plain
from collector.sla.exclusion import Exclusion
from collector.sla.period import Month
from collector.sla.slotset import SlotSet

FOLDER = "configuration"
EXCLUSIONS = "exclusions.jsonl"
REPORT = "report.json"
_REGISTRIES = {1: ("registry.toml",), 2: ("schools.csv", "devices.csv")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportForm:
    """`report.json`: what no other file says.

    Attributes:
        time_zone: of the page, and of the month of schools that have no contract.
    """

    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that people wrote down."""

    zone: zoneinfo.ZoneInfo
    registry: Registry
    contracts: Contracts
    exclusions: tuple[Exclusion, ...]

    def slots_of(self, month: Month, school: str) -> SlotSet:
        """The month by the clock of the school's contract, or of the report."""
        zones = [s.promise.calendar.zone for c in self.contracts.of(school) for s in c.stretches]
        return month.slots(zones[0] if zones else self.zone)

    def of_month(self, month: Month) -> tuple[Exclusion, ...]:
        """Exclusions that touch it, with a day to spare for other clocks than the report's."""
        slots = month.slots(self.zone)
        first, end = slots.spans[0]
        wide = SlotSet.of([(first - 1440, end + 1440)])
        return tuple(e for e in self.exclusions if e.slots & wide)


def copy_configuration(
    target: Path, registry: RegistryOptions, contracts: ContractOptions, time_zone: str
) -> None:
    """Put every file into the bundle.

    Raises:
        ConfigError: one of them cannot be read.
    """
    target.mkdir(parents=True)
    sources = registry_files(registry)
    for source, name in zip(sources, _REGISTRIES[len(sources)], strict=True):
        (target / name).write_bytes(_read(source))
    for number, file in enumerate(contracts.files, start=1):
        (target / f"contracts-{number:03}.toml").write_bytes(_read(Path(file)))
    ledger = Path(contracts.exclusions_file)
    if ledger.exists():
        (target / EXCLUSIONS).write_bytes(_read(ledger))
    (target / REPORT).write_bytes(canonical({"time_zone": time_zone}))


def read_configuration(folder: Path) -> Configuration:
    """What a bundle's files say.

    Raises:
        ConfigError: the first thing that is wrong, with file and place.
    """
    registry = read_registry(_registry_options(folder))
    files = sorted(folder.glob("contracts-*.toml"))
    return Configuration(
        zone=_zone(folder / REPORT),
        registry=registry,
        contracts=read_contracts(files, registry),
        exclusions=read_exclusions(folder / EXCLUSIONS),
    )


def configuration_sha256(folder: Path, configuration: Configuration, month: Month) -> str:
    """Of every file; of the exclusions only those that touch the month, since others are added every day."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.name != EXCLUSIONS):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    digest.update(canonical(to_plain(configuration.of_month(month))))
    return digest.hexdigest()


def _registry_options(folder: Path) -> RegistryOptions:
    if (folder / "registry.toml").exists():
        return RegistryOptions(file=str(folder / "registry.toml"))
    return RegistryOptions(schools_file=str(folder / "schools.csv"), devices_file=str(folder / "devices.csv"))


def zone(name: str) -> zoneinfo.ZoneInfo:
    """A time zone.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as e:
        raise ValueError(f"{name!r} is not an IANA time zone such as 'Asia/Almaty'") from e


def _zone(file: Path) -> zoneinfo.ZoneInfo:
    try:
        return zone(decode(ReportForm, json.loads(_read(file)), strict=True).time_zone)
    except (ValueError, RecursionError) as e:
        raise ConfigError(str(file), str(e)) from e


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise ConfigError(str(file), f"cannot be read: {e.strerror}") from e
