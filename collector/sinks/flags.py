# SPDX-License-Identifier: Apache-2.0
"""Which words of a record does a database of numbers need as a flag, as a number means little without?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.contract.kinds import Fields


def _is_by_connection(fields: Any) -> bool | None:
    return None if fields.method is None else fields.method == "tcp"


def _is_valid(fields: Any) -> bool | None:
    return None if fields.mbps is None or fields.validity is None else fields.validity == "valid"


FLAGS: dict[str, dict[str, str]] = {
    "reach": {"by_connection": "1 when anchors were asked by TCP connections, 0 by echoes"},
    "latency": {"by_connection": "1 when the times are of TCP handshakes, 0 of echoes"},
    "throughput": {"valid": "1 when `mbps` is valid, 0 when it is suspect or invalid"},
}
"""Beside the numbers of these kinds; absent where the record does not say."""

_READ: dict[str, Callable[[Any], bool | None]] = {"by_connection": _is_by_connection, "valid": _is_valid}


def flags_of(fields: Fields) -> dict[str, bool]:
    """Those that the record says."""
    read = {name: _READ[name](fields) for name in FLAGS.get(fields.kind, {})}
    return {name: value for name, value in read.items() if value is not None}
