# SPDX-License-Identifier: Apache-2.0
"""Did this device say this? What admission needs to know of the authority, at one instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.contract.envelope import (
    AnyEnvelope,
    Chained,
    Envelope,
    Tagged,
    chained_bytes,
    key_id,
    signed_bytes,
)
from collector.authority.options import Policy
from collector.authority.tagging import TagKeys


@dataclass(frozen=True, kw_only=True)
class Signers:
    """Whose signature is wanted and known.

    Attributes:
        keys: public Ed25519 key by device.
        revoked: devices that may not speak, signed or not.
        tags: what tags are checked with.
    """

    keys: Mapping[str, bytes] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    policy: Policy = "registered"
    tags: TagKeys | None = None

    def must_sign(self, device: str) -> bool:
        """Whether an unsigned batch of the device is refused."""
        return self.policy == "required" or (self.policy == "registered" and device in self.keys)

    def problem(self, device: str, envelope: AnyEnvelope) -> str | None:
        """What is wrong with a signature or a tag; None when it holds."""
        public = self.keys.get(device)
        if public is None:
            return f"no signing key of {device!r} is known"
        if isinstance(envelope, Tagged):
            is_ours = self.tags is not None and self.tags.holds(device, public, envelope)
            return None if is_ours else "the tag does not hold"
        if isinstance(envelope, Envelope) and envelope.key_id != key_id(public):
            return f"signed with key {envelope.key_id.hex()}, {device!r} has {key_id(public).hex()}"
        if not verifies(public, device, envelope):
            return "the signature does not hold"
        return None


NOBODY = Signers()
"""Without an authority nobody is known, nobody must sign, and no signature is verified."""


def verifies(public: bytes, device: str, envelope: Envelope | Chained) -> bool:
    """Whether this key signed this for this device (RFC 8032 §5.1.7)."""
    if isinstance(envelope, Chained):
        text = chained_bytes(device, envelope.count, envelope.chain, envelope.inner)
    else:
        text = signed_bytes(device, envelope.inner)
    return holds(public, envelope.signature, text)


def is_signed_by_any(keys: Iterable[bytes], device: str, envelope: Envelope | Chained) -> bool:
    """Whether one of the keys that the device ever had signed this."""
    if isinstance(envelope, Envelope):
        keys = (public for public in keys if key_id(public) == envelope.key_id)
    return any(verifies(public, device, envelope) for public in keys)


def holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature holds; a key that is none signs nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
