# SPDX-License-Identifier: Apache-2.0
"""Is a signed payload the same after its way, and are bytes of a stranger told apart from one?"""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.codec import decode_batch, encode
from agent.contract.decoder import DecodeError
from agent.contract.envelope import (
    HEAD_BYTES,
    Envelope,
    inner_of,
    is_sealed,
    key_id,
    open_envelope,
    seal,
    signed_bytes,
)
from agent.contract.record import Batch
from tests.contract.strategies import batches

inners = st.binary(min_size=1).filter(lambda inner: not is_sealed(inner))
envelopes = st.builds(
    Envelope, st.binary(min_size=4, max_size=4), st.binary(min_size=64, max_size=64), inners
)


@given(envelopes)
def test_an_envelope_is_itself_after_its_way(envelope: Envelope) -> None:
    assert open_envelope(seal(envelope)) == envelope
    assert len(seal(envelope)) == HEAD_BYTES + len(envelope.inner)


@given(batches())
def test_a_batch_is_read_from_its_envelope(batch: Batch) -> None:
    payload = seal(Envelope(bytes(4), bytes(64), encode(batch)))
    assert decode_batch(payload).batch == batch


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_refused(payload: bytes) -> None:
    for start in (b"", b"\x02", bytes([2]) + bytes(68)):
        with contextlib.suppress(DecodeError):
            assert seal(open_envelope(start + payload)) == start + payload


@pytest.mark.parametrize("payload", [b"\x02", b"\x02" + bytes(68), b"\x02" + bytes(68) + b"\x02x"])
def test_too_short_or_within_another_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        inner_of(payload)


@given(st.text(max_size=50), st.text(max_size=50), st.binary(), st.binary())
def test_two_devices_never_sign_the_same_bytes(one: str, two: str, a: bytes, b: bytes) -> None:
    one, two = one.replace("\0", ""), two.replace("\0", "")
    assert (signed_bytes(one, a) == signed_bytes(two, b)) == ((one, a) == (two, b))


def test_form_is_as_written_down() -> None:
    assert signed_bytes("kz-1", b"x") == b"schoolpulse batch 1\0kz-1\0x"
    assert seal(Envelope(b"abcd", b"s" * 64, b"x")) == b"\x02abcd" + b"s" * 64 + b"x"
    assert key_id(bytes(32)) == hashlib.sha256(bytes(32)).digest()[:4]
