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
from agent.contract.envelope import is_sealed, open_envelope
from agent.contract.record import Batch, Refused
from collector.authority.signers import NOBODY, Signers
from collector.message import Message
from collector.registry import Registry

MAX_MESSAGE_BYTES = 256 * 1024
MAX_RECORDS = 1000
"""Five times what an agent puts into one message; a few hundred bytes could hold sixty thousand."""


class RefusalReason(enum.StrEnum):
    """Why a whole message was refused; also its name in `/metrics` and in the dead letters."""

    TOO_LARGE = "too_large"
    BAD_TOPIC = "bad_topic"
    NOT_DECODABLE = "not_decodable"
    WRONG_DEVICE = "wrong_device"
    UNKNOWN_DEVICE = "unknown_device"
    REVOKED = "revoked"
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
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


def admit(
    message: Message, registry: Registry, *, max_bytes: int = MAX_MESSAGE_BYTES, signers: Signers = NOBODY
) -> Admitted | Refusal:
    """Check topic, size, that the device may speak and did, and that the contents make sense."""
    try:
        device = topics.parse(message.topic).device
    except DecodeError as e:
        return Refusal(message=message, reason=RefusalReason.BAD_TOPIC, problem=str(e))
    try:
        _check_sender(message, device, registry, max_bytes)
        _check_signature(message.payload, device, signers)
        return _read(message, device)
    except _Refused as e:
        return Refusal(message=message, reason=e.reason, problem=e.problem, device=device)


class _Refused(Exception):
    """Why not."""

    def __init__(self, reason: RefusalReason, problem: str) -> None:
        super().__init__(problem)
        self.reason, self.problem = reason, problem


def _check_sender(message: Message, device: str, registry: Registry, max_bytes: int) -> None:
    if len(message.payload) > max_bytes:
        problem = f"{len(message.payload)} bytes, {max_bytes} are allowed"
        raise _Refused(RefusalReason.TOO_LARGE, problem)
    if not registry.knows(device):
        raise _Refused(RefusalReason.UNKNOWN_DEVICE, f"{device!r} is not in the registry")


def _check_signature(payload: bytes, device: str, signers: Signers) -> None:
    """Done before anything of the batch is unpacked; where no authority is, nothing can be verified."""
    if signers is NOBODY:
        return
    if device in signers.revoked:
        raise _Refused(RefusalReason.REVOKED, f"{device!r} was revoked")
    if not is_sealed(payload):
        if signers.must_sign(device):
            raise _Refused(RefusalReason.UNSIGNED, f"{device!r} must sign its batches")
        return
    try:
        problem = signers.problem(device, open_envelope(payload))
    except DecodeError as e:
        raise _Refused(RefusalReason.NOT_DECODABLE, str(e)) from e
    if problem is not None:
        raise _Refused(RefusalReason.BAD_SIGNATURE, problem)


def _read(message: Message, device: str) -> Admitted:
    try:
        decoded = decode_batch(message.payload, max_records=MAX_RECORDS)
    except DecodeError as e:
        raise _Refused(RefusalReason.NOT_DECODABLE, str(e)) from e
    if decoded.batch.device != device:
        raise _Refused(RefusalReason.WRONG_DEVICE, f"the payload says {decoded.batch.device!r}")
    return Admitted(message=message, batch=decoded.batch, refused=decoded.refused)
