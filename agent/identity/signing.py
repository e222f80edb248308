# SPDX-License-Identifier: Apache-2.0
"""How is a batch signed in a program that is to stay small?

With the libcrypto that Python's own `ssl` has loaded already (EVP interface, OpenSSL 1.1.1 and later), which
costs 0.3 MiB; the `cryptography` package brings a second OpenSSL and costs 7.6 MiB (decision 0012). It is
used where `ssl` is built in such a way that its libcrypto cannot be reached.
"""

from __future__ import annotations

import _ssl
import base64
import binascii
import ctypes
from collections.abc import Callable
from pathlib import Path

from agent.contract.envelope import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, Envelope, key_id, seal, signed_bytes

_EVP_PKEY_ED25519 = 1087
_PKCS8_HEAD = bytes.fromhex("302e020100300506032b657004220420")
"""What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410 §7)."""

_PRIVATE_KEY_BYTES = 32
_Sign = Callable[[bytes], bytes]


class SigningKey:
    """An Ed25519 key in use."""

    def __init__(self, private_key: bytes) -> None:
        self.seed = private_key
        self.public, self._sign = _with_libcrypto(private_key) or _with_cryptography(private_key)
        self.key_id = key_id(self.public)

    @classmethod
    def read(cls, file: Path) -> SigningKey:
        """The key in a PKCS #8 PEM file.

        Raises:
            ValueError: it holds no unencrypted Ed25519 key.
            OSError: it cannot be read.
        """
        return cls(private_bytes(file.read_bytes()))

    def sign(self, message: bytes) -> bytes:
        """Signature of any bytes (64)."""
        return self._sign(message)

    def seal(self, device: str, batch: bytes) -> bytes:
        """A batch in its signed envelope."""
        return seal(Envelope(self.key_id, self._sign(signed_bytes(device, batch)), batch))


def private_bytes(pem: bytes) -> bytes:
    """The 32 bytes of an Ed25519 key.

    Raises:
        ValueError: no such key is in it.
    """
    lines = pem.strip().splitlines()
    if lines[:1] != [b"-----BEGIN PRIVATE KEY-----"] or lines[-1:] != [b"-----END PRIVATE KEY-----"]:
        raise ValueError("not a private key in PEM form")
    try:
        der = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except binascii.Error as e:
        raise ValueError("not a private key in PEM form") from e
    if not der.startswith(_PKCS8_HEAD) or len(der) != len(_PKCS8_HEAD) + _PRIVATE_KEY_BYTES:
        raise ValueError("not an Ed25519 key")
    return der[len(_PKCS8_HEAD) :]


def _with_libcrypto(private_key: bytes) -> tuple[bytes, _Sign] | None:
    """Public key and signing function; None where libcrypto is out of reach."""
    try:
        crypto = libcrypto()
    except (OSError, AttributeError):
        return None
    pkey = crypto.EVP_PKEY_new_raw_private_key(_EVP_PKEY_ED25519, None, private_key, len(private_key))
    if not pkey:
        return None
    public, size = ctypes.create_string_buffer(PUBLIC_KEY_BYTES), ctypes.c_size_t(PUBLIC_KEY_BYTES)
    if crypto.EVP_PKEY_get_raw_public_key(pkey, public, ctypes.byref(size)) != 1:
        return None

    def sign(message: bytes) -> bytes:
        context = crypto.EVP_MD_CTX_new()
        made, length = ctypes.create_string_buffer(SIGNATURE_BYTES), ctypes.c_size_t(SIGNATURE_BYTES)
        try:
            is_done = (
                crypto.EVP_DigestSignInit(context, None, None, None, pkey) == 1
                and crypto.EVP_DigestSign(context, made, ctypes.byref(length), message, len(message)) == 1
            )
        finally:
            crypto.EVP_MD_CTX_free(context)
        if not is_done or length.value != SIGNATURE_BYTES:
            raise RuntimeError("libcrypto did not sign")
        return made.raw

    return public.raw, sign


def libcrypto() -> ctypes.CDLL:
    """The library behind `ssl`: a symbol is looked for in a module and in what it was linked with."""
    crypto = ctypes.CDLL(_ssl.__file__)
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    for name, result, arguments in (
        ("EVP_PKEY_new_raw_private_key", pointer, (ctypes.c_int, pointer, text, size)),
        ("EVP_PKEY_new_raw_public_key", pointer, (ctypes.c_int, pointer, text, size)),
        ("EVP_PKEY_get_raw_public_key", ctypes.c_int, (pointer, pointer, pointer)),
        ("EVP_PKEY_free", None, (pointer,)),
        ("EVP_PKEY_CTX_new", pointer, (pointer, pointer)),
        ("EVP_PKEY_CTX_free", None, (pointer,)),
        ("EVP_PKEY_derive_init", ctypes.c_int, (pointer,)),
        ("EVP_PKEY_derive_set_peer", ctypes.c_int, (pointer, pointer)),
        ("EVP_PKEY_derive", ctypes.c_int, (pointer, pointer, pointer)),
        ("EVP_MD_CTX_new", pointer, ()),
        ("EVP_MD_CTX_free", None, (pointer,)),
        ("EVP_DigestSignInit", ctypes.c_int, (pointer, pointer, pointer, pointer, pointer)),
        ("EVP_DigestSign", ctypes.c_int, (pointer, pointer, pointer, text, size)),
    ):
        function = getattr(crypto, name)
        function.restype, function.argtypes = result, arguments
    return crypto


def _with_cryptography(private_key: bytes) -> tuple[bytes, _Sign]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 -- large, and rarely needed
        Ed25519PrivateKey,
    )

    key = Ed25519PrivateKey.from_private_bytes(private_key)
    return key.public_key().public_bytes_raw(), key.sign
