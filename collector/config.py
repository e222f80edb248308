# SPDX-License-Identifier: Apache-2.0
"""What was the collector told to do? Reads collector.toml, the registry and secrets; touches no network."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.contract.decoder import DecodeError, decode, nearest
from agent.contract.option import option
from collector.admission import MAX_MESSAGE_BYTES
from collector.alerts.dispatch import read_hooks
from collector.alerts.expiry import certificate_signs
from collector.alerts.options import AlertOptions, HookOptions
from collector.alerts.own import all_rules
from collector.alerts.sign import Sign
from collector.alerts.spending import budget_signs
from collector.alerts.watchman import Watchman
from collector.authority.authority import Authority
from collector.authority.errors import AuthorityProblem
from collector.authority.options import AuthorityOptions
from collector.broker import Broker, MqttOptions, read_broker
from collector.contracts.book import NO_CONTRACTS, Contracts
from collector.contracts.ledger import read_exclusions
from collector.contracts.options import ContractOptions
from collector.contracts.reader import read_contracts
from collector.deadletters import KEPT_DAYS, MAX_BYTES_PER_DAY
from collector.enrolment import load_csv_registry, load_registry
from collector.errors import ConfigError
from collector.journal import SEGMENT_BYTES
from collector.judge.reader import VerdictReader
from collector.registry import Registry
from collector.reports.options import ReportOptions
from collector.sinks import SINKS, sink_class
from collector.sinks.base import IsBound, Sink
from collector.tables import load_toml
from collector.web.options import WebOptions

DEFAULT_FILE = Path("/etc/schoolpulse/collector.toml")
DEFAULT_REGISTRY = "/etc/schoolpulse/registry.toml"
_ALWAYS = ("store",)
"""Sinks that are there without a table of their own."""


@dataclass(frozen=True, kw_only=True)
class JournalOptions:
    """The table `[journal]`: the evidence, from which everything else can be built again."""

    directory: str = option(
        "folder of its own, on a disk that keeps promises", "/var/lib/schoolpulse/journal"
    )
    segment_bytes: int = option("size at which a new file begins", SEGMENT_BYTES, low=4096, high=2**31)
    max_message_bytes: int = option(
        "larger messages are refused; agents send up to 60 kB",
        MAX_MESSAGE_BYTES,
        low=65536,
        high=4 * 1024 * 1024,
    )
    archive_directory: str | None = option(
        "folder for compressed segments that keep_days or keep_bytes retire; read as if still in the journal",
        None,
        example="/var/lib/schoolpulse/archive",
    )
    keep_days: int = option("segments older than this go to the archive; 0 for never", 0, low=0)
    keep_bytes: int = option("so do the oldest of a journal larger than this; 0 for any size", 0, low=0)
    min_free_bytes: int = option(
        "with less space left on its disk agents are asked to slow down", 2**30, low=0
    )
    checkpoint_key_file: str | None = option(
        "Ed25519 key (PEM) that signs the daily checkpoints; unset: checkpoint.key in the journal's folder, "
        "made at the first start; better kept elsewhere",
        None,
        example="/etc/schoolpulse/checkpoint.key",
    )

    def __post_init__(self) -> None:
        _refuse_empty(self, "directory")
        if self.archive_directory == self.directory:
            raise ValueError("archive_directory is the journal's; it needs one of its own")
        if (self.keep_days or self.keep_bytes) and self.archive_directory is None:
            raise ValueError("keep_days and keep_bytes need an archive_directory: nothing is thrown away")

    @property
    def archive(self) -> Path | None:
        """Where closed segments go."""
        return None if self.archive_directory is None else Path(self.archive_directory)

    @property
    def checkpoint_key(self) -> Path:
        """Where the key of the checkpoints is."""
        return Path(self.checkpoint_key_file or f"{self.directory}/checkpoint.key")


@dataclass(frozen=True, kw_only=True)
class RegistryOptions:
    """The table `[registry]`: schools and devices, in one TOML file or two CSV files."""

    file: str | None = option(f"TOML file; unset, and no CSV files either: {DEFAULT_REGISTRY}", None)
    schools_file: str | None = option("CSV file with the columns of `[[school]]`", None)
    devices_file: str | None = option("CSV file with the columns of `[[device]]`", None)

    def __post_init__(self) -> None:
        _refuse_empty(self, "file", "schools_file", "devices_file")
        if (self.schools_file is None) != (self.devices_file is None):
            raise ValueError("schools_file and devices_file go together: set both or neither")
        if self.file is not None and self.schools_file is not None:
            raise ValueError("file and schools_file exclude each other")


@dataclass(frozen=True, kw_only=True)
class DeadLetterOptions:
    """The table `[dead_letters]`: what was refused, and why."""

    directory: str = option("folder of one file per day", "/var/lib/schoolpulse/dead-letters")
    max_bytes_per_day: int = option("what is over it is only counted", MAX_BYTES_PER_DAY, low=4096)
    kept_days: int = option("how many days' files are kept; the oldest go", KEPT_DAYS, low=1, high=3650)

    def __post_init__(self) -> None:
        _refuse_empty(self, "directory")


@dataclass(frozen=True, kw_only=True)
class CollectorOptions:
    """The whole of collector.toml; the tables of the sinks are those of `collector.sinks.SINKS`."""

    mqtt: MqttOptions = field(default_factory=MqttOptions, metadata={"doc": "the broker"})
    registry: RegistryOptions = field(default_factory=RegistryOptions, metadata={"doc": "who is where"})
    journal: JournalOptions = field(default_factory=JournalOptions, metadata={"doc": "the evidence"})
    dead_letters: DeadLetterOptions = field(
        default_factory=DeadLetterOptions, metadata={"doc": "what was refused"}
    )
    authority: AuthorityOptions = field(default_factory=AuthorityOptions, metadata={"doc": "who is who"})
    web: WebOptions = field(default_factory=WebOptions, metadata={"doc": "the page"})
    contracts: ContractOptions = field(default_factory=ContractOptions, metadata={"doc": "what is promised"})
    reports: ReportOptions = field(default_factory=ReportOptions, metadata={"doc": "closed months"})
    alerts: AlertOptions = field(default_factory=AlertOptions, metadata={"doc": "who is told what"})
    hooks: dict[str, Any] = field(default_factory=dict, metadata={"doc": "one table per hook, by a name"})
    sinks: dict[str, Any] = field(default_factory=dict, metadata={"doc": "one table per sink"})

    def __post_init__(self) -> None:
        if self.journal.directory == self.dead_letters.directory:
            raise DecodeError("dead_letters.directory", "is the journal's; it needs one of its own")
        if self.authority.directory is None and self.authority.signatures == "required":
            raise DecodeError("authority.signatures", "needs authority.directory")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything resolved.

    Attributes:
        sinks: options of the sinks that are enabled, by kind.
        hooks: options of every hook, by name.
        contracts: what the schools of the registry are promised.
    """

    file: Path
    options: CollectorOptions
    broker: Broker
    registry: Registry
    sinks: Mapping[str, Any]
    hooks: Mapping[str, HookOptions] = field(default_factory=dict)
    contracts: Contracts = NO_CONTRACTS

    @property
    def watches(self) -> bool:
        """Whether alerts are made."""
        return self.options.alerts.enabled or bool(self.hooks)

    def make_watchman(self) -> Watchman:
        """Who makes the alerts.

        Raises:
            ConfigError: a hook's secret cannot be read, or the folder cannot be used.
        """
        options = self.options.alerts
        try:
            with _explained(self.file):
                return Watchman(
                    options,
                    self.hooks,
                    self.registry,
                    contracts=self.contracts,
                    hourly=(self._certificate_signs, self._budget_signs),
                )
        except (OSError, sqlite3.Error) as e:
            problem = f"{options.directory} cannot be used: {e}"
            raise ConfigError(f"{self.file}: alerts.directory", problem) from e

    def _certificate_signs(self, now_ms: int) -> list[Sign]:
        """How much is left of the devices' certificates; none where there is no authority."""
        authority = self.open_authority()
        if authority is None:
            return []
        with contextlib.closing(authority):
            return certificate_signs(authority.lives(), self.registry, now_ms)

    def _budget_signs(self, now_ms: int) -> list[Sign]:
        """How much of their downtime the schools have spent; none where nothing is judged or promised."""
        judge = self.sinks.get("judge")
        if judge is None or not self.contracts.by_school:
            return []
        exclusions = read_exclusions(Path(self.options.contracts.exclusions_file))
        with VerdictReader(Path(judge.path)).book() as book:
            return list(budget_signs(self.contracts, exclusions, book, now_ms))

    def make_sink(self, kind: str) -> Sink:
        """One of the enabled sinks; makes no connection.

        Raises:
            ConfigError: its secret cannot be read.
        """
        with _explained(self.file, f"sinks.{kind}"):
            sink: Sink = sink_class(kind)(self.sinks[kind])
            if isinstance(sink, IsBound):
                sink.be_bound_by(self.contracts)
            return sink

    def open_authority(self) -> Authority | None:
        """The authority, None where none is configured; whoever asks closes it.

        Raises:
            ConfigError: its folder cannot be used.
        """
        options = self.options.authority
        if options.directory is None:
            return None
        try:
            return Authority(Path(options.directory), options)
        except AuthorityProblem as e:
            raise ConfigError(f"{self.file}: authority.directory", str(e)) from e


def load_config(
    file: Path, environment: Mapping[str, str] = os.environ, *, with_broker: bool = True
) -> Config:
    """Read and resolve everything.

    Args:
        file: collector.toml.
        environment: where `$CREDENTIALS_DIRECTORY` is looked up.
        with_broker: False leaves certificates alone, which `enrol init` has yet to make.

    Raises:
        ConfigError: what is wrong, with file and key path.
    """
    plain = load_toml(file)
    with _explained(file):
        options = decode(CollectorOptions, plain, strict=True)
        sinks = _sink_options(options.sinks)
        if options.web.enabled and "store" not in sinks:
            raise DecodeError("web.enabled", "the page reads [sinks.store]: enable it, or set this to false")
        hooks = read_hooks(options.hooks)
        all_rules(options.alerts.rules)
        broker = read_broker(options.mqtt, environment) if with_broker else Broker(options=options.mqtt)
    registry = read_registry(options.registry)
    return Config(
        file=file,
        options=options,
        broker=broker,
        registry=registry,
        sinks=sinks,
        hooks=hooks,
        contracts=read_contracts(map(Path, options.contracts.files), registry),
    )


def _sink_options(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Options of every sink that is enabled.

    Raises:
        DecodeError: unknown sink, or a table that does not fit.
    """
    for kind in tables:
        if kind not in SINKS:
            raise DecodeError(f"sinks.{kind}", "unknown sink" + nearest(kind, SINKS))
    named = [kind for kind in SINKS if kind in tables or kind in _ALWAYS]
    made = {
        kind: decode(sink_class(kind).OPTIONS, tables.get(kind, {}), strict=True, path=f"sinks.{kind}")
        for kind in named
    }
    return {kind: options for kind, options in made.items() if options.enabled}


def registry_files(options: RegistryOptions) -> tuple[Path, ...]:
    """Where schools and devices are written down."""
    if options.schools_file is not None and options.devices_file is not None:
        return Path(options.schools_file), Path(options.devices_file)
    return (Path(options.file or DEFAULT_REGISTRY),)


def read_registry(options: RegistryOptions) -> Registry:
    """What is written there.

    Raises:
        ConfigError: what is wrong, with file and place.
    """
    if options.schools_file is not None and options.devices_file is not None:
        return load_csv_registry(Path(options.schools_file), Path(options.devices_file))
    return load_registry(Path(options.file or DEFAULT_REGISTRY))


def _refuse_empty(options: object, *names: str) -> None:
    """An empty path is the folder the program happens to be in."""
    for name in names:
        if getattr(options, name) == "":
            raise DecodeError(name, "must not be empty")


@contextlib.contextmanager
def _explained(file: Path, path: str = "") -> Iterator[None]:
    """Name the file in whatever the decoder says."""
    try:
        yield
    except DecodeError as e:
        where = ".".join(filter(None, (path, e.path)))
        raise ConfigError(f"{file}: {where}" if where else str(file), e.problem) from e
