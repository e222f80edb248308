# SPDX-License-Identifier: Apache-2.0
"""Is the agreed key what RFC 7748 says, whichever library makes it?"""

from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.envelope import Tagged
from agent.contract.tag import tag
from agent.identity import agreement
from agent.identity.agreement import agree
from agent.identity.signing import SigningKey
from collector.authority.tagging import TagKeys

seeds = st.binary(min_size=32, max_size=32)


@given(seeds, seeds)
def test_both_libraries_agree(private: bytes, other: bytes) -> None:
    public = X25519PrivateKey.from_private_bytes(other).public_key().public_bytes_raw()
    made = agreement._with_libcrypto(private, public)
    assert made is not None
    assert made == agreement._with_cryptography(private, public)


@given(seeds, seeds)
def test_the_authority_knows_the_tags_of_a_device_and_no_others(device: bytes, authority: bytes) -> None:
    key, keys = SigningKey(device), TagKeys(X25519PrivateKey.from_private_bytes(authority))
    made = tag(agree(key, "kz-1", keys.public), "kz-1", b"{")
    assert keys.holds("kz-1", key.public, Tagged(made, b"{"))
    assert not keys.holds("kz-1", key.public, Tagged(made, b"}"))
    assert not keys.holds("kz-2", key.public, Tagged(made, b"{"))


@pytest.mark.parametrize("public", [bytes(32), bytes(31), b"\x01" + bytes(31)])
def test_a_key_that_is_none_is_refused(public: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        agree(SigningKey(bytes(32)), "kz-1", public)


def test_the_resident_program_does_not_load_a_second_openssl() -> None:
    script = (
        "import sys\n"
        "from agent.identity.agreement import agree\n"
        "from agent.identity.signing import SigningKey\n"
        "agree(SigningKey(bytes(32)), 'kz-1', bytes([9]) + bytes(31))\n"
        "print('cryptography' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
