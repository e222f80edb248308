# SPDX-License-Identifier: Apache-2.0
"""What is one MQTT message, as it came?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Nothing of it has been checked."""

    topic: str
    payload: bytes
    received_ms: int
