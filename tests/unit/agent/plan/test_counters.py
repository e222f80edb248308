# SPDX-License-Identifier: Apache-2.0
"""Do counters that wrap, restart and change their line never count backwards and never invent a byte?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from agent.plan.counters import Counted, HostCounters, growth
from agent.plan.usage import Usage, with_look

NARROW = 2**32
LINES = ("eth0/2", "wwan0/5", "wwan0/6")


@dataclass
class Host:
    """Interfaces that count truly, and a power switch."""

    wraps_at: int
    boots: int = 0
    mono_ms: int = 0
    counted: dict[str, list[int]] = field(default_factory=lambda: {line: [0, 0] for line in LINES})
    passed_bytes: int = 0

    def move(self, line: str, bytes_: int, within_ms: int) -> None:
        """So many bytes each way."""
        self.mono_ms += within_ms
        self.counted[line] = [n + bytes_ for n in self.counted[line]]
        self.passed_bytes += 2 * bytes_

    def cut(self) -> None:
        """Power off and on."""
        self.boots, self.mono_ms = self.boots + 1, 0
        self.counted = {line: [0, 0] for line in LINES}

    def read(self, line: str) -> Counted:
        """What the kernel shows."""
        rx, tx = (n % self.wraps_at for n in self.counted[line])
        return Counted(
            epoch=str(self.boots),
            line=line,
            rx_bytes=rx,
            tx_bytes=tx,
            mono_ms=self.mono_ms,
            wraps_at=self.wraps_at,
        )


steps = st.one_of(
    st.tuples(
        st.just("move"),
        st.sampled_from(LINES),
        st.integers(0, NARROW // 8) | st.integers(0, 2000),
        st.integers(0, 5000),
    ),
    st.tuples(st.just("look"), st.sampled_from(LINES)),
    st.tuples(st.just("cut")),
    st.tuples(st.just("restart")),
)


def _followed(host: Host, history: list[tuple[Any, ...]]) -> Usage:
    usage = with_look(Usage(), host.read(LINES[0]))
    for step, *arguments in history:
        if step == "move":
            line, bytes_, more_ms = arguments
            # No faster than 1 Gbit/s.
            host.move(line, bytes_, bytes_ // 125_000 + 1 + more_ms)
        elif step == "cut":
            host.cut()
        elif step == "look":
            before = usage.line_bytes
            usage = with_look(usage, host.read(*arguments))
            assert usage.line_bytes >= before
    return usage


@given(st.lists(steps, max_size=40), st.sampled_from([NARROW, 2**64]))
def test_what_is_counted_never_shrinks_and_never_exceeds_what_passed(
    history: list[tuple[Any, ...]], wraps_at: int
) -> None:
    host = Host(wraps_at)
    usage = _followed(host, history)

    event(f"cuts: {min(host.boots, 3)}")
    assert 0 <= usage.line_bytes <= host.passed_bytes
    assert len(usage.looks) <= len(LINES)


@given(st.lists(st.tuples(st.integers(0, NARROW // 8), st.integers(0, 5000)), max_size=40))
def test_a_narrow_counter_that_is_looked_at_in_time_counts_everything(moves: list[tuple[int, int]]) -> None:
    host = Host(NARROW)
    usage = with_look(Usage(), host.read(LINES[0]))
    for bytes_, more_ms in moves:
        host.move(LINES[0], bytes_, bytes_ // 125_000 + 1 + more_ms)
        usage = with_look(usage, host.read(LINES[0]))

    assert usage.line_bytes == host.passed_bytes


@given(st.lists(st.one_of(st.integers(0, 10**9), st.none()), max_size=30))
def test_only_what_passed_between_the_last_look_and_a_cut_is_missing(moves: list[int | None]) -> None:
    host = Host(2**64)
    usage, unseen = with_look(Usage(), host.read(LINES[0])), 0
    for bytes_ in moves:
        if bytes_ is None:
            host.move(LINES[0], 777, 10)
            host.cut()
            unseen += 2 * 777
        else:
            host.move(LINES[0], bytes_, 10_000)
        usage = with_look(usage, host.read(LINES[0]))

    assert usage.line_bytes == host.passed_bytes - unseen


@given(st.lists(st.tuples(st.sampled_from(LINES), st.integers(0, 10**6)), max_size=30))
def test_a_default_route_that_goes_back_and_forth_is_counted_once(moves: list[tuple[str, int]]) -> None:
    host = Host(2**64)
    usage = with_look(Usage(), host.read(LINES[0]))
    host.cut()
    for line, bytes_ in moves:
        host.move(line, bytes_, 100)
        usage = with_look(usage, host.read(line))

    assert usage.line_bytes == host.passed_bytes


@given(
    st.lists(st.tuples(st.sampled_from(("eth0/2", "lan/2", "wan0/2")), st.integers(0, 10**6)), max_size=30)
)
def test_an_interface_that_is_renamed_goes_on_counting(moves: list[tuple[str, int]]) -> None:
    usage = with_look(Usage(), Counted(epoch="a", line="eth0/2", rx_bytes=5, tx_bytes=0, mono_ms=0))
    passed = 0
    for n, (line, bytes_) in enumerate(moves, 1):
        passed += bytes_
        now = Counted(epoch="b", line=line, rx_bytes=passed, tx_bytes=0, mono_ms=1000 * n)
        usage = with_look(usage, now)

    assert usage.line_bytes == passed


def test_what_was_counted_before_the_first_look_is_not_ours() -> None:
    first = Counted(epoch="a", line="eth0/2", rx_bytes=10**12, tx_bytes=10**9, mono_ms=5)

    assert with_look(Usage(), first).line_bytes == 0


def test_a_reset_of_a_wide_counter_is_no_wrap() -> None:
    before = Counted(epoch="a", line="eth0/2", rx_bytes=2**33, tx_bytes=500, mono_ms=0)
    now = Counted(epoch="a", line="eth0/2", rx_bytes=1000, tx_bytes=600, mono_ms=1000)

    assert growth(before, now) == (1000, 100)


def _narrow(rx: int, mono_ms: int) -> Counted:
    return Counted(epoch="a", line="eth0/2", rx_bytes=rx, tx_bytes=0, mono_ms=mono_ms, wraps_at=NARROW)


def test_a_narrow_counter_wraps_only_from_near_its_end_and_no_faster_than_a_link_can() -> None:
    near, far = NARROW - 1000, NARROW // 2

    assert growth(_narrow(near, 0), _narrow(500, 1000)) == (1500, 0)
    assert growth(_narrow(NARROW // 4 * 3, 0), _narrow(0, 60_000)) == (NARROW // 4, 0)
    # It was reset: by half an hour's silence at a gigabit it could have come round, but it was only half way.
    assert growth(_narrow(far, 0), _narrow(500, 1_800_000)) == (500, 0)
    # In a millisecond no gigabit link carries so much.
    assert growth(_narrow(near, 0), _narrow(200_000, 1)) == (200_000, 0)


def test_the_pause_is_what_lies_between_two_looks_and_not_the_time_since_the_boot() -> None:
    a_week_ms = 604_800_000
    reset = growth(_narrow(NARROW - 1000, a_week_ms), _narrow(200_000, a_week_ms + 1))

    assert reset == (200_000, 0)


def test_a_counter_that_began_anew_counts_from_0_even_where_it_shows_more_than_before() -> None:
    before = Counted(epoch="a", line="eth0/2", rx_bytes=100, tx_bytes=10, mono_ms=0)
    after = Counted(epoch="b", line="eth0/2", rx_bytes=5000, tx_bytes=600, mono_ms=1000)
    usage = with_look(with_look(Usage(), before), after)

    assert growth(before, after) == (5000, 600)
    assert usage.line_bytes == 5600
    assert after.bytes == 5600


def test_a_line_that_appears_after_a_boot_counts_from_that_boot_on() -> None:
    usage = with_look(Usage(), Counted(epoch="a", line="eth0/2", rx_bytes=7, tx_bytes=0, mono_ms=0))
    modem = Counted(epoch="b", line="wwan0/5", rx_bytes=300, tx_bytes=20, mono_ms=1000)

    assert with_look(usage, modem).line_bytes == 320


def test_no_more_lines_are_kept_than_a_page_has_room_for_and_the_newest_are() -> None:
    usage = Usage()
    for n in range(20):
        usage = with_look(usage, Counted(epoch="a", line=f"ppp0/{n}", rx_bytes=n, tx_bytes=0, mono_ms=n))

    assert [look.line for look in usage.looks.values()] == [f"ppp0/{n}" for n in range(12, 20)]


def test_the_hosts_counters_are_the_kernels(tmp_path: Path) -> None:
    folder = tmp_path / "eth7"
    (folder / "statistics").mkdir(parents=True)
    (folder / "ifindex").write_text("4\n")
    (folder / "statistics" / "rx_bytes").write_text("1000\n")
    (folder / "statistics" / "tx_bytes").write_text("50\n")

    counted = HostCounters("eth7", sys_net=tmp_path, mono_ns=lambda: 3_000_000).read()

    assert counted is not None
    assert (counted.line, counted.rx_bytes, counted.tx_bytes, counted.mono_ms) == ("eth7/4", 1000, 50, 3)
    assert HostCounters("eth8", sys_net=tmp_path).read() is None
    (folder / "ifindex").write_text("?")
    assert HostCounters("eth7", sys_net=tmp_path).read() is None


def test_the_real_kernel_counts_loopback() -> None:
    counted = HostCounters("lo").read()

    assert counted is not None
    assert 0 <= counted.rx_bytes <= counted.tx_bytes
