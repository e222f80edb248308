# SPDX-License-Identifier: Apache-2.0
"""Who says so? The signed and the tagged forms of an `up` payload.

    signed  = 0x02, key id (4 bytes), signature (64 bytes), the batch (packed or JSON)
    tagged  = 0x03, tag (6 bytes), the batch
    chained = 0x04, count (1 byte), chain (16 bytes), signature (64 bytes), the batch

A tag (`agent.contract.tag`) tells the collector at once whether the device made the batch, and nobody else. A
signature (Ed25519, RFC 8032) proves it to everybody: that of a chained batch holds for the `count` tagged
ones of the same session since the last signature too, whose digests, in ascending order, make up the chain.
Each text that is signed names its purpose and the device, so that it holds for nothing else and for nobody
else. This module needs no cryptography beyond a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from agent.contract.decoder import DecodeError

FORMAT, TAGGED, CHAINED = 2, 3, 4
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32
TAG_BYTES = 6
CHAIN_BYTES = 16
HEAD_BYTES = 1 + KEY_ID_BYTES + SIGNATURE_BYTES
TAGGED_HEAD_BYTES = 1 + TAG_BYTES
CHAINED_HEAD_BYTES = 2 + CHAIN_BYTES + SIGNATURE_BYTES
MOST_CHAINED = 60
"""So many batches are tagged at most until one is signed."""

_HEADS = {FORMAT: HEAD_BYTES, TAGGED: TAGGED_HEAD_BYTES, CHAINED: CHAINED_HEAD_BYTES}
_NAMES = {FORMAT: "signed", TAGGED: "tagged", CHAINED: "chained"}
_PURPOSE = b"schoolpulse batch 1\0"
_CHAINED_PURPOSE = b"schoolpulse chained batch 1\0"
_CHAIN_PURPOSE = b"schoolpulse chain 1\0"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload taken apart; nothing of it is verified."""

    key_id: bytes
    signature: bytes
    inner: bytes


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tagged payload taken apart."""

    tag: bytes
    inner: bytes


@dataclass(frozen=True, slots=True)
class Chained:
    """A payload whose signature holds for earlier ones too, taken apart."""

    count: int
    chain: bytes
    signature: bytes
    inner: bytes


AnyEnvelope = Envelope | Tagged | Chained


def key_id(public_key: bytes) -> bytes:
    """The short name of a public key: the first four bytes of its SHA-256."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


def signed_bytes(device: str, inner: bytes) -> bytes:
    """What is signed."""
    return b"".join([_PURPOSE, device.encode(), b"\0", inner])


def chained_bytes(device: str, count: int, chain: bytes, inner: bytes) -> bytes:
    """What is signed of a chained batch."""
    return b"".join([_CHAINED_PURPOSE, device.encode(), b"\0", bytes([count]), chain, inner])


def digest(inner: bytes) -> bytes:
    """What stands for a batch in a chain: its SHA-256."""
    return hashlib.sha256(inner).digest()


def chain_of(digests: Iterable[bytes]) -> bytes:
    """The chain of these batches, in whatever order they come."""
    return hashlib.sha256(_CHAIN_PURPOSE + b"".join(sorted(digests))).digest()[:CHAIN_BYTES]


def seal(envelope: AnyEnvelope) -> bytes:
    """The payload."""
    if isinstance(envelope, Tagged):
        return b"".join([bytes([TAGGED]), envelope.tag, envelope.inner])
    if isinstance(envelope, Chained):
        head = bytes([CHAINED, envelope.count])
        return b"".join([head, envelope.chain, envelope.signature, envelope.inner])
    return b"".join([bytes([FORMAT]), envelope.key_id, envelope.signature, envelope.inner])


def is_sealed(payload: bytes) -> bool:
    """Whether a payload claims to be signed or tagged."""
    return payload[:1] != b"" and payload[0] in _HEADS


def open_envelope(payload: bytes) -> AnyEnvelope:
    """Take a signed or tagged payload apart.

    Raises:
        DecodeError: it is neither, or another is inside it.
    """
    if not is_sealed(payload):
        raise DecodeError("", f"a signed payload begins with byte {FORMAT}, {TAGGED} or {CHAINED}")
    form = payload[0]
    if len(payload) <= _HEADS[form]:
        name = _NAMES[form]
        raise DecodeError("", f"a {name} payload has more than {_HEADS[form]} bytes, not {len(payload)}")
    inner = payload[_HEADS[form] :]
    if is_sealed(inner):
        raise DecodeError("", "a signed payload within a signed payload")
    if form == TAGGED:
        return Tagged(payload[1:TAGGED_HEAD_BYTES], inner)
    if form == CHAINED:
        return _open_chained(payload, inner)
    return Envelope(payload[1 : 1 + KEY_ID_BYTES], payload[1 + KEY_ID_BYTES : HEAD_BYTES], inner)


def inner_of(payload: bytes) -> bytes:
    """The batch, whether it is signed or not.

    Raises:
        DecodeError: it claims to be signed and cannot be.
    """
    return open_envelope(payload).inner if is_sealed(payload) else payload


def _open_chained(payload: bytes, inner: bytes) -> Chained:
    count, signature_at = payload[1], 2 + CHAIN_BYTES
    if not 1 <= count <= MOST_CHAINED:
        raise DecodeError("", f"a chain is of 1 to {MOST_CHAINED} batches, not {count}")
    return Chained(count, payload[2:signature_at], payload[signature_at:CHAINED_HEAD_BYTES], inner)
