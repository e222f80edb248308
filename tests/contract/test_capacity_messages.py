# SPDX-License-Identifier: Apache-2.0
"""Are the messages of a capacity test read as they were written, and all else refused?"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.capacity import message as m
from agent.contract.capacity.legs import MAX_LAG_NS, MAX_PACKET_BYTES, MIN_PACKET_BYTES, Leg, Pacer, sizes

eights = st.binary(min_size=8, max_size=8)
u16, u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
lengths = st.integers(m.MIN_ASKING_BYTES, m.MAX_DATAGRAM_BYTES)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=32)
legs = st.builds(
    Leg,
    count=st.integers(1, 16_000),
    packet_bytes=st.integers(MIN_PACKET_BYTES, MAX_PACKET_BYTES),
    interval_ns=st.integers(0, 10**9),
    together=st.sampled_from([1, 2]),
)
messages = st.one_of(
    st.builds(m.Hello, nonce=eights),
    st.builds(m.Cookie, nonce=eights, cookie=st.binary(min_size=16, max_size=16)),
    st.builds(
        m.Open,
        nonce=eights,
        cookie=st.binary(min_size=16, max_size=16),
        wanted_bytes=st.integers(0, 2**64 - 1),
        token=words,
    ),
    st.builds(m.Opened, nonce=eights, session=eights, bytes=st.integers(0, 2**64 - 1), ms=u32, max_kbps=u32),
    st.builds(m.Refused, about=eights, retry_after_s=u32, reason=words),
    st.builds(m.Ping, session=eights, number=u32, length=lengths),
    st.builds(m.Pong, session=eights, number=u32, length=lengths),
    st.builds(m.Send, session=eights, round=u16, legs=st.lists(legs, min_size=1, max_size=4).map(tuple)),
    st.builds(m.Data, session=eights, round=u16, seq=u32, sent_us=u32),
    st.builds(
        m.Ask,
        session=eights,
        round=u16,
        start=u32,
        datagrams=st.integers(0, 255),
        entries=st.integers(0, 255),
    ),
    st.builds(
        m.Report,
        session=eights,
        round=u16,
        total=u32,
        start=u32,
        overrun=u16,
        entries=st.lists(st.tuples(u16, u32), max_size=m.MAX_ENTRIES).map(tuple),
    ),
    st.builds(m.Bye, session=eights),
)


@given(messages)
def test_what_was_written_is_read(message: m.Message) -> None:
    written = m.write(message)
    assert m.read(written) == message
    assert len(written) <= m.MAX_DATAGRAM_BYTES


@given(messages, st.integers(0, 100), st.binary(max_size=3))
def test_what_is_cut_or_damaged_is_read_or_refused(message: m.Message, at: int, other: bytes) -> None:
    written = m.write(message)
    for damaged in (written[:at], written[:at] + other + written[at + len(other) :]):
        with contextlib.suppress(m.BadDatagram):
            m.read(damaged)


@pytest.mark.parametrize("asking", [m.Hello(bytes(8)), m.Open(bytes(8), bytes(16), 1, "t")])
def test_who_has_proven_nothing_is_sent_less_than_he_sent(asking: m.Message) -> None:
    answers = (
        m.Cookie(bytes(8), bytes(16)),
        m.Refused(bytes(8), 2**32 - 1, "x" * 32),
        m.Opened(bytes(8), bytes(8), 1, 1, 1),
    )
    assert max(len(m.write(answer)) for answer in answers) < len(m.write(asking))


@given(st.integers(1, 44), u32, st.integers(80, 1472))
def test_many_packets_are_each_a_message(count: int, sent_us: int, length: int) -> None:
    first = m.Data(b"12345678", 3, 70, sent_us)
    written = m.write_data(first, count=count, length=length)
    pieces = [bytes(written[i : i + length]) for i in range(0, len(written), length)]
    assert [m.read(piece) for piece in pieces] == [
        m.Data(b"12345678", 3, 70 + i, sent_us) for i in range(count)
    ]


@given(st.lists(legs, min_size=1, max_size=3), st.lists(st.integers(0, 5_000_000), min_size=1, max_size=50))
def test_a_pacer_lets_each_packet_go_once_and_never_before_its_time(
    plan: list[Leg], sleeps_ns: list[int]
) -> None:
    plan = [
        Leg(min(leg.count, 200), leg.packet_bytes, leg.interval_ns % 3_000_000, leg.together) for leg in plan
    ]
    pacer, now_ns, turn = Pacer(plan, 0), 0, 0
    sent: list[int] = []
    while not pacer.has_ended:
        now_ns = max(pacer.wake_ns, now_ns + sleeps_ns[turn % len(sleeps_ns)])
        turn += 1
        while (due := pacer.due(now_ns)) is not None:
            assert due.seq == len(sent)
            sent += [due.packet_bytes] * due.count
    assert sent == sizes(plan)
    last_ns = sum(leg.lasts_ns for leg in plan) - plan[-1].interval_ns
    assert now_ns >= last_ns


@given(st.integers(1_000, 2_000_000), st.integers(1_000_000, 50_000_000))
def test_what_was_missed_is_not_sent_at_once(interval_ns: int, pause_ns: int) -> None:
    pacer = Pacer([Leg(1000, 1400, interval_ns)], 0, most=1000)
    pacer.due(0)
    due = pacer.due(pause_ns)
    assert due is None or due.count <= MAX_LAG_NS // interval_ns + 3
