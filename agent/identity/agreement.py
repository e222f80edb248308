# SPDX-License-Identifier: Apache-2.0
"""Which secret do a device and the authority share, without ever having sent it?

X25519 (RFC 7748), by the libcrypto that is loaded already, as for signatures (`agent.identity.signing`).
"""

from __future__ import annotations

import ctypes

from agent.contract.tag import tag_key, x25519_private
from agent.identity.signing import SigningKey, libcrypto

_EVP_PKEY_X25519 = 1034
_KEY_BYTES = 32


def agree(key: SigningKey, device: str, authority_key: bytes) -> bytes:
    """The key of the device's tags.

    Raises:
        ValueError: the authority's key is none.
    """
    own = x25519_private(key.seed)
    secret = _with_libcrypto(own, authority_key) or _with_cryptography(own, authority_key)
    return tag_key(secret, device, key.public, authority_key)


def _with_libcrypto(private_key: bytes, public_key: bytes) -> bytes | None:
    """The secret; None where libcrypto is out of reach, or does not like the keys."""
    try:
        crypto = libcrypto()
    except (OSError, AttributeError):
        return None
    own = crypto.EVP_PKEY_new_raw_private_key(_EVP_PKEY_X25519, None, private_key, len(private_key))
    theirs = crypto.EVP_PKEY_new_raw_public_key(_EVP_PKEY_X25519, None, public_key, len(public_key))
    context = crypto.EVP_PKEY_CTX_new(own, None) if own and theirs else None
    made, size = ctypes.create_string_buffer(_KEY_BYTES), ctypes.c_size_t(_KEY_BYTES)
    try:
        is_done = context and (
            crypto.EVP_PKEY_derive_init(context) == 1
            and crypto.EVP_PKEY_derive_set_peer(context, theirs) == 1
            and crypto.EVP_PKEY_derive(context, made, ctypes.byref(size)) == 1
        )
    finally:
        crypto.EVP_PKEY_CTX_free(context)
        crypto.EVP_PKEY_free(own)
        crypto.EVP_PKEY_free(theirs)
    return made.raw if is_done and size.value == _KEY_BYTES else None


def _with_cryptography(private_key: bytes, public_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: PLC0415 -- large, and rarely needed

    theirs = x25519.X25519PublicKey.from_public_bytes(public_key)
    return x25519.X25519PrivateKey.from_private_bytes(private_key).exchange(theirs)
