# SPDX-License-Identifier: Apache-2.0
"""How does a test get a reflector's gate that lets its device in?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.reflector import token
from collector.reflector.gate import Gate
from collector.reflector.options import GateOptions

DEVICE = "kz-0001"


@dataclass(frozen=True, slots=True)
class Entry:
    """A gate and what opens it."""

    gate: Gate
    token: str


def generous_gate(**options: Any) -> Entry:
    """A gate with a fresh key; its bounds are wide unless said otherwise."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    wide = {
        "tests": 100,
        "test_bytes": 4_000_000_000,
        "test_s": 600.0,
        "device_bytes_per_day": 10**12,
        "device_tests_per_hour": 10_000,
    }
    gate = Gate(GateOptions(token_public_key=public, **(wide | options)))
    return Entry(gate, token.make(key, DEVICE, expires_s=int(time.time()) + 86400))
