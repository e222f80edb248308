# SPDX-License-Identifier: Apache-2.0
"""How does a receiver know that an event is ours and whole? (Standard Webhooks 1.0)"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64


def new_secret() -> str:
    """A secret to give to a receiver."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secrets(text: str) -> tuple[bytes, ...]:
    """One secret a line, the newest first; while two stand there both sign, so a receiver may change over.

    Raises:
        ValueError: none, or one that is no `whsec_` and base64 of 24 to 64 bytes; the secret is not repeated.
    """
    found = tuple(_secret(line.strip()) for line in text.splitlines() if line.strip())
    if not found:
        raise ValueError("holds no secret; `school-collector hooks secret` makes one")
    return found


def _secret(line: str) -> bytes:
    try:
        key = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not line.startswith(_PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise ValueError(f"a secret is `{_PREFIX}` and base64 of {_LEAST} to {_MOST} bytes")
    return key


def headers(event_id: str, at_s: int, body: bytes, keys: tuple[bytes, ...]) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp`, `webhook-signature`."""
    signed = f"{event_id}.{at_s}.".encode() + body
    made = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{each}" for each in made),
    }
