# SPDX-License-Identifier: Apache-2.0
"""Is a signature what RFC 8032 says, whichever library makes it?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.envelope import Envelope, open_envelope, signed_bytes
from agent.identity import keys, signing
from agent.identity.signing import SigningKey, private_bytes

VECTORS = [  # RFC 8032 §7.1, tests 1 to 3
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("private", "public", "message", "signature"), VECTORS)
@pytest.mark.parametrize("library", [signing._with_libcrypto, signing._with_cryptography])
def test_signatures_are_those_of_the_rfc(
    library: object, private: str, public: str, message: str, signature: str
) -> None:
    assert callable(library)
    made_public, sign = library(bytes.fromhex(private))
    assert (made_public.hex(), sign(bytes.fromhex(message)).hex()) == (public, signature)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=2000))
def test_both_libraries_agree(private: bytes, message: bytes) -> None:
    assert SigningKey(private).sign(message) == Ed25519PrivateKey.from_private_bytes(private).sign(message)


def test_a_sealed_batch_verifies(tmp_path: Path) -> None:
    keys.ensure_signing_key(tmp_path / "signing.key")
    key = SigningKey.read(tmp_path / "signing.key")
    envelope = open_envelope(key.seal("kz-1", b"{batch"))
    assert isinstance(envelope, Envelope)
    public = Ed25519PublicKey.from_public_bytes(key.public)
    public.verify(envelope.signature, signed_bytes("kz-1", b"{batch"))
    assert envelope.key_id == key.key_id
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600


@given(st.binary(max_size=300))
def test_any_bytes_are_a_key_or_refused(content: bytes) -> None:
    for pem in (content, b"-----BEGIN PRIVATE KEY-----\n" + content + b"\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ValueError, match="not a"):
            private_bytes(pem)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    keys.ensure_tls_key(tmp_path / "key.pem")
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        SigningKey.read(tmp_path / "key.pem")


def test_signing_works_where_memory_may_not_be_made_executable() -> None:
    """As under MemoryDenyWriteExecute= in the unit: prctl(PR_SET_MDWE)."""
    script = (
        "import ctypes\n"
        "assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) in (0, -1)\n"
        "from agent.identity import signing\n"
        "print(len(signing._with_libcrypto(bytes(32))[1](b'x')))\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "64\n"


def test_the_resident_program_does_not_load_a_second_openssl() -> None:
    script = (
        "import sys\n"
        "import agent.service\n"
        "from agent.identity.signing import SigningKey\n"
        "SigningKey(bytes(32)).sign(b'x')\n"
        "print('cryptography' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
