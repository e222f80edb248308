# SPDX-License-Identifier: Apache-2.0
"""Does the plan hold, whatever tests cost and whenever the power goes?"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.contract.record import ClockState
from agent.plan import month
from agent.plan.budget import State, allowance
from agent.plan.counters import Counted
from agent.plan.ledger import SAVE_EVERY_MS, SAVE_MUCH_EVERY_MS, Ledger
from agent.plan.options import PlanOptions
from agent.plan.usage import Usage, in_month, reserved, settled

LEAST = 200_000
DAY_MS = 86_400_000
plans = st.builds(
    PlanOptions,
    month_bytes=st.integers(1_000_000, 10**10),
    test_share_ratio=st.floats(0, 1),
    shrink_ratio=st.floats(0, 1),
    reset_day=st.integers(1, 31),
    time_zone=st.just("Asia/Almaty"),
)
# Behind its threshold it has room for twice 300 of the smallest tests.
ample = st.builds(
    PlanOptions,
    month_bytes=st.integers(10**9, 10**10),
    test_share_ratio=st.floats(0.3, 1),
    shrink_ratio=st.floats(0, 0.55),
    reset_day=st.integers(1, 31),
    time_zone=st.just("Asia/Almaty"),
)


@given(plans, st.integers(0, 10**10), st.integers(0, 10**10), st.integers(1, 10**9), st.integers(1, 500))
def test_an_allowance_is_enough_for_a_figure_and_within_both_limits(
    plan: PlanOptions, tests: int, others: int, least: int, tests_left: int
) -> None:
    usage = Usage(test_bytes=tests, line_bytes=tests + others)
    allowed = allowance(plan, usage, least_bytes=least, tests_left=tests_left)

    if allowed.state is State.EXHAUSTED:
        assert allowed.bytes == 0
        return
    assert allowed.bytes is not None
    assert plan.month_bytes is not None
    assert plan.share_bytes is not None
    assert least <= allowed.bytes
    assert tests + allowed.bytes <= plan.share_bytes
    assert tests + others + allowed.bytes <= plan.month_bytes


@given(plans, st.integers(1, 300), st.integers(LEAST, 10**9))
def test_a_month_of_greedy_tests_never_exceeds_its_share(plan: PlanOptions, tests: int, wanted: int) -> None:
    usage, states = Usage(month="2026-11-01"), []
    for left in range(tests, 0, -1):
        allowed = allowance(plan, usage, least_bytes=LEAST, tests_left=left)
        states.append(allowed.state)
        if allowed.bytes:
            usage = settled(reserved(usage, allowed.bytes), min(wanted, allowed.bytes))

    assert plan.share_bytes is not None
    assert usage.test_bytes <= plan.share_bytes
    assert states == sorted(states, key=list(State).index), "a plan does not get ampler within its month"


@given(ample, st.integers(30, 300))
def test_from_the_threshold_on_there_are_tests_until_the_month_ends(plan: PlanOptions, tests: int) -> None:
    assert (plan.share_bytes or 0) * (1 - plan.shrink_ratio) > 2 * tests * LEAST
    usage, made = Usage(month="2026-11-01", test_bytes=int((plan.share_bytes or 0) * plan.shrink_ratio)), 0
    for left in range(tests, 0, -1):
        allowed = allowance(plan, usage, least_bytes=LEAST, tests_left=left)
        made += allowed.bytes is not None and allowed.bytes >= LEAST
        usage = settled(reserved(usage, allowed.bytes or 0), allowed.bytes)

    assert made == tests


def test_without_a_plan_there_is_no_limit_but_tests_are_counted() -> None:
    allowed = allowance(PlanOptions(), Usage(test_bytes=10**15), least_bytes=LEAST, tests_left=1)

    assert (allowed.state, allowed.bytes) == (State.AMPLE, None)
    assert settled(reserved(Usage(), 500), 300).test_bytes == 300


def test_what_pupils_use_up_stops_the_tests_too() -> None:
    plan = PlanOptions(month_bytes=10_000_000, test_share_ratio=0.5)
    states = [
        allowance(plan, Usage(line_bytes=used), least_bytes=LEAST, tests_left=1).state
        for used in (7_900_000, 8_000_000, 9_800_001)
    ]

    assert states == [State.AMPLE, State.SHRUNK, State.EXHAUSTED]


def test_what_a_test_under_way_may_yet_move_is_not_given_twice() -> None:
    plan = PlanOptions(month_bytes=10_000_000, test_share_ratio=0.5)
    of_share = Usage(test_bytes=2_000_000, reserved_bytes=2_800_001)
    of_plan = Usage(line_bytes=6_000_000, reserved_bytes=3_800_001)
    for usage in (of_share, of_plan):
        assert allowance(plan, usage, least_bytes=LEAST, tests_left=1).state is State.EXHAUSTED
        just_enough = replace(usage, reserved_bytes=usage.reserved_bytes - 1)
        assert allowance(plan, just_enough, least_bytes=LEAST, tests_left=1).bytes == LEAST


@given(st.dates(dt.date(2024, 1, 1), dt.date(2030, 1, 1)), st.integers(1, 31))
def test_the_plans_months_follow_one_another(day: dt.date, reset_day: int) -> None:
    begin = month.begin_of(day, reset_day)
    end = month.end_of(begin, reset_day)

    assert begin <= day < end
    assert 28 <= (end - begin).days <= 31
    assert month.begin_of(end, reset_day) == end
    assert month.begin_of(end - dt.timedelta(1), reset_day) == begin


def test_a_month_that_is_shorter_than_the_reset_day_begins_on_its_last() -> None:
    assert month.begin_of(dt.date(2026, 3, 5), 31) == dt.date(2026, 2, 28)
    assert month.end_of(dt.date(2026, 2, 28), 31) == dt.date(2026, 3, 31)


@given(st.integers(0, 10**9), st.sampled_from(["2026-10-15", "2026-11-15", "2026-12-15"]))
def test_only_a_later_month_begins_at_zero(used: int, begins: str) -> None:
    usage = in_month(Usage(month="2026-11-15", line_bytes=used, test_bytes=used), begins)

    assert usage.month == begins
    assert usage.test_bytes == (0 if begins > "2026-11-15" else used)


class Device:
    """A Pi with one interface, a card and a plug that can be pulled."""

    def __init__(self, folder: Path, options: PlanOptions) -> None:
        self.path, self.options = folder / "plan", options
        self.wall_ms, self.mono_ms, self.boot, self.rx = 1_795_000_000_000, 1000, 0, 0
        self.age_s: int | None = 0
        self.moved: Counter[str] = Counter()
        self.ledger = self._ledger()

    def _ledger(self) -> Ledger:
        return Ledger(self.path, self.options, self, self.now)

    def now(self) -> ClockState:
        """What the clock says."""
        return ClockState(
            wall_ms=self.wall_ms, mono_ms=self.mono_ms, boot=f"{self.boot:08x}", age_s=self.age_s
        )

    def read(self) -> Counted:
        """What the interface counted."""
        return Counted(
            epoch=str(self.boot), line="eth0/2", rx_bytes=self.rx, tx_bytes=0, mono_ms=self.mono_ms
        )

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.wall_ms, self.mono_ms = self.wall_ms + ms, self.mono_ms + ms

    def begin(self) -> int:
        """A test begins if it may; how much it may move."""
        self.ledger.look()
        allowed = allowance(self.options, self.ledger.usage, least_bytes=LEAST, tests_left=10)
        if allowed.bytes:
            self.ledger.begin(allowed.bytes)
        return allowed.bytes or 0

    def move(self, bytes_: int) -> None:
        """Its packets pass, in the month it is."""
        self.rx += bytes_
        self.moved[self.ledger.usage.month] += bytes_

    def cut(self) -> None:
        """The plug is pulled, and put back."""
        self.boot, self.mono_ms, self.rx = self.boot + 1, 1000, 0
        self.ledger = self._ledger()

    def restart(self) -> None:
        """The agent is killed and started."""
        self.ledger = self._ledger()


ends = st.sampled_from(["done", "silent", "cut", "restart"])
tests = st.tuples(st.floats(0, 1), ends, st.integers(0, 3 * DAY_MS))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(plans, st.lists(tests, max_size=25))
def test_power_cuts_in_the_midst_of_tests_never_let_them_have_more(
    plan: PlanOptions, history: list[tuple[float, str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        device = Device(Path(folder), plan)
        for used_ratio, how, then_ms in history:
            allowed = device.begin()
            moved = int(allowed * used_ratio)
            device.move(moved)
            if how in ("cut", "restart"):
                getattr(device, how)()
            elif allowed:
                device.ledger.end(moved if how == "done" else None)
            device.wait(then_ms)

        assert plan.share_bytes is not None
        assert all(moved <= plan.share_bytes for moved in device.moved.values())


def _used(device: Device) -> tuple[int, int]:
    return device.ledger.usage.line_bytes, device.ledger.usage.test_bytes


def test_what_was_saved_is_there_after_a_power_cut(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=10**9))
    device.ledger.look()
    device.begin()
    device.move(3_000_000)
    device.ledger.look()
    device.ledger.end(3_000_000)
    device.cut()
    device.rx = 5_000
    device.ledger.look()

    assert _used(device) == (3_005_000, 3_000_000)


def test_an_unknown_clock_opens_no_new_month(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=10**9))
    device.begin()
    device.ledger.end(100)
    device.age_s = None
    device.wait(300 * DAY_MS)
    device.ledger.look()
    assert _used(device)[1] == 100

    device.age_s = 0
    device.ledger.look()
    assert _used(device)[1] == 0


def test_a_clock_that_goes_back_forgives_nothing(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=10**9))
    device.begin()
    device.ledger.end(100)
    device.wall_ms -= 90 * DAY_MS
    device.ledger.look()

    assert _used(device)[1] == 100


def test_a_clock_that_was_a_month_ahead_for_a_while_forgives_nothing(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=10**9))
    device.begin()
    device.ledger.end(100)
    before = _used(device)
    device.wall_ms += 40 * DAY_MS
    device.ledger.look()
    device.begin()
    device.ledger.end(7)
    assert _used(device)[1] == 7
    device.cut()
    device.wall_ms -= 40 * DAY_MS
    device.ledger.look()

    assert _used(device)[1] == before[1] + 7
    device.wall_ms += 40 * DAY_MS
    device.ledger.look()
    assert _used(device)[1] == 0


@pytest.mark.parametrize("busy_bytes", [0, 1000, 50_000_000])
def test_the_card_is_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy_bytes: int) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=10**10))
    written: list[int] = []
    monkeypatch.setattr("agent.pages.os.pwrite", lambda _fd, data, _at: written.append(len(data)))
    for _ in range(24 * 60):
        device.rx += busy_bytes
        device.wait(60_000)
        device.ledger.look()

    pages = sum(written) // 4096
    print(f"a day with {busy_bytes} bytes a minute: {pages} pages")
    assert SAVE_EVERY_MS == 6 * SAVE_MUCH_EVERY_MS == 3_600_000
    assert pages <= (24 if busy_bytes < 10_000 else 144) + 1


@pytest.mark.parametrize(
    ("month_bytes", "a_minute_bytes", "lost_minutes"),
    [
        (10**10, 1000, 60),
        (10**10, 20_000_000, 10),
        (10**8, 900_000, 12),
        # A thousandth of this plan is 100 MB.
        (10**11, 5_000_000, 20),
        (None, 1_000_000, 10),
    ],
)
def test_a_power_cut_at_any_time_forgets_only_what_passed_since_the_last_page(
    tmp_path: Path, month_bytes: int | None, a_minute_bytes: int, lost_minutes: int
) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=month_bytes))
    device.ledger.look()
    forgotten = []
    for _ in range(150):
        device.rx += a_minute_bytes
        device.wait(60_000)
        device.ledger.look()
        kept = Ledger(device.path, device.options, device, device.now).usage.line_bytes
        forgotten.append(device.ledger.usage.line_bytes - kept)

    assert device.ledger.usage.line_bytes == 150 * a_minute_bytes
    assert max(forgotten) == (lost_minutes - 1) * a_minute_bytes


def test_a_new_month_is_on_the_card_within_ten_minutes_however_little_passes(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions(month_bytes=10**9))
    device.begin()
    device.ledger.end(100)
    device.wall_ms += 31 * DAY_MS
    device.ledger.look()
    month_begin = device.ledger.usage.month
    device.wait(10 * 60_000)
    device.ledger.look()
    device.cut()

    assert (device.ledger.usage.month, device.ledger.usage.test_bytes) == (month_begin, 0)


def test_without_a_known_clock_the_first_month_is_the_one_that_is_believed(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions())
    device.age_s = None
    device.ledger.look()

    assert device.ledger.usage.month == "2026-11-01"


@pytest.mark.parametrize(
    "saved",
    [
        [],
        ["2026-11-01"],
        ["2026-11-01", "0", -1, 0, 0, []],
        [1, "0", 0, 0, 0, []],
        ["", "", 0, 0, 0, [[1]]],
        ["", "", 0, 0, 0, 7],
        ["", "", 0, 0, 0, [["0", "eth0", 1.5, 0, 0, 1]]],
        ["", "", 0, 0, 0, [["0", 7, 1, 0, 0, 1]]],
        ["", "", 0, 0, 0, [["0", "eth0", 1, 0, 0, 2**64 + 1]]],
        ["2026-11-01", "0", True, 0, 0, []],
        ["2026-11-01", "0", 1, 1, 0, [], ["2026-10-01", -1, 0]],
        ["2026-11-01", "0", 1, 1, 0, [], [7, 0, 0]],
        ["2026-11-01", "0", 1, 1, 0, [], ["2026-10-01"]],
        ["2026-11-01", "0", 1, 1, 0, [], 7],
    ],
)
def test_a_page_that_makes_no_sense_is_as_none(tmp_path: Path, saved: list[object]) -> None:
    device = Device(tmp_path, PlanOptions())
    device.ledger._pages.save(*saved)  # type: ignore[union-attr]
    device.restart()

    assert replace(device.ledger.usage, looks={}) == Usage()


def test_a_page_of_an_older_agent_is_read(tmp_path: Path) -> None:
    device = Device(tmp_path, PlanOptions())
    device.ledger._pages.save("2026-11-01", "0", 5, 3, 1, [])  # type: ignore[union-attr]
    device.restart()

    assert _used(device) == (5, 4)


def test_a_card_that_takes_nothing_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = Device(tmp_path / "nowhere", PlanOptions())
    device.begin()
    for _ in range(3):
        device.ledger.end(5)

    assert device.ledger.usage.test_bytes == 15
    assert [r.message.split()[0] for r in caplog.records] == ["plan.not_saved"]
