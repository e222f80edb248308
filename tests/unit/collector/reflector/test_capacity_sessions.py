# SPDX-License-Identifier: Apache-2.0
"""What can be had from the reflector's capacity service, by friend and by foe?"""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.capacity import message as m
from agent.contract.capacity.legs import Leg
from collector.checkpoint import public_key
from collector.reflector import token
from collector.reflector.capacity import Out, Sessions
from collector.reflector.gate import Gate
from collector.reflector.options import GateOptions
from tests.contract.test_capacity_messages import messages

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TOKEN = token.make(KEY, "kz-0001", expires_s=2**33)
HOME, ELSEWHERE = ("203.0.113.7", 5000), ("203.0.113.8", 5000)
NONCE = b"nonce..."


class Service:
    """Sessions with a clock that goes when it is told."""

    def __init__(self, test_bytes: int = 10_000_000) -> None:
        self.now_ns = 0
        options = GateOptions(
            token_public_key=public_key(KEY), test_bytes=test_bytes, device_tests_per_hour=999
        )
        self.gate = Gate(options, now_s=lambda: self.now_ns / 1e9, wall_s=time.time)
        self.sessions = Sessions(self.gate, max_mbps=100.0, now_s=lambda: self.now_ns / 1e9)

    def say(self, message: m.Message | bytes, address: tuple[str, int] = HOME) -> list[m.Message]:
        data = message if isinstance(message, bytes) else m.write(message)
        return [m.read(bytes(out.data)) for out in self.say_raw(data, address)]

    def say_raw(self, data: bytes, address: tuple[str, int] = HOME) -> list[Out]:
        return list(self.sessions.receive(data, address, self.now_ns, self.now_ns))

    def open(self, wanted_bytes: int = 1_000_000, nonce: bytes = NONCE) -> m.Message:
        (cookie,) = self.say(m.Hello(nonce))
        assert isinstance(cookie, m.Cookie)
        (answer,) = self.say(m.Open(nonce, cookie.cookie, wanted_bytes, TOKEN))
        return answer

    def opened(self, wanted_bytes: int = 1_000_000) -> bytes:
        answer = self.open(wanted_bytes)
        assert isinstance(answer, m.Opened)
        return answer.session

    def sent(self, seconds: float) -> list[Out]:
        outs: list[Out] = []
        end_ns = self.now_ns + round(seconds * 1e9)
        while (wake_ns := self.sessions.wake_ns()) is not None and wake_ns <= end_ns:
            self.now_ns = max(self.now_ns, wake_ns)
            outs += self.sessions.due(self.now_ns)
        self.now_ns = end_ns
        return outs


def bytes_of(outs: list[Out]) -> int:
    return sum(len(out.data) for out in outs)


def test_a_proven_address_with_a_token_is_let_in() -> None:
    answer = Service().open(500_000)
    assert isinstance(answer, m.Opened)
    assert answer.bytes == 500_000


def test_a_cookie_of_another_address_opens_nothing() -> None:
    service = Service()
    (cookie,) = service.say(m.Hello(NONCE), ELSEWHERE)
    assert isinstance(cookie, m.Cookie)
    assert service.say(m.Open(NONCE, cookie.cookie, 1, TOKEN)) == []


def test_an_old_cookie_opens_nothing() -> None:
    service = Service()
    (cookie,) = service.say(m.Hello(NONCE))
    assert isinstance(cookie, m.Cookie)
    service.now_ns = 41_000_000_000
    assert service.say(m.Open(NONCE, cookie.cookie, 1, TOKEN)) == []


def test_the_same_opening_twice_is_one_test() -> None:
    service = Service()
    first, second = service.open(), service.open()
    assert first == second
    assert service.gate.tests == 1


def test_a_second_test_of_a_device_is_told_when_to_come_back() -> None:
    service = Service()
    service.open()
    answer = service.open(nonce=b"another.")
    assert isinstance(answer, m.Refused)
    assert (answer.reason, answer.retry_after_s > 0) == ("busy", True)


def test_a_round_is_sent_once_at_its_pace() -> None:
    service = Service()
    ident = service.opened()
    for _ in range(2):
        service.say(m.Send(ident, 1, (Leg(100, 1000, 1_000_000),)))
    half, rest = service.sent(0.05), service.sent(1.0)
    assert bytes_of(half + rest) == 100 * (1000 - 28)
    assert 45 <= bytes_of(half) / (1000 - 28) <= 56


def test_no_one_is_sent_to_faster_than_the_reflector_sends() -> None:
    service = Service()
    service.say(m.Send(service.opened(), 1, (Leg(500, 1250, 0),)))
    assert bytes_of(service.sent(0.01)) <= 100e6 / 8 * 0.011 + 10_000


def test_no_more_is_sent_than_was_granted() -> None:
    service = Service(test_bytes=100_000)
    service.say(m.Send(service.opened(10**9), 1, (Leg(1000, 1000, 10_000),)))
    assert 90_000 < bytes_of(service.sent(10.0)) <= 100_000


def test_what_came_of_a_round_up_is_told_by_arrival() -> None:
    service = Service()
    ident = service.opened()
    for seq in (0, 2, 1):
        service.now_ns += 1_000_000
        service.say_raw(bytes(m.write_data(m.Data(ident, 7, seq, 0), count=1, length=500)))
    (report,) = service.say(m.Ask(ident, 7, 0))
    assert isinstance(report, m.Report)
    assert report.entries == ((0, 0), (2, 1000), (1, 2000))
    (later,) = service.say(m.Ask(ident, 7, 2))
    assert isinstance(later, m.Report)
    assert later.entries == ((1, 2000),)


def test_a_session_under_another_address_is_told_so_and_counts_nothing() -> None:
    service = Service()
    ident = service.opened()
    (answer,) = service.say(m.Ping(ident, 1), ELSEWHERE)
    assert isinstance(answer, m.Refused)
    assert answer.reason == "moved"
    assert service.say_raw(bytes(m.write_data(m.Data(ident, 7, 0, 0), count=1, length=500)), ELSEWHERE) == []
    (report,) = service.say(m.Ask(ident, 7, 0))
    assert isinstance(report, m.Report)
    assert report.total == 0


def test_a_session_that_is_not_known_is_told_so() -> None:
    (answer,) = Service().say(m.Ping(b"unknown.", 1))
    assert isinstance(answer, m.Refused)
    assert answer.reason == "unknown"


def test_a_test_ends_by_goodbye_by_silence_and_by_its_time() -> None:
    service = Service()
    service.say(m.Bye(service.opened()))
    assert (len(service.sessions), service.gate.tests) == (0, 0)
    service.opened()
    service.now_ns += 16_000_000_000
    service.sessions.sweep(service.now_ns)
    assert (len(service.sessions), service.gate.tests) == (0, 0)


@pytest.mark.parametrize("address", [HOME, ELSEWHERE])
@given(said=st.lists(messages.map(m.write) | st.binary(max_size=200), max_size=30))
def test_a_stranger_is_never_sent_more_than_he_sent(address: tuple[str, int], said: list[bytes]) -> None:
    service = Service()
    sent = 0
    for data in said:
        sent += bytes_of(service.say_raw(data, address))
        sent += bytes_of(list(service.sessions.due(service.now_ns)))
        service.now_ns += 1_000_000
    assert sent <= sum(map(len, said))
    assert service.gate.tests == 0


def test_a_question_that_is_not_padded_is_not_answered() -> None:
    whole = m.write(m.Hello(NONCE))
    answered = [n for n in range(len(whole) + 1) if Service().say_raw(whole[:n])]
    print(f"{len(whole) + 1} lengths of a question asked, answered: {answered}")
    assert answered == [m.MIN_ASKING_BYTES]
    assert isinstance(m.read(whole[:-1]), m.Hello)


@pytest.mark.parametrize("kind", ["ping", "ask"])
def test_who_asks_without_end_is_sent_no_more_than_was_granted(kind: str) -> None:
    service = Service(test_bytes=100_000)
    ident = service.opened(10**9)
    for seq in range(100):
        service.say_raw(bytes(m.write_data(m.Data(ident, 7, seq, 0), count=1, length=100)))
    asked: m.Message = m.Ping(ident, 1, 1000) if kind == "ping" else m.Ask(ident, 7, 0)
    sent = [bytes_of(service.say_raw(m.write(asked))) for _ in range(1000)]
    assert sent[0] > 0
    assert sent[-1] == 0
    assert sum(sent) <= 100_000
