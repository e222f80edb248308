# SPDX-License-Identifier: Apache-2.0
"""Does what was encoded come back equal, and does what makes no sense come back as an error?"""

from __future__ import annotations

import base64
import contextlib
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract import packed
from agent.contract.codec import MAX_PLAIN_BYTES, Form, decode_ack, decode_batch, encode, encode_ack
from agent.contract.columns import Writer
from agent.contract.decoder import DecodeError
from agent.contract.dictionary import DICTIONARIES
from agent.contract.kinds import Latency
from agent.contract.record import MAX_SEQ, MAX_SPAN, Ack, Batch, ClockState, Record, to_plain
from tests.contract.strategies import batches, sessions
from tests.contract.vectors import BATCHES

CLOCK = ClockState(wall_ms=1_790_000_000_000, mono_ms=60_000, boot="0badcafe")
HEADER = {
    "v": 1,
    "device": "kz-1",
    "session": "0" * 16,
    "first_seq": 1,
    "last_seq": 1,
    "clock": to_plain(CLOCK),
}
RECORD = {"seq": 1, "kind": "reach", "clock": to_plain(CLOCK), "duration_ms": 5, "fields": {"up": True}}


@given(batches(), st.sampled_from(["packed", "json"]))
def test_a_batch_comes_back_equal(batch: Batch, form: Form) -> None:
    decoded = decode_batch(encode(batch, form))

    assert decoded.refused == ()
    assert decoded.batch == batch


def test_a_time_too_large_for_hundredths_comes_back_equal_and_is_refused() -> None:
    fields = Latency(target="x", rtt_p95_ms=3109625837304415.0)
    record = Record(seq=1, kind="latency", clock=CLOCK, duration_ms=0, fields=fields)
    batch = Batch(device="a", session="0" * 16, first_seq=1, clock=CLOCK, records=(record,))

    (refused,) = decode_batch(encode(batch)).refused

    assert refused.plain["fields"] == {"target": "x", "rtt_p95_ms": 3109625837304415.0}


@given(batches())
def test_both_forms_mean_the_same(batch: Batch) -> None:
    assert decode_batch(encode(batch, "packed")) == decode_batch(encode(batch, "json"))


@given(st.binary(max_size=200))
def test_bytes_of_a_stranger_are_refused_not_crashed_on(payload: bytes) -> None:
    for start in (b"", b"\x01\x01", b'{"v":1,'):
        with pytest.raises(DecodeError):
            decode_batch(start + payload)


@given(st.binary(max_size=300))
def test_any_body_behind_a_valid_deflate_is_decoded_or_refused(body: bytes) -> None:
    _decodes_or_refuses(_packed(body))


@given(batches(), st.data())
def test_a_damaged_body_is_decoded_or_refused(batch: Batch, data: st.DataObject) -> None:
    packed = encode(batch)
    body = bytearray(zlib.decompressobj(-15, DICTIONARIES[packed[1]]).decompress(packed[2:]))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    _decodes_or_refuses(_packed(bytes(body)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_json_of_any_shape_is_decoded_or_refused(plain: object) -> None:
    for message in (plain, {**HEADER, "records": [plain]}, {**HEADER, "clock": plain, "records": []}):
        _decodes_or_refuses(b"{" + json.dumps(message).encode()[1:])


@pytest.mark.parametrize("name", BATCHES)
def test_a_reader_older_than_the_last_field_of_each_kind_reads_the_others(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an older collector reads a newer agent: columns it does not know are passed over."""
    packed_batch, plain = encode(BATCHES[name]), to_plain(BATCHES[name]).get("records", [])
    known = {kind: names[:-1] for kind, names in packed._FIELD_NAMES.items()}
    monkeypatch.setattr(packed, "_FIELD_NAMES", known)

    read = packed.unpack(packed_batch, MAX_PLAIN_BYTES)["records"]

    for got, sent in zip(read, plain, strict=True):
        expected = {n: v for n, v in sent.get("fields", {}).items() if n in known[sent["kind"]]}
        assert got.get("fields", {}) == expected


def test_an_unknown_field_is_ignored() -> None:
    record = {**RECORD, "colour": 1, "fields": {"up": True, "colour": "red"}}

    decoded = decode_batch(json.dumps({**HEADER, "flavour": 2, "records": [record]}).encode())

    assert decoded.batch.records[0].fields is not None
    assert decoded.refused == ()


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({**RECORD, "fields": {"anchors": "3"}}, "fields.anchors: expected a whole number, got text ('3')"),
        (
            {**RECORD, "fields": {"anchors": True}},
            "fields.anchors: expected a whole number, got true/false (True)",
        ),
        ({**RECORD, "fields": {"anchors": -1}}, "fields.anchors: -1 is outside 0 … 9223372036854774784"),
        ({**RECORD, "kind": "reech"}, "kind: 'reech' is not a known kind; did you mean 'reach'?"),
        ({**RECORD, "duration_ms": None}, "duration_ms: expected a whole number, got nothing (None)"),
        ({**RECORD, "seq": 0}, "seq: is out of range"),
        ({**RECORD, "fields": None}, "fields: is required without a reason"),
        ([1], "a record must be a table, got list"),
    ],
)
def test_one_bad_record_is_refused_and_the_others_are_kept(record: object, problem: str) -> None:
    good = {**RECORD, "seq": 2}
    decoded = decode_batch(json.dumps({**HEADER, "last_seq": 2, "records": [record, good]}).encode())

    assert [r.seq for r in decoded.batch.records] == [2]
    assert [r.problem for r in decoded.refused] == [problem]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"v": 2}, "v: is required and must be 1"),
        ({"device": "../etc"}, "device: must be 1 to 48 of a-z, 0-9 and inner hyphens"),
        ({"session": "xyz"}, "session: must be 16 hexadecimal digits"),
        ({"first_seq": 0}, "first_seq: is out of range"),
        ({"last_seq": 0, "records": [RECORD]}, "last_seq: must be 1 or more"),
        ({"records": [{**RECORD, "seq": 1}, {**RECORD, "seq": 1}]}, "records: seq 1 does not follow 1"),
        ({"records": 3}, "records: expected a list"),
        ({"last_seq": 1_000_001}, "last_seq: is 1000000 or more beyond first_seq"),
        ({"session": "\ud800"}, "session: text with half a character: '\\ud800'"),
        ({"clock": {"wall_ms": 1e99}}, "clock.wall_ms: expected a whole number, got a number (1e+99)"),
    ],
)
def test_a_bad_header_refuses_the_message(change: dict[str, object], problem: str) -> None:
    with pytest.raises(DecodeError, match=f"^{__import__('re').escape(problem)}$"):
        decode_batch(json.dumps({**HEADER, **change}).encode())


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(DecodeError, match="more than 4194304 bytes decompressed"):
        decode_batch(_packed(bytes(MAX_PLAIN_BYTES * 4)))


def test_words_repeated_for_a_byte_each_are_refused_when_they_come_to_too_much() -> None:
    """Twenty details of three megabytes each fit into 3 kB."""
    detail = "é" * 1_500_000
    records = tuple(
        Record(seq=seq, kind="reach", clock=CLOCK, duration_ms=7, reason="timeout", detail=detail)
        for seq in range(1, 21)
    )
    made = Batch(device="kz-1", session="0" * 16, first_seq=1, clock=CLOCK, records=records)
    with pytest.raises(DecodeError, match="too much text"):
        decode_batch(encode(made))


def test_empty_blocks_without_end_are_refused() -> None:
    """A million of them would fit into 4 kB, and take seconds to pass over."""
    empty = Batch(device="kz-1", session="0" * 16, first_seq=1, clock=CLOCK)
    body = zlib.decompressobj(-15, DICTIONARIES[encode(empty)[1]]).decompress(encode(empty)[2:])
    many = Writer()
    many.varint(900_000)
    for _ in range(900_000):
        many.raw(b"\x00\x00\x20\x00")
    with pytest.raises(DecodeError, match="900000 blocks are more than 256"):
        decode_batch(_packed(body.removesuffix(b"\x00") + many.getvalue()))


@pytest.mark.parametrize("form", ["json", "packed"])
def test_more_records_than_asked_for_are_refused(form: Form) -> None:
    records = tuple(
        Record(seq=seq, kind="reach", clock=CLOCK, duration_ms=7, reason="timeout") for seq in range(1, 12)
    )
    made = Batch(device="kz-1", session="0" * 16, first_seq=1, clock=CLOCK, records=records)
    assert decode_batch(encode(made, form), max_records=11).batch == made
    with pytest.raises(DecodeError, match="more than 10 records"):
        decode_batch(encode(made, form), max_records=10)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_batch(b'{"v":1,"records":' + b"[" * 100_000)


def test_an_unknown_dictionary_is_refused() -> None:
    with pytest.raises(DecodeError, match="unknown dictionary"):
        decode_batch(b"\x01\xff" + bytes(20))


@given(
    st.builds(
        Ack,
        session=sessions,
        up_to_seq=st.integers(0, 2**53 - 1),
        wall_ms=st.integers(0, 2**50),
        ranges=st.lists(st.tuples(st.integers(1, 100), st.integers(100, 200)), max_size=4).map(tuple),
    )
)
def test_an_acknowledgement_comes_back_equal(ack: Ack) -> None:
    assert decode_ack(encode_ack(ack)) == ack


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"session":"0","up_to_seq":1}', b"\xff" * 9])
def test_a_damaged_acknowledgement_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_ack(payload)


def _packed(body: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[1])
    return b"\x01\x01" + squeeze.compress(body) + squeeze.flush()


def _decodes_or_refuses(payload: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_batch(payload)


@pytest.mark.parametrize("form", ["json", "packed"])
def test_a_batch_that_says_much_was_dropped_costs_no_more_than_it_holds(form: Form) -> None:
    """A coverage-guided fuzzer found 2^53 numbers being written down to be compared."""
    first_seq = MAX_SEQ - MAX_SPAN + 1
    lost = Batch(
        device="kz-1", session="00000000000000aa", first_seq=first_seq, last_seq=MAX_SEQ, clock=CLOCK
    )

    assert decode_batch(encode(lost, form)).batch == lost


def test_a_batch_that_says_everything_was_dropped_is_refused() -> None:
    claim = {**HEADER, "last_seq": MAX_SEQ, "records": []}
    with pytest.raises(DecodeError, match="last_seq"):
        decode_batch(json.dumps(claim).encode())


def test_a_figure_of_a_wrong_type_that_others_are_predicted_from_is_refused() -> None:
    """A coverage-guided fuzzer found a histogram column of decimals; predictions summed its pairs."""
    body = base64.b64decode(_DECIMAL_HISTOGRAM)
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[1])

    with pytest.raises(DecodeError, match="predicted"):
        decode_batch(b"\x01\x01" + squeeze.compress(body) + squeeze.flush())


_DECIMAL_HISTOGRAM = (
    b"AWH/////////Bv/6AizAkv/lvWigjQYkKzxNAQMDARAQUVFRUVFRUVFRUQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    b"AAAAAAAAAAAAAFVV1Tr5AQABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    b"AAAFAAAAAACvrlFRa3otMGltZW91dAAUMCzCkv/lvWigjQYkKzx/3QeSTgAHdGltZW91dAAUbmZmZmaAxgoGVVVVVVVV1Tr5AQAB"
    b"BQEQEIQ="
)
