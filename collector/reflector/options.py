# SPDX-License-Identifier: Apache-2.0
"""What was the reflector told? The tables of reflector.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError, decode
from agent.contract.option import option
from collector.errors import ConfigError

DEFAULT_FILE = Path("/etc/schoolpulse/reflector.toml")
PORT = 7470
TCP_PORT = 7471
NDT7_PORT = 7472
HTTP_PORT = 7473
_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """The table `[gate]`: who may test, and how much."""

    token_public_key: str | None = option(
        "public key of the centre's tokens, as `reflector-token --public` prints it; unset: nobody may test",
        None,
        example="0" * 64,
    )
    tests: int = option(
        "tests at the same time, one of a site; one more is told when to come back", 4, low=1, high=1000
    )
    test_bytes: int = option("most one test may move, both ways", 400_000_000, low=100_000)
    test_s: float = option("longest one test may take", 60.0, low=1, high=600)
    device_bytes_per_day: int = option("most one device may move in a day", 2_000_000_000, low=100_000)
    device_tests_per_hour: int = option("most tests of one device in an hour", 30, low=1, high=10_000)
    refused_per_minute: int = option(
        "a device that is refused more often in a minute is no longer looked at, nor are tokens never seen "
        "before from an address (IPv6: one /64) whose tokens do not hold",
        30,
        low=1,
        high=10_000,
    )

    def __post_init__(self) -> None:
        if self.token_public_key is not None and not _KEY.fullmatch(self.token_public_key):
            raise DecodeError("token_public_key", "must be 64 hexadecimal digits")


@dataclass(frozen=True, kw_only=True)
class CapacityOptions:
    """The table `[capacity]`: the other end of the probe `capacity`, over UDP."""

    enabled: bool = option("whether it listens", True)
    host: str = option(
        "address to listen on; `::` takes IPv4 too, but a machine with several needs the one schools ask",
        "::",
    )
    port: int = option("UDP port to listen on; 0 takes a free one", PORT, low=0, high=65535)
    max_mbps: float = option("fastest it sends to one device", 1000.0, low=0.1, high=100_000)

    def __post_init__(self) -> None:
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)


@dataclass(frozen=True, kw_only=True)
class TcpOptions:
    """The table `[tcp]`: the other end of the probe `tcp`."""

    enabled: bool = option("whether it listens", True)
    host: str = option("address to listen on; `::` takes IPv4 too", "::")
    port: int = option("TCP port to listen on; 0 takes a free one", TCP_PORT, low=0, high=65535)

    def __post_init__(self) -> None:
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)


@dataclass(frozen=True, kw_only=True)
class Ndt7Options:
    """The table `[ndt7]`: for any NDT7 client."""

    enabled: bool = option("whether it listens", False)
    host: str = option("address to listen on; `::` takes IPv4 too", "::")
    port: int = option("TCP port to listen on; 0 takes a free one", NDT7_PORT, low=0, high=65535)
    certificate_file: str | None = option(
        "certificate chain in PEM; unset: without TLS", None, example="/etc/schoolpulse/ndt7.pem"
    )
    key_file: str | None = option("its key in PEM", None, example="/etc/schoolpulse/ndt7.key")
    guests: bool = option(
        "whether a client without token may measure; its address (IPv6: one /64) is then bound as a device "
        "is, and all guests together get half of the tests at the same time",
        False,
    )

    def __post_init__(self) -> None:
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)
        if (self.certificate_file is None) != (self.key_file is None):
            raise DecodeError("key_file", "certificate_file and key_file go together")


@dataclass(frozen=True, kw_only=True)
class HttpOptions:
    """The table `[http]`: pages whose answer is known, for the probes `portal` and `http`."""

    enabled: bool = option("whether it shows `/generate_204` and `/success.txt` to everybody", False)
    host: str = option("address to listen on; `::` takes IPv4 too", "::")
    port: int = option(
        "TCP port to listen on, without TLS; portals mostly look at 80 alone; 0 takes a free one",
        HTTP_PORT,
        low=0,
        high=65535,
    )

    def __post_init__(self) -> None:
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)


@dataclass(frozen=True, kw_only=True)
class ReflectorOptions:
    """The whole of reflector.toml."""

    gate: GateOptions = field(default_factory=GateOptions, metadata={"doc": "who may test, and how much"})
    capacity: CapacityOptions = field(default_factory=CapacityOptions, metadata={"doc": "paced UDP"})
    tcp: TcpOptions = field(default_factory=TcpOptions, metadata={"doc": "TCP at its steady rate"})
    ndt7: Ndt7Options = field(default_factory=Ndt7Options, metadata={"doc": "M-Lab's NDT7"})
    http: HttpOptions = field(default_factory=HttpOptions, metadata={"doc": "pages whose answer is known"})


def load(file: Path) -> ReflectorOptions:
    """Read reflector.toml.

    Raises:
        ConfigError: what is wrong, with file and key path.
    """
    try:
        return decode(ReflectorOptions, tomllib.loads(file.read_text(encoding="utf-8")), strict=True)
    except OSError as e:
        raise ConfigError(str(file), f"cannot be read: {e.strerror}") from e
    except DecodeError as e:
        raise ConfigError(f"{file}: {e.path}" if e.path else str(file), e.problem) from e
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise ConfigError(str(file), str(e)) from e
