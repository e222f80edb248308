# SPDX-License-Identifier: Apache-2.0
"""Whom does the gate let in, and how much?"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from collector.checkpoint import public_key
from collector.reflector import token
from collector.reflector.gate import Gate, Grant, Refusal, Refused
from collector.reflector.options import GateOptions

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
A, B = (token.make(KEY, device, expires_s=1000) for device in ("kz-a", "kz-b"))
HOME = "203.0.113.7"


class Clock:
    """Goes when it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def make(clock: Clock | None = None, **options: Any) -> Gate:
    told = GateOptions(token_public_key=public_key(KEY), **options)
    return Gate(told, now_s=clock or Clock(), wall_s=lambda: 500.0)


def reason_of(answer: Grant | Refused) -> Refusal | None:
    return answer.reason if isinstance(answer, Refused) else None


def admitted(answer: Grant | Refused) -> Grant:
    assert isinstance(answer, Grant), answer
    return answer


@pytest.mark.parametrize(
    "text", ["", "sp1", A[:-1], A + "A", A.replace("kz-a", "kz-b"), "sp1.-.1." + "A" * 86]
)
def test_what_is_no_token_of_the_centre_is_refused(text: str) -> None:
    assert reason_of(make().admit(text, HOME, 1)) is Refusal.TOKEN


def test_an_expired_token_and_that_of_another_centre_are_refused() -> None:
    other = token.make(Ed25519PrivateKey.generate(), "kz-a", expires_s=1000)
    old = token.make(KEY, "kz-a", expires_s=499)
    for text, why in ((other, "signature"), (old, "expired")):
        answer = make().admit(text, HOME, 1)
        assert isinstance(answer, Refused)
        assert why in answer.detail
        assert answer.retry_after_s is None


def test_without_a_key_nobody_is_let_in() -> None:
    assert reason_of(Gate(GateOptions()).admit(A, HOME, 1)) is Refusal.TOKEN


def test_a_device_has_one_test_at_a_time() -> None:
    gate = make()
    with admitted(gate.admit(A, HOME, 1)):
        assert reason_of(gate.admit(A, HOME, 1)) is Refusal.BUSY
        assert reason_of(gate.admit(A, "203.0.113.8", 1)) is Refusal.BUSY
        admitted(gate.admit(B, "203.0.113.8", 1)).close()
    assert gate.tests == 0
    admitted(gate.admit(A, HOME, 1))


def test_schools_behind_one_address_do_not_wait_for_one_another() -> None:
    gate = make(tests=100, device_bytes_per_day=100_000, refused_per_minute=1)
    schools = [token.make(KEY, f"kz-{i}", expires_s=1000) for i in range(100)]
    for _ in range(10):
        grants = [admitted(gate.admit(text, HOME, 10_000)) for text in schools]
        for grant in grants:
            assert grant.take(10_000)
            grant.close()


def test_devices_of_one_site_test_one_after_the_other_wherever_they_stand() -> None:
    one, two = (token.make(KEY, device, expires_s=1000, site="school-7") for device in ("kz-1", "kz-2"))
    gate = make()
    with admitted(gate.admit(one, HOME, 1)):
        assert reason_of(gate.admit(two, "2001:db8::1", 1)) is Refusal.BUSY
        admitted(gate.admit(A, HOME, 1))
    admitted(gate.admit(two, "2001:db8::1", 1))


@pytest.mark.parametrize(
    ("one", "other", "is_one_place"),
    [
        (HOME, HOME, True),
        (HOME, "203.0.113.8", False),
        (HOME, "::ffff:203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_guests_at_one_place_share_what_one_device_may(one: str, other: str, is_one_place: bool) -> None:
    gate = make(device_bytes_per_day=150_000, test_bytes=100_000)
    with admitted(gate.admit_guest(one, 100_000)) as grant:
        assert grant.take(100_000)
        answer = gate.admit_guest(other, 50_001)
        assert (reason_of(answer) is Refusal.BUSY) == is_one_place
        if isinstance(answer, Grant):
            answer.close()
    assert (reason_of(gate.admit_guest(other, 50_001)) is Refusal.DEVICE_BYTES) == is_one_place


def test_guests_leave_half_the_places_to_schools() -> None:
    gate = make(tests=4)
    guests = [gate.admit_guest(f"198.51.100.{i}", 1) for i in range(4)]
    assert [reason_of(guest) for guest in guests] == [None, None, Refusal.BUSY, Refusal.BUSY]
    admitted(gate.admit(A, HOME, 1))
    admitted(gate.admit(B, HOME, 1))


def test_a_busy_reflector_says_when_to_come_back() -> None:
    gate = make(tests=1)
    admitted(gate.admit(A, HOME, 1))
    answer = gate.admit(B, HOME, 1)
    assert isinstance(answer, Refused)
    assert answer.reason is Refusal.BUSY
    assert answer.retry_after_s is not None
    assert answer.retry_after_s >= 5


def test_a_grant_ends_with_its_bytes() -> None:
    grant = admitted(make(test_bytes=100_000).admit(A, HOME, 10**9))
    assert grant.bytes == 100_000
    assert grant.take(100_000)
    assert not grant.take(1)


def test_a_grant_ends_with_its_time_and_then_holds_no_place() -> None:
    clock = Clock()
    gate = make(clock, tests=1, test_s=10)
    grant = admitted(gate.admit(A, HOME, 1000))
    clock.now_s = 10.1
    assert not grant.take(1)
    admitted(gate.admit(B, HOME, 1))
    grant.close()
    assert gate.tests == 1


def test_nothing_is_taken_from_a_closed_grant() -> None:
    grant = admitted(make().admit(A, HOME, 1000))
    grant.close()
    assert not grant.take(1)


def test_bytes_of_a_day_end_and_come_back() -> None:
    clock = Clock()
    gate = make(clock, device_bytes_per_day=150_000, test_bytes=100_000)
    with admitted(gate.admit(A, HOME, 100_000)) as grant:
        grant.take(100_000)
    refused = gate.admit(A, HOME, 100_000)
    assert reason_of(refused) is Refusal.DEVICE_BYTES
    admitted(gate.admit(A, HOME, 50_000)).close()
    clock.now_s = 86_401
    admitted(gate.admit(A, HOME, 100_000))


def test_only_bytes_that_were_moved_count() -> None:
    gate = make(device_bytes_per_day=150_000, test_bytes=100_000)
    for _ in range(5):
        with admitted(gate.admit(A, HOME, 100_000)) as grant:
            grant.take(10_000)
    assert reason_of(gate.admit(A, HOME, 100_000)) is None


def test_tests_of_an_hour_end() -> None:
    gate = make(device_tests_per_hour=2)
    for _ in range(2):
        admitted(gate.admit(A, HOME, 1)).close()
    assert reason_of(gate.admit(A, HOME, 1)) is Refusal.DEVICE_TESTS


def test_an_address_that_only_asks_wrongly_is_no_longer_looked_at() -> None:
    gate = make(refused_per_minute=3)
    for _ in range(3):
        assert reason_of(gate.admit("x", HOME, 1)) is Refusal.TOKEN
    assert reason_of(gate.admit(A, HOME, 1)) is Refusal.TOO_MANY_REFUSALS
    admitted(gate.admit(A, "203.0.113.8", 1))


def test_a_host_of_ipv6_does_not_escape_by_taking_another_address() -> None:
    gate = make(refused_per_minute=3)
    for i in range(3):
        assert reason_of(gate.admit("x", f"2001:db8::{i:x}", 1)) is Refusal.TOKEN
    assert reason_of(gate.admit("x", "2001:db8::ffff", 1)) is Refusal.TOO_MANY_REFUSALS


def test_who_asks_wrongly_behind_the_same_address_shuts_out_no_device_that_was_let_in() -> None:
    gate = make(refused_per_minute=3)
    admitted(gate.admit(A, HOME, 1)).close()
    for _ in range(10):
        gate.admit("x", HOME, 1)
    admitted(gate.admit(A, HOME, 1)).close()


def test_a_device_that_asks_on_and_on_is_no_longer_looked_at_and_harms_no_other() -> None:
    gate = make(refused_per_minute=3)
    with admitted(gate.admit(A, HOME, 1)):
        seen = [reason_of(gate.admit(A, HOME, 1)) for _ in range(4)]
        assert seen == [Refusal.BUSY] * 3 + [Refusal.TOO_MANY_REFUSALS]
        admitted(gate.admit(B, HOME, 1))


def test_a_token_that_was_let_in_expires_all_the_same() -> None:
    wall = Clock()
    gate = Gate(GateOptions(token_public_key=public_key(KEY)), now_s=Clock(), wall_s=wall)
    admitted(gate.admit(A, HOME, 1)).close()
    wall.now_s = 1001
    assert reason_of(gate.admit(A, HOME, 1)) is Refusal.TOKEN


@given(
    st.lists(st.tuples(st.sampled_from([A, B, "x"]), st.integers(0, 10**7), st.floats(0, 100)), max_size=40)
)
def test_whatever_is_asked_no_limit_is_passed(asked: list[tuple[str, int, float]]) -> None:
    clock = Clock()
    gate = make(clock, tests=1, device_bytes_per_day=10**7, test_bytes=10**6, refused_per_minute=10**4)
    moved = {"kz-a": 0, "kz-b": 0}
    for text, wanted, lasts_s in asked:
        answer = gate.admit(text, HOME, wanted)
        clock.now_s += lasts_s
        if isinstance(answer, Grant):
            assert gate.tests <= 1
            moved[answer.visitor.name] += wanted if answer.take(wanted) else 0
            answer.close()
    assert max(moved.values()) <= 10**7
