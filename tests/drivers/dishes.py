# SPDX-License-Identifier: Apache-2.0
"""Recordings of satellite terminals, and an encoder of protocol buffers that shares nothing with the reader.

`> get_status` begins a response; `2004.1005.9 whole 1` is a field by its path of numbers, its type and value.
Beside `NAME.starlink` stands `NAME.toml`.
"""

from __future__ import annotations

import struct
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.contract.reason import Reason
from firmware_bridge.reading import DeviceFailed

FIXTURES = Path(__file__).parent / "fixtures" / "starlink"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.starlink"))
REQUESTS = {"get_status": bytes.fromhex("e23e00"), "get_history": bytes.fromhex("fa3e00")}
"""As public programs send them."""

Tree = dict[int, Any]


def about(name: str) -> dict[str, Any]:
    """What is said of a recording."""
    return tomllib.loads((FIXTURES / f"{name}.toml").read_text())


def responses(name: str) -> dict[bytes, bytes]:
    """The response to each request that was recorded."""
    made: dict[bytes, bytes] = {}
    _, *parts = (FIXTURES / f"{name}.starlink").read_text().split("> ")
    for part in parts:
        asked, *lines = part.splitlines()
        made[REQUESTS[asked]] = encode(_tree(lines))
    return made


def _tree(lines: list[str]) -> Tree:
    tree: Tree = {}
    for line in lines:
        path, kind, *words = line.split(" ")
        *above, last = (int(number) for number in path.split("."))
        at = tree
        for number in above:
            at = at.setdefault(number, {})
        at[last] = _value(kind, words)
    return tree


def _value(kind: str, words: list[str]) -> Any:
    if kind == "whole":
        return int(words[0])
    if kind == "text":
        return " ".join(words)
    reals = [float(word) for word in words]
    return reals if kind == "reals" else reals[0]


def encode(tree: Tree) -> bytes:
    """Integers as varints, floats of 32 bits, lists of them packed, text and messages with their length."""
    return b"".join(_field(number, value) for number, value in tree.items())


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value % 2**64)
    if isinstance(value, dict):
        data = encode(value)
    else:
        data = struct.pack(f"<{len(value)}f", *value) if isinstance(value, list) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """Seven bits at a time, lowest first."""
    groups = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


@dataclass
class Answering:
    """A terminal that answers as it was recorded."""

    answers: dict[bytes, bytes]
    name: str = "dish"
    asked: list[bytes] = field(default_factory=list)

    def ask(self, message: bytes) -> bytes:
        """Its response."""
        self.asked.append(message)
        if message not in self.answers:
            raise DeviceFailed(self.name, Reason.BAD_ANSWER, "HTTP 200, gRPC status 12")
        return self.answers[message]
