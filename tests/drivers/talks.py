# SPDX-License-Identifier: Apache-2.0
"""Recordings of devices that talk by themselves, and the ways in which their bytes arrive.

`NAME.vedirect` holds blocks as lines, an empty line between two, messages in hexadecimal where they came;
line ends and sums are put in here. `NAME.nmea` holds sentences. Beside each stands `NAME.toml`.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(
    str(path.relative_to(FIXTURES).with_suffix(""))
    for scheme in ("vedirect", "nmea")
    for path in (FIXTURES / scheme).glob(f"*.{scheme}")
)


@dataclass(frozen=True)
class Talked:
    """What a device said, as a link that a driver can listen to."""

    chunks: tuple[bytes, ...]
    path: str = "/dev/talk"

    def pieces(self) -> Iterator[bytes]:
        yield from self.chunks


def about(name: str) -> dict[str, Any]:
    """What is said of a recording."""
    return tomllib.loads((FIXTURES / f"{name}.toml").read_text())


def bytes_of(name: str) -> bytes:
    """One round of what it says, as it comes from the port."""
    scheme = name.partition("/")[0]
    text = (FIXTURES / f"{name}.{scheme}").read_text()
    if scheme == "nmea":
        return text.replace("\n", "\r\n").encode()
    return b"".join(block_bytes(block.splitlines()) for block in text.split("\n\n"))


def block_bytes(lines: list[str]) -> bytes:
    """A block of VE.Direct with its sum, which counts no message in hexadecimal."""
    counted = sum(b"".join(f"\r\n{line}".encode() for line in lines if not line.startswith(":")))
    said = "".join(f"{line}\n" if line.startswith(":") else f"\r\n{line}" for line in lines)
    end = b"\r\nChecksum\t"
    return said.encode() + end + bytes([-(counted + sum(end)) % 256])


def in_pieces(data: bytes, size: int) -> Talked:
    """So many bytes at a time."""
    return Talked(tuple(data[at : at + size] for at in range(0, len(data), size)))


def lossy(data: bytes, seed: int) -> bytes:
    """Some bytes lost, some changed, some put in."""
    dice, made = random.Random(seed), bytearray()
    for byte in data:
        fate = dice.random()
        made += b"" if fate < 0.004 else bytes([dice.randrange(256)]) if fate < 0.008 else bytes([byte])
        if fate > 0.996:
            made.append(dice.randrange(256))
    return bytes(made)
