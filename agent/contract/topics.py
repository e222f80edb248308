# SPDX-License-Identifier: Apache-2.0
"""Which MQTT topic carries what, and whose is it?

    sp/1/<shard>/<device>/up       device → collector   batches of records
    sp/1/<shard>/<device>/ack      collector → device   acknowledgements
    sp/1/<shard>/<device>/status   device → collector   online or offline, retained, the broker's will
    sp/1/<shard>/<device>/config   collector → device   signed configuration, retained
    sp/1/<shard>/<device>/cmd      collector → device   signed one-off requests
    sp/1/<shard>/<device>/csr      device → collector   request for its next certificate
    sp/1/<shard>/<device>/crt      collector → device   its next certificate
    sp/1/checkpoint/<key>          collector → anybody  the journal's newest checkpoint, retained

The shard is a stable hash of the device, so that several collectors can each own a share of the fleet.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from agent.contract.decoder import DecodeError
from agent.contract.record import DEVICE

SHARDS = 64
_PARTS = 5
LEAVES = ("up", "ack", "status", "config", "cmd", "csr", "crt")
UP_FILTER = "sp/1/+/+/up"
STATUS_FILTER = "sp/1/+/+/status"
CSR_FILTER = "sp/1/+/+/csr"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of this contract, taken apart."""

    shard: int
    device: str
    leaf: str


def shard(device: str) -> int:
    """The device's share of the fleet, 0 to 63: CRC-32 of its id, modulo 64."""
    return zlib.crc32(device.encode()) % SHARDS


def up(device: str) -> str:
    """Where a device publishes its batches."""
    return _topic(device, "up")


def ack(device: str) -> str:
    """Where a device hears acknowledgements."""
    return _topic(device, "ack")


def status(device: str) -> str:
    """Where a device, or the broker in its name, says whether it is there."""
    return _topic(device, "status")


def config(device: str) -> str:
    """Where a device hears its configuration."""
    return _topic(device, "config")


def cmd(device: str) -> str:
    """Where a device hears requests."""
    return _topic(device, "cmd")


def csr(device: str) -> str:
    """Where a device asks for its next certificate."""
    return _topic(device, "csr")


def crt(device: str) -> str:
    """Where a device hears its next certificate."""
    return _topic(device, "crt")


def checkpoint(public_key: str) -> str:
    """Where a collector shows how its journal stands, by the beginning of its public key (hexadecimal)."""
    return f"sp/1/checkpoint/{public_key[:16]}"


def parse(topic: str) -> Topic:
    """Take a topic apart.

    Raises:
        DecodeError: not of this contract, or its shard is not its device's.
    """
    parts = topic.split("/")
    if len(parts) != _PARTS or parts[:2] != ["sp", "1"] or parts[4] not in LEAVES:
        raise DecodeError("topic", f"{topic[:80]!r} is not sp/1/<shard>/<device>/<{'|'.join(LEAVES)}>")
    number, device = parts[2], parts[3]
    if not DEVICE.fullmatch(device):
        raise DecodeError("topic", f"{device[:60]!r} is not a device id")
    if number != str(shard(device)):
        raise DecodeError("topic", f"shard {number[:8]!r} of {device!r} should be {shard(device)}")
    return Topic(shard=int(number), device=device, leaf=parts[4])


def _topic(device: str, leaf: str) -> str:
    return f"sp/1/{shard(device)}/{device}/{leaf}"
