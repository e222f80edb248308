# SPDX-License-Identifier: Apache-2.0
"""Is a packed acknowledgement the same after its way, and are a stranger's bytes refused?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.ack import pack_ack, unpack_ack
from agent.contract.codec import decode_ack, encode_ack
from agent.contract.decoder import DecodeError
from agent.contract.record import MAX_SEQ, Ack

numbers = st.integers(0, MAX_SEQ)
ranges = st.tuples(st.integers(1, MAX_SEQ), st.integers(1, MAX_SEQ)).map(lambda pair: (min(pair), max(pair)))
acks = st.builds(
    Ack,
    session=st.binary(min_size=8, max_size=8).map(bytes.hex),
    up_to_seq=numbers,
    wall_ms=st.integers(-MAX_SEQ, MAX_SEQ),
    ranges=st.lists(ranges, max_size=40).map(tuple),
    pause_s=st.none() | numbers,
)


@given(acks)
def test_both_forms_say_the_same(ack: Ack) -> None:
    assert decode_ack(encode_ack(ack, "packed")) == decode_ack(encode_ack(ack)) == ack


@given(st.binary(max_size=60))
def test_any_bytes_are_one_or_refused(body: bytes) -> None:
    try:
        ack = unpack_ack(b"\x01" + body)
    except DecodeError:
        return
    assert unpack_ack(pack_ack(ack)) == ack


@pytest.mark.parametrize("body", [b"", bytes(7), bytes(11), bytes(13), bytes(8) + b"\0\0\0\xff\xff\x7f"])
def test_what_is_cut_short_or_too_long_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_ack(b"\x01" + body)


def test_form_is_as_written_down() -> None:
    ack = Ack(session="00112233445566aa", up_to_seq=300, wall_ms=1, pause_s=9, ranges=((302, 305),))
    assert encode_ack(ack, "packed").hex() == "0100112233445566aaac0202" + "0a01" + "dc0403"
