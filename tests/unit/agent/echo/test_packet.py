# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from socket import AF_INET, AF_INET6, AddressFamily

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo.packet import EchoAnswer, quoted_request, read_answer, seq_before, write_request

families = st.sampled_from([AF_INET, AF_INET6])
numbers = st.integers(0, 0xFFFF)
tokens = st.binary(min_size=8, max_size=8)
IP_HEADER = b"\x46" + bytes(23)


def as_answer(request: bytes, family: AddressFamily) -> bytes:
    return (b"\0" if family == AF_INET else b"\x81") + request[1:]


@given(family=families, ident=numbers, seq=numbers, token=tokens)
def test_answer_gives_back_what_the_request_said(
    family: AddressFamily, ident: int, seq: int, token: bytes
) -> None:
    request = write_request(family, ident=ident, seq=seq, token=token)
    answer = read_answer(as_answer(request, family), family, has_ip_header=False)
    assert answer == EchoAnswer(ident, seq, token)
    assert quoted_request(request[:8], family) == (ident, seq)


def test_checksum_is_that_of_a_known_packet() -> None:
    request = write_request(AF_INET, ident=0x1234, seq=1, token=b"abcdefgh")
    assert request.hex() == "0800" + "5435" + "1234" + "0001" + b"abcdefgh".hex()


def test_answer_is_found_behind_an_ip_header_with_options() -> None:
    data = IP_HEADER + as_answer(write_request(AF_INET, ident=1, seq=2, token=b"12345678"), AF_INET)
    assert read_answer(data, AF_INET, has_ip_header=True) == EchoAnswer(1, 2, b"12345678")


@given(data=st.binary(max_size=80), family=families, header=st.booleans())
def test_any_bytes_are_read_without_error(data: bytes, family: AddressFamily, *, header: bool) -> None:
    read_answer(data, family, has_ip_header=header)
    quoted_request(data, family)
    seq_before(b"12345678", data)


@given(head=st.binary(max_size=60), tail=st.binary(max_size=30), seq=numbers, family=families)
def test_seq_is_found_in_a_frame(head: bytes, tail: bytes, seq: int, family: AddressFamily) -> None:
    token = b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"
    frame = head.replace(b"\xff", b"") + write_request(family, ident=0, seq=seq, token=token) + tail
    assert seq_before(token, frame) in {seq, int.from_bytes(frame[frame.find(token) - 2 :][:2], "big")}


@pytest.mark.parametrize("frame", [b"", b"12345678", b"1234567"])
def test_seq_is_none_without_a_request(frame: bytes) -> None:
    assert seq_before(b"12345678", frame) is None


def test_error_about_something_else_quotes_no_request() -> None:
    assert quoted_request(b"\0" * 8, AF_INET) is None
    assert quoted_request(b"\x08", AF_INET) is None
