# SPDX-License-Identifier: Apache-2.0
"""Is a signed payload the same after its way, and are bytes of a stranger told apart from one?"""

from __future__ import annotations

import contextlib
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.codec import decode_batch, encode
from agent.contract.decoder import DecodeError
from agent.contract.envelope import (
    HEAD_BYTES,
    MOST_CHAINED,
    AnyEnvelope,
    Chained,
    Envelope,
    Tagged,
    chain_of,
    chained_bytes,
    digest,
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
signatures = st.binary(min_size=64, max_size=64)
envelopes: st.SearchStrategy[AnyEnvelope] = st.one_of(
    st.builds(Envelope, st.binary(min_size=4, max_size=4), signatures, inners),
    st.builds(Tagged, st.binary(min_size=6, max_size=6), inners),
    st.builds(Chained, st.integers(1, MOST_CHAINED), st.binary(min_size=16, max_size=16), signatures, inners),
)
HEADS = {Envelope: HEAD_BYTES, Tagged: 7, Chained: 82}


@given(envelopes)
def test_an_envelope_is_itself_after_its_way(envelope: AnyEnvelope) -> None:
    assert open_envelope(seal(envelope)) == envelope
    assert len(seal(envelope)) == HEADS[type(envelope)] + len(envelope.inner)


@given(batches())
def test_a_batch_is_read_from_its_envelope(batch: Batch) -> None:
    inner = encode(batch)
    for envelope in (
        Envelope(bytes(4), bytes(64), inner),
        Tagged(bytes(6), inner),
        Chained(3, bytes(16), bytes(64), inner),
    ):
        assert decode_batch(seal(envelope)).batch == batch


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_refused(payload: bytes) -> None:
    for start in (b"", b"\x02", bytes([2]) + bytes(68), b"\x03", b"\x04\x01" + bytes(79)):
        with contextlib.suppress(DecodeError):
            assert seal(open_envelope(start + payload)) == start + payload


@pytest.mark.parametrize(
    "payload",
    [
        b"\x02",
        b"\x02" + bytes(68),
        b"\x02" + bytes(68) + b"\x02x",
        b"\x03" + bytes(6),
        b"\x03" + bytes(6) + b"\x03x",
        b"\x04\x01" + bytes(80),
        b"\x04\x00" + bytes(80) + b"{",
        b"\x04" + bytes([MOST_CHAINED + 1]) + bytes(80) + b"{",
    ],
)
def test_too_short_or_within_another_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        inner_of(payload)


@given(st.text(max_size=50), st.text(max_size=50), st.binary(), st.binary())
def test_two_devices_never_sign_the_same_bytes(one: str, two: str, a: bytes, b: bytes) -> None:
    one, two = one.replace("\0", ""), two.replace("\0", "")
    assert (signed_bytes(one, a) == signed_bytes(two, b)) == ((one, a) == (two, b))


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, unique=True), st.randoms())
def test_a_chain_is_of_a_set(digests: list[bytes], dice: random.Random) -> None:
    shuffled = dice.sample(digests, len(digests))
    assert chain_of(shuffled) == chain_of(digests)
    assert chain_of(digests[1:]) != chain_of(digests)


def test_form_is_as_written_down() -> None:
    assert signed_bytes("kz-1", b"x") == b"schoolpulse batch 1\0kz-1\0x"
    assert seal(Envelope(b"abcd", b"s" * 64, b"x")) == b"\x02abcd" + b"s" * 64 + b"x"
    assert key_id(bytes(32)) == hashlib.sha256(bytes(32)).digest()[:4]
    assert seal(Tagged(b"tagtag", b"x")) == b"\x03tagtagx"
    assert seal(Chained(2, b"c" * 16, b"s" * 64, b"x")) == b"\x04\x02" + b"c" * 16 + b"s" * 64 + b"x"
    assert chained_bytes("kz-1", 2, b"c" * 16, b"x") == (
        b"schoolpulse chained batch 1\0kz-1\0\x02" + b"c" * 16 + b"x"
    )
    assert digest(b"x") == hashlib.sha256(b"x").digest()
    assert chain_of([b"b", b"a"]) == hashlib.sha256(b"schoolpulse chain 1\0ab").digest()[:16]
