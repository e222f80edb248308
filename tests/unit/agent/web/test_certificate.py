# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from agent.web import certificate
from tests.parts import tls_site

DER = tls_site.issuer("Filter Ltd").certificate.public_bytes(serialization.Encoding.DER)


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = code
    return error


FAULTS = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "unknown_ca",
    20: "unknown_ca",
    62: "wrong_name",
    64: "wrong_name",
    23: "other",
}


@pytest.mark.parametrize(("code", "word"), FAULTS.items())
def test_each_fault_has_its_word(code: int, word: str) -> None:
    assert certificate.problem_of(verification(code)) == word


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("UNSUPPORTED_PROTOCOL", "old_tls"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "old_tls"),
        ("WRONG_VERSION_NUMBER", "no_tls"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "other"),
    ],
)
def test_what_fails_before_there_is_a_certificate_has_its_word(reason: str, word: str) -> None:
    error = ssl.SSLError("no")
    error.reason = reason
    assert certificate.problem_of(error) == word


def test_what_is_not_known_is_other() -> None:
    assert certificate.problem_of(ssl.SSLError("something new")) == "other"


def test_issuer_is_organisation_and_name() -> None:
    assert certificate.issuer_of(DER) == "Filter Ltd, root"


@pytest.mark.parametrize("der", [b"", b"x" * 40, DER[:-9]])
def test_what_cannot_be_read_has_no_issuer(der: bytes) -> None:
    assert certificate.issuer_of(der) is None


def test_name_of_an_unknown_string_type_has_no_issuer() -> None:
    """The library raises KeyError for it (found by fuzzing)."""
    name = b"\x0c\x0aFilter Ltd"
    assert name in DER
    assert certificate.issuer_of(DER.replace(name, b"\x0e" + name[1:])) is None


def test_long_issuer_is_cut() -> None:
    long = tls_site.issuer("x" * 64).certificate.public_bytes(serialization.Encoding.DER)
    assert len(certificate.issuer_of(long) or "") <= 100
