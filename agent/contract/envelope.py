# SPDX-License-Identifier: Apache-2.0
"""Who says so? The signed form of an `up` payload.

    payload = 0x02, key id (4 bytes), Ed25519 signature (64 bytes, RFC 8032), the batch (packed or JSON)

The signature is over a text that names its purpose, the device, and the batch's bytes, so that it holds for
nothing else and for nobody else. Signing is `agent.identity`'s, verifying the collector's: this module needs
no cryptography beyond a hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from agent.contract.decoder import DecodeError

FORMAT = 2
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32
HEAD_BYTES = 1 + KEY_ID_BYTES + SIGNATURE_BYTES
_PURPOSE = b"schoolpulse batch 1\0"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload taken apart; nothing of it is verified."""

    key_id: bytes
    signature: bytes
    inner: bytes


def key_id(public_key: bytes) -> bytes:
    """The short name of a public key: the first four bytes of its SHA-256."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


def signed_bytes(device: str, inner: bytes) -> bytes:
    """What is signed."""
    return b"".join([_PURPOSE, device.encode(), b"\0", inner])


def seal(envelope: Envelope) -> bytes:
    """The payload."""
    return b"".join([bytes([FORMAT]), envelope.key_id, envelope.signature, envelope.inner])


def is_sealed(payload: bytes) -> bool:
    """Whether a payload claims to be signed."""
    return payload[:1] == bytes([FORMAT])


def open_envelope(payload: bytes) -> Envelope:
    """Take a signed payload apart.

    Raises:
        DecodeError: it is not one, or another is inside it.
    """
    if not is_sealed(payload):
        raise DecodeError("", f"a signed payload begins with byte {FORMAT}")
    if len(payload) <= HEAD_BYTES:
        raise DecodeError("", f"a signed payload has more than {HEAD_BYTES} bytes, not {len(payload)}")
    inner = payload[HEAD_BYTES:]
    if is_sealed(inner):
        raise DecodeError("", "a signed payload within a signed payload")
    return Envelope(payload[1 : 1 + KEY_ID_BYTES], payload[1 + KEY_ID_BYTES : HEAD_BYTES], inner)


def inner_of(payload: bytes) -> bytes:
    """The batch, whether it is signed or not.

    Raises:
        DecodeError: it claims to be signed and cannot be.
    """
    return open_envelope(payload).inner if is_sealed(payload) else payload
