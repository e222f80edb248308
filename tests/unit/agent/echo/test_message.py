# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo.message import BadMessage, DnsAnswer, RecordType, is_host_name, read_answer, write_question

QUESTION = write_question("www.example.org", ident=0xBEEF)
A_RECORD = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + bytes([192, 0, 2, 1])
CNAME = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 300, 6) + b"\x03web\xc0\x10"
OF_CNAME = b"\xc0\x2d" + A_RECORD[2:]


def answer(records: bytes = A_RECORD, *, count: int = 1, flags: int = 0x8180, ident: int = 0xBEEF) -> bytes:
    return struct.pack("!6H", ident, flags, 1, count, 0, 0) + QUESTION[12:] + records


def test_question_is_the_known_bytes() -> None:
    assert write_question("example.org.", ident=1).hex() == (
        "000101000001000000000000" + "076578616d706c65036f726700" + "00010001"
    )


def test_answer_gives_its_addresses() -> None:
    assert read_answer(answer(), question=QUESTION) == DnsAnswer(0, 1, ("192.0.2.1",))
    through_alias = read_answer(answer(CNAME + OF_CNAME, count=2), question=QUESTION)
    assert through_alias == DnsAnswer(0, 2, ("192.0.2.1",))


EVIL = b"\x04evil\x04test\0"
TO_ITSELF = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 300, 2) + b"\xc0\x0c"


@pytest.mark.parametrize(
    ("records", "count", "hosts"),
    [
        (EVIL + A_RECORD[2:], 1, ()),
        (CNAME + EVIL + A_RECORD[2:], 2, ()),
        (TO_ITSELF + EVIL + A_RECORD[2:], 2, ()),
        (b"\x03web\x07EXAMPLE\x03org\0" + A_RECORD[2:] + CNAME, 2, ("192.0.2.1",)),
    ],
    ids=["stranger", "behind an alias", "in a circle", "before its alias, in another case"],
)
def test_only_addresses_of_the_name_or_its_aliases_are_taken(
    records: bytes, count: int, hosts: tuple[str, ...]
) -> None:
    assert read_answer(answer(records, count=count), question=QUESTION) == DnsAnswer(0, count, hosts)


def test_answer_gives_ipv6_addresses() -> None:
    question = write_question("www.example.org", ident=0xBEEF, kind=RecordType.AAAA)
    value = socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    record = b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, 300, 16) + value
    data = struct.pack("!6H", 0xBEEF, 0x8180, 1, 1, 0, 0) + question[12:] + record
    assert read_answer(data, question=question, kind=RecordType.AAAA).addresses == ("2001:db8::7",)


def test_answer_in_another_case_is_ours() -> None:
    assert read_answer(answer().replace(b"example", b"eXAMPLe"), question=QUESTION).answers == 1


@pytest.mark.parametrize("rcode", [1, 2, 3, 5])
def test_answer_gives_its_error_code(rcode: int) -> None:
    assert read_answer(answer(b"", count=0, flags=0x8180 | rcode), question=QUESTION).rcode == rcode


def test_error_may_leave_the_question_out() -> None:
    data = struct.pack("!6H", 0xBEEF, 0x8181, 0, 0, 0, 0)
    assert read_answer(data, question=QUESTION) == DnsAnswer(1, 0, ())


def test_truncated_answer_is_an_answer_without_addresses() -> None:
    read = read_answer(answer(b"", count=9, flags=0x8380), question=QUESTION)
    assert read == DnsAnswer(0, 9, (), truncated=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        answer()[:11],
        answer()[:-1],
        answer()[:20],
        answer(ident=0xBEEE),
        answer(flags=0x0100),
        answer(count=2),
        answer().replace(b"example", b"exbmple"),
        struct.pack("!6H", 0xBEEF, 0x8180, 0, 1, 0, 0) + A_RECORD,
        answer(b"\xc0\x21" + A_RECORD[2:]),  # points to itself
        answer(b"\xc0\x23\xc0\x21" + A_RECORD[2:]),  # points forwards, and back again
        answer(b"\xc0\x00" + A_RECORD[2:]),  # points into the header
        answer(b"\x80" + A_RECORD[2:]),  # a label type nobody uses
        answer((b"\x3f" + b"a" * 63) * 4 + b"\0" + A_RECORD[2:]),  # a name of 257 octets
    ],
)
def test_message_that_is_no_sound_answer_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read_answer(data, question=QUESTION)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadMessage):
        read_answer(data, question=QUESTION)


@given(records=st.binary(max_size=100), count=st.integers(0, 0xFFFF))
def test_any_records_are_read_or_refused(records: bytes, count: int) -> None:
    with contextlib.suppress(BadMessage):
        found = read_answer(answer(records, count=count), question=QUESTION)
        assert len(found.addresses) <= found.answers == count


@given(at=st.integers(0, 200), byte=st.integers(0, 255), cut=st.integers(0, 20))
def test_any_damage_to_an_answer_is_read_or_refused(at: int, byte: int, cut: int) -> None:
    data = bytearray(answer(CNAME + OF_CNAME, count=2))
    data[at % len(data)] = byte
    with contextlib.suppress(BadMessage):
        read_answer(bytes(data[: len(data) - cut]), question=QUESTION)


@given(pointers=st.lists(st.integers(0xC000, 0xFFFF), min_size=1, max_size=60))
def test_any_chain_of_pointers_ends(pointers: list[int]) -> None:
    chain = struct.pack(f"!{len(pointers)}H", *pointers)
    with contextlib.suppress(BadMessage):
        read_answer(answer(chain, count=30), question=QUESTION)


@pytest.mark.parametrize("name", ["example.org", "example.org.", "a", "_dmarc.x-y.kz", "x" * 63 + ".org"])
def test_host_name_is_one(name: str) -> None:
    assert is_host_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "-a.org", "a b", "x" * 64, "мектеп.қаз", "a.org\n", ".".join(["abc"] * 64)]
)
def test_host_name_is_none(name: str) -> None:
    assert not is_host_name(name)
