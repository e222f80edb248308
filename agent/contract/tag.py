# SPDX-License-Identifier: Apache-2.0
"""How does the collector know at once that a device made a batch, in six bytes?

A tag is the beginning of an HMAC-SHA-256 (RFC 2104) with a key that only the device and the authority have:
both make it of their X25519 secret (RFC 7748), which needs nothing sent but the authority's public key. The
device's X25519 key is its Ed25519 key in the other form of the same curve (RFC 7748 §4.1). With six bytes,
who guesses at the 50 messages a second that a device is allowed needs 90,000 years for one hit.
"""

from __future__ import annotations

import hashlib
import hmac

from agent.contract.envelope import TAG_BYTES

_KEY_PURPOSE = b"schoolpulse tag key 1\0"
_PURPOSE = b"schoolpulse tagged batch 1\0"
_P = 2**255 - 19
_Y_BITS = (1 << 255) - 1


def tag(key: bytes, device: str, inner: bytes) -> bytes:
    """The tag of a batch."""
    text = b"".join([_PURPOSE, device.encode(), b"\0", inner])
    return hmac.digest(key, text, "sha256")[:TAG_BYTES]


def tag_key(secret: bytes, device: str, signing_key: bytes, authority_key: bytes) -> bytes:
    """The key of a device's tags.

    Args:
        secret: what X25519 gave both.
        device: whose it is.
        signing_key: the device's public Ed25519 key.
        authority_key: the authority's public X25519 key.
    """
    text = b"".join([_KEY_PURPOSE, device.encode(), b"\0", signing_key, authority_key])
    return hmac.digest(secret, text, "sha256")


def x25519_private(signing_seed: bytes) -> bytes:
    """The X25519 private key that goes with an Ed25519 one (RFC 8032 §5.1.5, steps 1 and 2)."""
    return hashlib.sha512(signing_seed).digest()[:32]


def x25519_public(signing_key: bytes) -> bytes:
    """The X25519 public key that goes with an Ed25519 one: u = (1 + y) / (1 - y)."""
    y = int.from_bytes(signing_key, "little") & _Y_BITS
    return ((1 + y) * pow(1 - y, -1, _P) % _P).to_bytes(32, "little")
