# SPDX-License-Identifier: Apache-2.0
"""Does a datagram really come from the address it says? Proven without remembering anybody.

The cookie is a MAC over address, nonce and time: whoever sends it back has received it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from agent.contract.capacity.message import COOKIE_BYTES

_LIFE_S = 20
_SECRET_BYTES = 32


class Cookies:
    """Makes and checks them; the secret lives as long as the process."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(_SECRET_BYTES)

    def make(self, address: Any, nonce: bytes, *, now_s: float) -> bytes:
        """The cookie for this address now."""
        return self._mac(address, nonce, int(now_s // _LIFE_S))

    def holds(self, cookie: bytes, address: Any, nonce: bytes, *, now_s: float) -> bool:
        """Whether it was made for this address within its life, which is 20 to 40 s."""
        slot = int(now_s // _LIFE_S)
        return any(hmac.compare_digest(cookie, self._mac(address, nonce, slot - ago)) for ago in (0, 1))

    def _mac(self, address: Any, nonce: bytes, slot: int) -> bytes:
        said = f"{address[0]} {address[1]} {slot} ".encode() + nonce
        return hmac.digest(self._secret, said, hashlib.sha256)[:COOKIE_BYTES]
