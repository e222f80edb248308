# SPDX-License-Identifier: Apache-2.0
"""Is a tag the same on both sides, and another for another device, key or batch?"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.tag import tag, tag_key, x25519_private, x25519_public

seeds = st.binary(min_size=32, max_size=32)


@given(seeds)
def test_both_forms_of_a_key_belong_together(seed: bytes) -> None:
    signing_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    private = X25519PrivateKey.from_private_bytes(x25519_private(seed))
    assert private.public_key().public_bytes_raw() == x25519_public(signing_key)


@given(seeds, seeds)
def test_device_and_authority_get_the_same_secret(device: bytes, authority: bytes) -> None:
    signing_key = Ed25519PrivateKey.from_private_bytes(device).public_key().public_bytes_raw()
    theirs = X25519PrivateKey.from_private_bytes(authority)
    here = X25519PrivateKey.from_private_bytes(x25519_private(device)).exchange(theirs.public_key())
    assert here == theirs.exchange(X25519PublicKey.from_public_bytes(x25519_public(signing_key)))


@given(st.lists(st.tuples(seeds, st.sampled_from(["kz-1", "kz-2"]), st.binary(max_size=9)), unique=True))
def test_no_two_tags_are_alike(made: list[tuple[bytes, str, bytes]]) -> None:
    assert len({tag(*each) for each in made}) == len(made)


def test_form_is_as_written_down() -> None:
    key = tag_key(b"s" * 32, "kz-1", b"d" * 32, b"a" * 32)
    assert (
        key
        == hmac.new(b"s" * 32, b"schoolpulse tag key 1\0kz-1\0" + b"d" * 32 + b"a" * 32, "sha256").digest()
    )
    whole = hmac.new(key, b"schoolpulse tagged batch 1\0kz-1\0{", "sha256").digest()
    assert tag(key, "kz-1", b"{") == whole[:6]
    assert x25519_private(bytes(32)) == hashlib.sha512(bytes(32)).digest()[:32]
