# SPDX-License-Identifier: Apache-2.0
"""Which device may test here, and until when? A token says so, signed by the centre.

    sp1.<device>[@<site>].<expiry, Unix seconds>.<Ed25519 signature of all before, base64url>

Devices of one site test one after the other; where none is named, a device is a site by itself. A reflector
holds only the public key: one that is stolen makes no tokens.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.contract.record import DEVICE

PREFIX = "sp1"
MAX_CHARS = 200
_NAME = f"({DEVICE.pattern})"
_SHAPE = re.compile(rf"sp1\.{_NAME}(?:@{_NAME})?\.([0-9]{{1,11}})\.([A-Za-z0-9_-]{{86}})")


class BadToken(ValueError):
    """It is no token, or not of this centre, or too old; its text says which."""


@dataclass(frozen=True, slots=True)
class Token:
    """One that holds."""

    device: str
    expires_s: int
    site: str | None = None


def make(key: Ed25519PrivateKey, device: str, *, expires_s: int, site: str | None = None) -> str:
    """A device's token.

    Raises:
        BadToken: that is no id of a device, or of a site.
    """
    if not DEVICE.fullmatch(device):
        raise BadToken(f"{device!r} is no id of a device")
    if site is not None and not DEVICE.fullmatch(site):
        raise BadToken(f"{site!r} is no name of a site: 1 to 48 of a-z, 0-9 and inner hyphens")
    where = "" if site is None else f"@{site}"
    signed = f"{PREFIX}.{device}{where}.{expires_s}"
    signature = base64.urlsafe_b64encode(key.sign(signed.encode())).rstrip(b"=").decode()
    return f"{signed}.{signature}"


def read(key: Ed25519PublicKey | None, text: str, *, now_s: float) -> Token:
    """What a token says; with no key of a centre none holds.

    Raises:
        BadToken: it does not hold.
    """
    if key is None:
        raise BadToken("this reflector knows no centre")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise BadToken("it is not written as tokens are")
    try:
        key.verify(base64.urlsafe_b64decode(shape[4] + "=="), text.rpartition(".")[0].encode())
    except (InvalidSignature, binascii.Error) as e:
        raise BadToken("its signature does not hold") from e
    if int(shape[3]) < now_s:
        raise BadToken("it has expired")
    return Token(shape[1], int(shape[3]), shape[2])
