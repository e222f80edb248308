# SPDX-License-Identifier: Apache-2.0
"""Is an enrolment file or request the same after its way, and anything else refused with a sentence?"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.decoder import DecodeError
from agent.contract.enrolment import (
    MAX_FILE_BYTES,
    MAX_REQUEST_BYTES,
    EnrolmentFile,
    EnrolmentRequest,
    Issued,
    RenewalRequest,
    encode,
    read_file,
    read_message,
    write_file,
)
from agent.contract.record import DEVICE

PEM = "-----BEGIN X-----\nAA==\n-----END X-----"
FILE = EnrolmentFile(
    device="kz-1",
    token="t" * 43,
    enrol_url="https://centre.example:8443/enrol",
    broker_host="centre.example",
    broker_port=8883,
    expires_at="2026-01-01",
    ca=PEM + "\n",
)

devices = st.from_regex(DEVICE, fullmatch=True)
tokens = st.from_regex(r"[A-Za-z0-9_-]{20,100}", fullmatch=True)
lines = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=40)


@given(devices, tokens, lines, st.integers(1, 65535))
def test_a_file_is_itself_after_its_way(device: str, token: str, host: str, port: int) -> None:
    file = dataclasses.replace(FILE, device=device, token=token, broker_host=host, broker_port=port)
    assert read_file(write_file(file).encode()) == file
    assert "PRIVATE" not in write_file(file)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"version": 2}, "version: must be 1"),
        ({"device": "KZ"}, "device: must be"),
        ({"token": "x"}, "token: is not one of ours"),
        ({"enrol_url": "http://centre/enrol"}, "enrol_url: must be https"),
        ({"enrol_url": "https:///enrol"}, "enrol_url: must be https"),
        ({"enrol_url": "https://a:99999/"}, "enrol_url: must be https"),
        ({"broker_host": ""}, "broker_host: must not be empty"),
        ({"broker_port": 0}, "broker_port: is out of range"),
        ({"ca": "hello"}, "ca: must be a certificate"),
    ],
)
def test_a_file_that_cannot_be_ours_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DecodeError) as refused:
        dataclasses.replace(FILE, **changes)
    assert str(refused.value).startswith(sentence)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for start in (b"", b"version = 1\ndevice = ", b'{"csr":', b"[", b'{"certificate":"-----BEGIN '):
        with contextlib.suppress(DecodeError):
            read_file(start + content)
        for kind in (EnrolmentRequest, RenewalRequest, Issued):
            with contextlib.suppress(DecodeError):
                read_message(kind, start + content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=100),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["device", "token", "csr", "signing_key", "signature"]), json_values))
def test_any_json_is_a_request_or_refused(plain: dict[str, Any]) -> None:
    with contextlib.suppress(DecodeError):
        read_message(EnrolmentRequest, json.dumps(plain).encode())


def test_too_much_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="are allowed"):
        read_file(bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(DecodeError, match="are allowed"):
        read_message(Issued, bytes(MAX_REQUEST_BYTES + 1))


def test_deep_nesting_is_refused() -> None:
    for content in (b"[" * 8000, b'{"a":' * 1500):
        with pytest.raises(DecodeError):
            read_message(EnrolmentRequest, content)
    with pytest.raises(DecodeError):
        read_file(b"a = " + b"[" * 20_000)


@pytest.mark.parametrize("answer", [Issued(certificate=PEM, not_after_s=9), Issued(refused="no")])
def test_an_answer_is_itself_after_its_way(answer: Issued) -> None:
    assert read_message(Issued, encode(answer)) == answer


def test_an_answer_is_a_certificate_or_a_refusal() -> None:
    for plain in ({}, {"certificate": PEM, "refused": "x"}, {"certificate": PEM, "not_after_s": 0}):
        with pytest.raises(DecodeError):
            Issued(**plain)
