# SPDX-License-Identifier: Apache-2.0
"""Recordings of UPSes: `NAME.nut` as `upsc` prints, `NAME.apcupsd` as `apcaccess` does."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.contract.reason import Reason
from firmware_bridge.drivers.apcupsd import Apcupsd
from firmware_bridge.drivers.nut import Nut
from firmware_bridge.reading import DeviceFailed, DeviceReading

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(
    str(path.relative_to(FIXTURES).with_suffix(""))
    for scheme in ("nut", "apcupsd")
    for path in (FIXTURES / scheme).glob(f"*.{scheme}")
)
DRIVERS: dict[str, Nut | Apcupsd] = {"nut": Nut("ups"), "apcupsd": Apcupsd()}


def about(name: str) -> dict[str, Any]:
    """What is said of a recording."""
    return tomllib.loads((FIXTURES / f"{name}.toml").read_text())


def text_of(name: str) -> str:
    """The recording."""
    return (FIXTURES / f"{name}.{name.partition('/')[0]}").read_text()


def bytes_of(name: str) -> bytes:
    """The server's answer on the wire."""
    lines = text_of(name).splitlines()
    if name.startswith("apcupsd"):
        return (
            b"".join(len(line).to_bytes(2, "big") + line.encode() for line in (f"{t}\n" for t in lines))
            + b"\0\0"
        )
    rows = [f'VAR ups {k} "{v}"' for k, _, v in (line.partition(": ") for line in lines)]
    return "\n".join(["BEGIN LIST VAR ups", *rows, "END LIST VAR ups", ""]).encode()


@dataclass
class Answering:
    """A server that says this whatever it is asked, and then ends."""

    chunks: list[bytes]
    name: str = "ups"
    asked: bytes = field(default=b"")

    def write(self, data: bytes) -> None:
        """Kept, to be looked at."""
        self.asked += data

    def read(self) -> bytes:
        """The next piece."""
        if not self.chunks:
            raise DeviceFailed(self.name, Reason.GONE, "ended")
        return self.chunks.pop(0)


def read(name: str, data: bytes, size: int = 4096) -> DeviceReading:
    """By the driver of the recording."""
    driver = DRIVERS[name.partition("/")[0]]
    return driver.read(Answering([data[at : at + size] for at in range(0, len(data), size)]), "ups")
