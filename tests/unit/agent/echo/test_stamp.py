# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
import time
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo import stamp
from agent.echo.stamp import Instant, mono_of, stamp_ns

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND
WALL = 1_790_000_000 * SECOND
SENT = Instant(50 * SECOND, WALL)


def later(flight_ns: int, *, step_ns: int = 0) -> Instant:
    return Instant(SENT.mono_ns + flight_ns, SENT.wall_ns + flight_ns + step_ns)


@given(flight_ns=st.integers(0, 10 * SECOND), share=st.floats(0, 1))
def test_stamp_lies_on_the_monotonic_clock_where_it_was_made(flight_ns: int, share: float) -> None:
    made_ns = int(flight_ns * share)
    assert mono_of(WALL + made_ns, since=SENT, until=later(flight_ns)) == SENT.mono_ns + made_ns


@given(
    flight_ns=st.integers(0, 10 * SECOND),
    made_ns=st.integers(0, 10 * SECOND),
    step_ns=st.integers(-(10**18), 10**18).filter(lambda step: abs(step) > 20 * MILLISECOND),
)
def test_stamp_is_not_believed_when_the_clock_stepped_in_flight(
    flight_ns: int, made_ns: int, step_ns: int
) -> None:
    assert mono_of(WALL + made_ns, since=SENT, until=later(flight_ns, step_ns=step_ns)) is None


@pytest.mark.parametrize("made_ns", [-1, SECOND + 1, -WALL])
def test_stamp_outside_the_flight_is_not_believed(made_ns: int) -> None:
    assert mono_of(WALL + made_ns, since=SENT, until=later(SECOND)) is None


def test_slewed_clock_is_no_step() -> None:
    assert mono_of(WALL + SECOND, since=SENT, until=later(2 * SECOND, step_ns=MILLISECOND)) is not None


def test_clocks_are_read_again_when_something_came_between(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0, 5 * MILLISECOND, 6 * MILLISECOND, 6 * MILLISECOND + 200])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(readings))
    monkeypatch.setattr(time, "time_ns", count(WALL).__next__)
    assert stamp.now() == Instant(6 * MILLISECOND + 100, WALL + 1)


def test_clocks_are_taken_as_they_are_when_something_always_comes_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "monotonic_ns", count(0, MILLISECOND).__next__)
    assert stamp.now().mono_ns == 6.5 * MILLISECOND


async def _sent_to_itself(sock: socket.socket) -> tuple[int | None, int | None]:
    """The kernel's stamps of a datagram's leaving and arrival on loopback."""
    stamp.ask_for_stamps(sock)
    sock.bind(("127.0.0.1", 0))
    await stamp.begin()
    sock.sendto(b"x", sock.getsockname())
    arrived = sock.recvmsg(16, 256)[1]
    left = sock.recvmsg(64, 256, 0x2000)[1]
    return stamp_ns(left), stamp_ns(arrived)


async def test_the_kernel_stamps_both_ends_with_the_wall_clock() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        since = stamp.now()
        left_ns, arrived_ns = await _sent_to_itself(sock)
        until = stamp.now()
    assert left_ns is not None
    assert arrived_ns is not None
    assert since.wall_ns <= left_ns <= arrived_ns <= until.wall_ns
    places_ns = [mono_of(one, since=since, until=until) for one in (left_ns, arrived_ns)]
    assert None not in places_ns


@pytest.mark.parametrize("step_s", [-86_400, -1, 1, 86_400])
async def test_a_wall_clock_that_is_set_in_flight_makes_no_use_of_real_stamps(
    monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    """Seen from the program it is the same whether its clock is set or the kernel's: they come to differ."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        since = stamp.now()
        stamps_ns = await _sent_to_itself(sock)
        read = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: read() + step_s * SECOND)
        until = stamp.now()
    assert [mono_of(one or 0, since=since, until=until) for one in stamps_ns] == [None, None]


def test_stamp_is_taken_from_among_other_ancillary_data() -> None:
    ours = struct.pack("=6q", 5, 7, 0, 0, 0, 0)
    foreign = [(0, 65, b"x" * 16), (socket.SOL_SOCKET, 64, b"x" * 16)]
    ancillary = [(0, 11, b"x" * 16), *foreign, (socket.SOL_SOCKET, 65, ours)]
    assert stamp_ns(ancillary) == 5 * SECOND + 7


@pytest.mark.parametrize(
    "ancillary", [[], [(socket.SOL_SOCKET, 65, bytes(48))], [(socket.SOL_SOCKET, 65, b"x")]]
)
def test_stamp_is_none_when_the_kernel_made_none(ancillary: stamp.AncillaryData) -> None:
    assert stamp_ns(ancillary) is None


def test_socket_without_stamps_is_used_all_the_same() -> None:
    class Old:
        def setsockopt(self, *_: int) -> None:
            raise OSError

    stamp.ask_for_stamps(Old())  # type: ignore[arg-type]


async def test_a_round_begins_when_the_kernel_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter([None, None, 1])
    monkeypatch.setattr(stamp, "stamp_ns", lambda _: next(made))
    await stamp.begin()
    assert next(made, "all asked for") == "all asked for"


async def test_the_first_stamp_of_the_kernel_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int | None] = []

    def noted(ancillary: stamp.AncillaryData) -> int | None:
        seen.append(stamp_ns(ancillary))
        return seen[-1]

    monkeypatch.setattr(stamp, "stamp_ns", noted)
    await stamp.begin()
    assert [one for one in seen if one is not None] == seen[-1:]


async def test_a_kernel_that_never_stamps_holds_nobody_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamp, "stamp_ns", lambda _: None)
    monkeypatch.setattr(stamp, "_PAUSE_S", 0)
    await stamp.begin()


async def test_a_host_without_loopback_begins_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(stamp, "ask_for_stamps", refuse)
    await stamp.begin()
