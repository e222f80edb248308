# SPDX-License-Identifier: Apache-2.0
"""What was the agent told to do? The only reader of agent.toml, of secrets and of the environment."""

from __future__ import annotations

import dataclasses
import os
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.contract.broker import BrokerOptions, make_tls, read_password
from agent.contract.codec import Form
from agent.contract.decoder import DecodeError, decode, nearest
from agent.contract.option import option
from agent.contract.record import DEVICE
from agent.errors import ConfigError
from agent.identity import folder
from agent.outage.options import OutageOptions
from agent.plan.options import PlanOptions
from agent.probes import PROBES, load
from agent.probes.base import Probe
from agent.spool.room import LEAST_FILES

_REPORTS_PER_ACK = 6

Technology = Literal["unknown", "fibre", "microwave", "cellular", "leo", "geo"]
TIMEOUTS_S: Mapping[Technology, float] = {
    "fibre": 2.0,
    "microwave": 2.0,
    "leo": 3.0,
    "cellular": 4.0,
    "geo": 5.0,
}
"""An answer that takes longer is late. Ample for each: a full queue on the way is no loss."""

_TIMED = ("reach", "latency")


@dataclass(frozen=True, kw_only=True)
class MqttOptions(BrokerOptions):
    """The table `[mqtt]`: the broker and how to report to it."""

    port: int = option("its port; 8883 is usual with TLS", 1883, low=1, high=65535)
    payload: Form = option("`packed` for few bytes, `json` for reading along", "packed")
    report_every_s: float = option(
        "seconds between two batches; 300 or more on metered links", 60.0, low=1, high=86400
    )
    ack_every_s: float | None = option(
        "seconds between two requests for an acknowledgement; unset: six reports, but 300 to 3600",
        None,
        low=0,
        high=86400,
    )
    ack_timeout_s: float = option("how long to wait for one before sending again", 30.0, low=1, high=3600)
    backlog_bps: int = option("bits per second a backlog may take of the link", 64_000, low=1_000)
    keepalive_s: int | None = option(
        "seconds of silence before a ping; unset: a little over report_every_s", None, low=5, high=65535
    )

    @property
    def asks_every_s(self) -> float:
        """Seconds between two requests for an acknowledgement, decided."""
        if self.ack_every_s is not None:
            return self.ack_every_s
        return min(3600.0, max(300.0, _REPORTS_PER_ACK * self.report_every_s))


@dataclass(frozen=True, kw_only=True)
class SpoolOptions:
    """The table `[spool]`: where records wait for their acknowledgement."""

    directory: str = option("folder of its own", "/var/lib/schoolpulse/spool")
    max_bytes: int = option(
        "when its files are larger the least valuable records go first, and that is recorded",
        64 * 1024 * 1024,
        low=1_000_000,
    )
    max_age_days: float = option("records older than this go, and that is recorded", 90.0, low=1, high=3650)
    max_memory_bytes: int = option(
        "as much waits in memory while the card takes nothing", 4 * 1024 * 1024, low=262_144
    )
    segment_bytes: int = option("size of one file", 256 * 1024, low=4096)
    commit_every_s: float = option(
        "a power cut loses at most what was made since the last commit", 60.0, low=0.1, high=3600
    )
    trust_connection: bool = option(
        "what was sent to a collector that answers waits for its acknowledgement, up to 15 min, before it is "
        "written to the card; false writes it like all else, 6 MB a day more",
        True,
    )

    def __post_init__(self) -> None:
        if not self.directory:
            raise DecodeError("directory", "must not be empty")
        if self.segment_bytes * LEAST_FILES > self.max_bytes:
            problem = f"{self.segment_bytes} is more than a quarter of max_bytes = {self.max_bytes}"
            raise DecodeError("segment_bytes", problem + ": make files smaller or the spool larger")


@dataclass(frozen=True, kw_only=True)
class IdentityOptions:
    """The table `[identity]`: keys made on the device, and its certificate."""

    directory: str = option(
        "folder of its own; once enrolled, broker, certificates and signature come from here",
        "/var/lib/schoolpulse/identity",
    )
    enrolment_file: str = option(
        "when it is there and the device is not enrolled, `run` enrols with it",
        "/etc/schoolpulse/enrolment.toml",
    )


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """The whole of agent.toml."""

    device: str = field(
        metadata={"doc": "id of this device, as registered: a-z, 0-9 and inner hyphens", "example": "kz-0001"}
    )
    technology: Technology = option(
        "kind of link: fibre, microwave, cellular, leo, geo or unknown; sets the `timeout_s` of probes that "
        "have none of their own",
        "unknown",
    )
    mqtt: MqttOptions = field(default_factory=MqttOptions, metadata={"doc": "the broker"})
    spool: SpoolOptions = field(default_factory=SpoolOptions, metadata={"doc": "the spool"})
    identity: IdentityOptions = field(
        default_factory=IdentityOptions, metadata={"doc": "keys and certificate"}
    )
    outage: OutageOptions = field(default_factory=OutageOptions, metadata={"doc": "watching for outages"})
    plan: PlanOptions = field(
        default_factory=PlanOptions, metadata={"doc": "the data plan, and when tests may run"}
    )
    probes: dict[str, Any] = field(default_factory=dict, metadata={"doc": "one table per probe"})

    def __post_init__(self) -> None:
        if not DEVICE.fullmatch(self.device):
            raise DecodeError("device", f"{self.device!r} must be 1 to 48 of a-z, 0-9 and inner hyphens")


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Everything resolved: options, probes that run, secrets."""

    options: AgentOptions
    probes: tuple[Probe, ...]
    password: str | None = None
    tls: ssl.SSLContext | None = None
    runtime_directory: Path | None = None


def load_config(file: Path, environment: Mapping[str, str] = os.environ) -> AgentConfig:
    """Read and resolve everything; touches no network.

    Raises:
        ConfigError: what is wrong, with file and key path.
    """
    try:
        plain = tomllib.loads(file.read_text(encoding="utf-8"))
        options = decode(AgentOptions, plain, strict=True)
        options = _with_identity(options, plain.get("mqtt", {}))
        probes = tuple(build_probes(_timed(options, _beside_the_spool(options))))
        return AgentConfig(
            options=options,
            probes=probes,
            password=read_password(options.mqtt, environment),
            tls=make_tls(options.mqtt),
            runtime_directory=_runtime_directory(environment),
        )
    except OSError as e:
        raise ConfigError(file, f"cannot be read: {e.strerror} ({e.filename})") from e
    except UnicodeDecodeError as e:
        raise ConfigError(file, f"is not UTF-8 at byte {e.start}") from e
    except (tomllib.TOMLDecodeError, ValueError) as e:
        raise ConfigError(file, str(e)) from e


def _with_identity(options: AgentOptions, written: Mapping[str, Any]) -> AgentOptions:
    """What an enrolled device knows of the broker, where the file does not say otherwise."""
    directory = Path(options.identity.directory)
    who = folder.enrolled(directory)
    if who is None:
        return options
    if who.device != options.device:
        problem = f"{options.device!r}, but {directory} was enrolled as {who.device!r}"
        raise DecodeError("device", problem)
    known: dict[str, Any] = {"host": who.broker_host, "port": who.broker_port}
    known["ca_file"] = str(directory / folder.CA)
    certificate = folder.certificate(directory)
    if certificate is not None and "cert_file" not in written:
        known |= {"cert_file": str(certificate.cert_file), "key_file": str(certificate.key_file)}
    left_out = {name: value for name, value in known.items() if name not in written}
    return dataclasses.replace(options, mqtt=dataclasses.replace(options.mqtt, **left_out))


def build_probes(tables: Mapping[str, Any]) -> list[Probe]:
    """Every known probe with its table; those not enabled are left out.

    Raises:
        DecodeError: unknown probe, or a table that does not fit.
    """
    for kind in tables:
        if kind not in PROBES:
            raise DecodeError(f"probes.{kind}", "unknown probe" + nearest(kind, PROBES))
    probes = [decode(load(kind), tables.get(kind, {}), strict=True, path=f"probes.{kind}") for kind in PROBES]
    for probe in probes:
        if probe.deadline_s > probe.every_s:
            problem = f"{probe.deadline_s} is longer than every_s = {probe.every_s}: rounds would overlap"
            raise DecodeError(f"probes.{probe.table}.deadline_s", problem)
    return [p for p in probes if p.enabled]


def _beside_the_spool(options: AgentOptions) -> dict[str, Any]:
    """The probes' tables; `host` watches the disk the spool is on, unless it is told another."""
    host = options.probes.get("host", {})
    if isinstance(host, dict):
        return {**options.probes, "host": {"disk": options.spool.directory, **host}}
    return options.probes


def _timed(options: AgentOptions, tables: dict[str, Any]) -> dict[str, Any]:
    """The probes' tables, with the technology's time-out where they set none."""
    timeout_s = TIMEOUTS_S.get(options.technology)
    if timeout_s is None:
        return tables
    known = {name: tables.get(name, {}) for name in _TIMED}
    return tables | {
        name: {"timeout_s": timeout_s, **table} for name, table in known.items() if isinstance(table, dict)
    }


def _runtime_directory(environment: Mapping[str, str]) -> Path | None:
    """What systemd made for the agent (systemd.exec(5)): a tmpfs that outlives the process."""
    first = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(first) if first else None
