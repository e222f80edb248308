# SPDX-License-Identifier: Apache-2.0
"""May this message enter the journal, and if not, why not?

Pure: the same message with the same registry gets the same answer. A message that is refused as a whole is
not acknowledged, so its agent keeps the data; single records that make no sense enter with the rest of
their batch, since the journal keeps the raw bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from agent.contract import topics
from agent.contract.codec import decode_batch
from agent.contract.decoder import DecodeError
from agent.contract.record import Batch, Refused
from collector.message import Message
from collector.registry import Registry

MAX_MESSAGE_BYTES = 256 * 1024


class RefusalReason(enum.StrEnum):
    """Why a whole message was refused; also its name in `/metrics` and in the dead letters."""

    TOO_LARGE = "too_large"
    BAD_TOPIC = "bad_topic"
    NOT_DECODABLE = "not_decodable"
    WRONG_DEVICE = "wrong_device"
    UNKNOWN_DEVICE = "unknown_device"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A batch of a registered device; `refused` are those of its records that make no sense."""

    message: Message
    batch: Batch
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that does not enter; `device` as its topic names it, where it does."""

    message: Message
    reason: RefusalReason
    problem: str
    device: str | None = None


def admit(message: Message, registry: Registry, *, max_bytes: int = MAX_MESSAGE_BYTES) -> Admitted | Refusal:
    """Check size, topic, contents, and that the device is who the topic says and is registered."""
    try:
        device = topics.parse(message.topic).device
    except DecodeError as e:
        return Refusal(message=message, reason=RefusalReason.BAD_TOPIC, problem=str(e))

    def refuse(reason: RefusalReason, problem: str) -> Refusal:
        return Refusal(message=message, reason=reason, problem=problem, device=device)

    if len(message.payload) > max_bytes:
        return refuse(RefusalReason.TOO_LARGE, f"{len(message.payload)} bytes, {max_bytes} are allowed")
    if not registry.knows(device):
        return refuse(RefusalReason.UNKNOWN_DEVICE, f"{device!r} is not in the registry")
    try:
        decoded = decode_batch(message.payload)
    except DecodeError as e:
        return refuse(RefusalReason.NOT_DECODABLE, str(e))
    if decoded.batch.device != device:
        return refuse(RefusalReason.WRONG_DEVICE, f"the payload says {decoded.batch.device!r}")
    return Admitted(message=message, batch=decoded.batch, refused=decoded.refused)
