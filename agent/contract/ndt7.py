# SPDX-License-Identifier: Apache-2.0
"""What do the two ends of an NDT7 test say to each other?

M-Lab's protocol (github.com/m-lab/ndt-server, spec/ndt7-protocol.md): WebSocket, one TCP connection, binary
messages as load one way, JSON measurements as text, about ten seconds.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from agent.contract.tcpinfo import TcpInfo

SUBPROTOCOL = "net.measurementlab.ndt.v7"
PATHS = {"down": "/ndt/v7/download", "up": "/ndt/v7/upload"}
TESTS = {"down": "download", "up": "upload"}
TRANSFER_S = 10.0
LONGEST_S = 15.0
MEASURE_EVERY_S = 0.25
MAX_MESSAGE_BYTES = 1 << 24
_FIRST_BYTES, _LARGEST_BYTES = 1 << 13, 1 << 20
_SCALE = 16
"""A message may be a sixteenth of what has been sent, so that it is never many round trips long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the other end measured; None is what it did not say.

    Attributes:
        elapsed_us: since the beginning of the test, at its end.
        app_bytes: payload of messages that it sent or received.
        received_bytes: by its kernel, WebSocket and TLS included.
        acked_bytes: likewise, of what it sent.
        min_rtt_us, rtt_us: its kernel's.
        uuid: M-Lab's name of the connection.
    """

    elapsed_us: int | None = None
    app_bytes: int | None = None
    received_bytes: int | None = None
    acked_bytes: int | None = None
    min_rtt_us: int | None = None
    rtt_us: int | None = None
    uuid: str | None = None


def next_size(size_bytes: int, sent_bytes: int) -> int:
    """How long the next message of load is to be."""
    size_bytes = max(size_bytes, _FIRST_BYTES)
    return 2 * size_bytes if size_bytes < _LARGEST_BYTES and size_bytes < sent_bytes / _SCALE else size_bytes


def load_bytes(size_bytes: int) -> bytes:
    """Payload that nothing on the way can squeeze."""
    return os.urandom(size_bytes)


def write(*, test: str, elapsed_s: float, app_bytes: int, info: TcpInfo, ends: tuple[str, str]) -> str:
    """A server's measurement; `ends` are client and server as `address:port`."""
    elapsed_us = round(elapsed_s * 1e6)
    return json.dumps(
        {
            "Origin": "server",
            "Test": test,
            "AppInfo": {"ElapsedTime": elapsed_us, "NumBytes": app_bytes},
            "ConnectionInfo": {"Client": ends[0], "Server": ends[1]},
            "TCPInfo": {
                "BusyTime": info.busy_us,
                "BytesAcked": info.bytes_acked,
                "BytesReceived": info.bytes_received,
                "BytesSent": info.bytes_sent,
                "BytesRetrans": info.bytes_retrans,
                "ElapsedTime": elapsed_us,
                "MinRTT": info.min_rtt_us,
                "RTT": info.rtt_us,
                "RTTVar": info.rttvar_us,
                "RWndLimited": info.rwnd_limited_us,
                "SndBufLimited": info.sndbuf_limited_us,
            },
        }
    )


def read(text: bytes) -> Measurement:
    """What can be read of a measurement; what is no number in its place is None."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return Measurement()
    tcp, app, ends = (_table(plain, name) for name in ("TCPInfo", "AppInfo", "ConnectionInfo"))
    uuid = ends.get("UUID")
    return Measurement(
        elapsed_us=_count(tcp, "ElapsedTime") or _count(app, "ElapsedTime"),
        app_bytes=_count(app, "NumBytes"),
        received_bytes=_count(tcp, "BytesReceived"),
        acked_bytes=_count(tcp, "BytesAcked"),
        min_rtt_us=_count(tcp, "MinRTT"),
        rtt_us=_count(tcp, "RTT"),
        uuid=uuid[:200] if isinstance(uuid, str) else None,
    )


def _table(plain: Any, name: str) -> dict[str, Any]:
    table = plain.get(name) if isinstance(plain, dict) else None
    return table if isinstance(table, dict) else {}


def _count(table: dict[str, Any], name: str) -> int | None:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Neither infinite nor no number passes, and a whole number of any length may be compared.
    return int(value) if 0 <= value < 1 << 63 else None
