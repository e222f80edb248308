# SPDX-License-Identifier: Apache-2.0
"""Which key does the collector check a device's tags with?

`tag.key` in the authority's folder: an X25519 private key, raw. Should it be lost, tags made for it are
refused and their batches come again signed, until each device has the new one with its next certificate.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from agent.contract.envelope import Tagged
from agent.contract.tag import tag, tag_key, x25519_public

FILE = "tag.key"


class TagKeys:
    """Keys of the devices that were asked about; each costs some 0.1 ms once."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw()
        self._known: dict[tuple[str, bytes], bytes] = {}

    def holds(self, device: str, signing_key: bytes, tagged: Tagged) -> bool:
        """Whether the device made this batch."""
        made = tag(self._key_of(device, signing_key), device, tagged.inner)
        return hmac.compare_digest(made, tagged.tag)

    def _key_of(self, device: str, signing_key: bytes) -> bytes:
        known = self._known.get((device, signing_key))
        if known is None:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(x25519_public(signing_key)))
            known = tag_key(secret, device, signing_key, self.public)
            self._known[device, signing_key] = known
        return known


def load(directory: Path) -> TagKeys:
    """The authority's key; made where there is none.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is none.
    """
    file = directory / FILE
    if not file.exists():
        _make(file)
    return TagKeys(X25519PrivateKey.from_private_bytes(file.read_bytes()))


def _make(file: Path) -> None:
    """Whole or not there; of two programs that make one at once, the first's stays."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(X25519PrivateKey.generate().private_bytes_raw())
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()
