# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.wording import plain, readings, unpacked


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "cp866", "iso8859-5", "utf-16"])
def test_a_russian_text_is_among_its_readings(encoding: str) -> None:
    assert any("Лимит исчерпан" in text for text in readings("Лимит исчерпан".encode(encoding)))


@pytest.mark.parametrize("encoding", ["utf-8", "kz1048", "utf-16-be"])
def test_a_kazakh_text_is_among_its_readings(encoding: str) -> None:
    assert any("қаражат жеткіліксіз" in t for t in readings(" қаражат жеткіліксіз".encode(encoding)))


@pytest.mark.parametrize("cut", [0, 9])
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_page_is_read_as_far_as_it_came(pack: object, cut: int) -> None:
    packed = pack(bytes(range(256)) * 9)  # type: ignore[operator]
    found = unpacked(packed[: len(packed) - cut], "GZIP", most_bytes=10_000)
    assert (bytes(range(256)) * 9).startswith(found)
    assert found


def test_no_more_is_unpacked_than_asked_for() -> None:
    assert unpacked(gzip.compress(bytes(9_000_000)), "gzip", most_bytes=1000) == bytes(1000)


@pytest.mark.parametrize("coding", ["", "br", "identity"])
def test_what_is_not_packed_stays_as_it_is(coding: str) -> None:
    assert unpacked(b"page", coding, most_bytes=2) == b"page"


@given(st.binary(max_size=300))
def test_any_bytes_are_read(body: bytes) -> None:
    for text in readings(unpacked(body, "gzip", most_bytes=1000)):
        plain(text)


def test_a_reference_of_thousands_of_digits_is_none() -> None:
    assert plain("&#" + "0" * 5000 + "65; B&nbsp;\n C") == "; b c"
