# SPDX-License-Identifier: Apache-2.0
"""Does each test get its turn, at its time, alone, beside pupils, and does one that may not run say why?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Self

import pytest

from agent.contract.kinds import Event, Latency, Throughput
from agent.contract.reason import Reason
from agent.contract.record import ClockState, Record
from agent.plan.counters import Counted
from agent.plan.ledger import Ledger
from agent.plan.options import PlanOptions
from agent.plan.turns import Turns, times_of
from agent.probes.base import CostsData, Finding, ProbeFailed, ProbeOptions, Reading
from agent.scheduler import Scheduler

LEAST, MOST = 200_000, 50_000_000
NOON_MS = 1_795_608_000_000


class School:
    """A clock that only sleeping moves, and a line with pupils on it."""

    def __init__(self) -> None:
        self.wall_ms, self.mono_ms, self.rx, self.pupils_bps = NOON_MS, 0, 0, 0.0
        self.tx = 0
        self.slept_s: list[float] = []
        self.running: list[str] = []
        self.at_once: list[int] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> ClockState:
        """What the clock says."""
        return ClockState(wall_ms=self.wall_ms, mono_ms=self.mono_ms, boot="0badcafe", age_s=0)

    async def sleep(self, seconds: float) -> None:
        """Time passes, and pupils' packets."""
        self.slept_s.append(seconds)
        ms = max(1, round(seconds * 1000))
        self.wall_ms, self.mono_ms = self.wall_ms + ms, self.mono_ms + ms
        self.rx += round(self.pupils_bps * ms / 8000)
        self.on_sleep()
        await asyncio.sleep(0)

    def read(self) -> Counted:
        """What the interface counted."""
        return Counted(epoch="a", line="eth0/2", rx_bytes=self.rx, tx_bytes=self.tx, mono_ms=self.mono_ms)


@dataclass(frozen=True, kw_only=True)
class Load(ProbeOptions):
    """A test that moves what it may, or says what it is told."""

    table: ClassVar[str] = "capacity"
    kind: ClassVar[str] = "throughput"
    every_s: float = 3600
    deadline_s: float = 5
    school: School
    max_bytes: int = MOST
    reason: Reason | None = None
    fails: Reason | None = None
    beside_bytes: int = 0

    async def measure(self) -> Reading:
        """Do it."""
        self.school.running.append(self.table)
        self.school.at_once.append(len(self.school.running))
        await asyncio.sleep(0.01)
        self.school.running.remove(self.table)
        if self.reason is not None:
            return (
                Finding(Throughput(direction="down", server="x", method="capacity"), self.reason, "told"),
            )
        if self.fails is not None:
            self.school.rx += 900
            self.school.tx += 100
            raise ProbeFailed(self.fails, "told")
        self.school.rx += self.max_bytes + self.beside_bytes
        fields = Throughput(direction="down", server="x", method="capacity", mbps=10, bytes=self.max_bytes)
        return (Finding(replace(fields, validity="valid")),)

    def estimate_bytes(self) -> int:
        """All it may."""
        return self.max_bytes

    def least_bytes(self) -> int:
        """Needed for a figure."""
        return LEAST

    def within(self, max_bytes: int) -> Self | None:
        """No more than that."""
        return None if max_bytes < LEAST else replace(self, max_bytes=min(self.max_bytes, max_bytes))


class OtherLoad(Load):
    """A second test on the same device."""

    table: ClassVar[str] = "tcp"


class Agent:
    """Turns and scheduler on a school's clock; keeps records and events."""

    def __init__(self, school: School, *tests: CostsData, **plan: Any) -> None:
        options = PlanOptions(time_zone="UTC", **plan)
        self.records: list[Record] = []
        self.events: list[Event] = []
        self.enough: Callable[[], bool] = lambda: False
        self.done = asyncio.Event()
        self.ledger = Ledger(None, options, school, school.now)
        self.turns = Turns(
            "kz-1",
            options,
            tests,
            ledger=self.ledger,
            counters=school,
            now=school.now,
            note=self.events.append,
            sleep=school.sleep,
        )
        self.scheduler = Scheduler("kz-1", tests, self, school.now, turns=self.turns)

    def append(self, **record: Any) -> None:
        """Keep one."""
        self.records.append(Record(seq=len(self.records) + 1, **record))
        if self.enough():
            self.done.set()

    async def run(self, enough: Callable[[], bool]) -> None:
        """Until it is."""
        self.enough = enough
        task = asyncio.create_task(self.scheduler.run())
        done = asyncio.create_task(self.done.wait())
        await asyncio.wait([task, done], timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert not task.done(), task.exception()
        assert done.done()
        task.cancel()
        await asyncio.wait([task])


def _fields(record: Record) -> Throughput:
    assert isinstance(record.fields, Throughput)
    return record.fields


async def test_tests_run_at_their_planned_times() -> None:
    school = School()
    test = Load(school=school)
    agent = Agent(school, test)
    times = times_of("kz-1", PlanOptions(time_zone="UTC"), test)

    await agent.run(lambda: len(agent.records) >= 5)

    planned = times.next(NOON_MS / 1000)
    for record in agent.records[:5]:
        assert planned is not None
        # It looked at the line for five seconds first.
        assert record.clock.wall_ms / 1000 == pytest.approx(planned.at_s + 5, abs=0.1)
        planned = times.next(planned.at_s)


async def test_a_test_is_compared_with_the_one_before_it() -> None:
    school = School()
    agent = Agent(school, Load(school=school))
    verdicts = []
    for method, mbps in (("capacity", 10.0), ("tcp_bbr_4", 20.0)):
        async with agent.turns.turn(Load(school=school)) as turn:
            school.rx += 10_000_000
            told = Throughput(
                direction="down", server="x", method=method, mbps=mbps, bytes=9000, validity="valid"
            )
            (settled,) = turn.settle((Finding(told),))  # type: ignore[misc]
            assert isinstance(settled.fields, Throughput)
            verdicts.append((settled.fields.validity, settled.fields.reasons))
    assert verdicts == [("valid", None), ("suspect", "disagrees")]


async def test_a_clock_set_forward_leaves_out_what_was_missed() -> None:
    school = School()
    agent = Agent(school, Load(school=school))

    def jump() -> None:
        school.wall_ms += 40 * 86_400_000
        school.on_sleep = lambda: None

    school.on_sleep = jump
    await agent.run(lambda: len(agent.records) >= 1)

    assert agent.records[0].clock.wall_ms > NOON_MS + 40 * 86_400_000
    assert len(agent.records) == 1


async def test_a_clock_set_back_is_followed() -> None:
    school = School()
    agent = Agent(school, Load(school=school))

    def jump() -> None:
        school.wall_ms -= 40 * 86_400_000
        school.on_sleep = lambda: None

    school.on_sleep = jump
    await agent.run(lambda: len(agent.records) >= 2)

    assert agent.records[1].clock.wall_ms < NOON_MS - 39 * 86_400_000
    planned = times_of("kz-1", PlanOptions(time_zone="UTC"), Load(school=school))
    for record in agent.records[:2]:
        start = planned.next(record.clock.wall_ms / 1000 - 60)
        assert start is not None
        assert record.clock.wall_ms / 1000 == pytest.approx(start.at_s + 5, abs=0.1)


async def test_a_plan_shrinks_then_stops_tests_and_says_so() -> None:
    school = School()
    agent = Agent(school, Load(school=school), month_bytes=1_000_000_000, windows=("00:00-24:00",))

    await agent.run(lambda: any(r.reason == Reason.PLAN_EXHAUSTED for r in agent.records))

    *made, refused = agent.records
    spent = [_fields(r).bytes or 0 for r in made]
    assert spent[0] == MOST
    assert LEAST <= spent[-1] < MOST
    assert sum(spent) <= 100_000_000
    assert agent.ledger.usage.test_bytes == sum(spent)
    assert [e.event for e in agent.events] == ["plan_shrunk", "plan_exhausted"]
    assert refused.kind == "throughput"
    assert "tests" in (refused.detail or "")


async def test_a_new_month_is_ample_again() -> None:
    school = School()
    agent = Agent(school, Load(school=school, max_bytes=30_000_000), month_bytes=100_000_000)

    await agent.run(lambda: any(e.event == "plan_ample" for e in agent.events))

    reasons = [r.reason for r in agent.records]
    assert Reason.PLAN_EXHAUSTED in reasons
    assert agent.ledger.usage.month == "2026-12-01"


async def test_a_test_waits_for_pupils_and_is_valid_then() -> None:
    school = School()
    agent = Agent(school, Load(school=school), wait_s=600)
    school.pupils_bps = 5e6

    def leave() -> None:
        if len([s for s in school.slept_s if s == 5]) >= 4:
            school.pupils_bps = 0

    school.on_sleep = leave
    await agent.run(lambda: len(agent.records) >= 1)

    assert _fields(agent.records[0]).validity == "valid"
    assert school.slept_s.count(5) == 5


async def test_pupils_who_stay_are_told_of_with_the_figure() -> None:
    school = School()
    agent = Agent(school, Load(school=school), wait_s=600)
    school.pupils_bps = 5e6

    await agent.run(lambda: len(agent.records) >= 1)

    fields = _fields(agent.records[0])
    assert (fields.mbps, fields.validity, fields.reasons) == (10, "suspect", "cross_traffic")
    assert school.slept_s.count(5) == 120


async def test_the_wait_ends_with_the_window() -> None:
    school = School()
    agent = Agent(school, Load(school=school), wait_s=86_400, windows=("12:00-13:00",))
    school.pupils_bps = 5e6

    await agent.run(lambda: len(agent.records) >= 1)

    waited_s = (agent.records[0].clock.wall_ms - NOON_MS) / 1000
    assert 0 < waited_s % 86_400 <= 3600 + 5
    assert waited_s < 2 * 86_400
    planned = times_of("kz-1", PlanOptions(time_zone="UTC", windows=("12:00-13:00",)), Load(school=school))
    first = planned.next(NOON_MS / 1000)
    assert first is not None
    assert first.until_s - 5 <= agent.records[0].clock.wall_ms / 1000 <= first.until_s + 5


async def test_two_tests_never_run_at_once() -> None:
    school = School()
    # A wall clock of its own for each would make them meet; here they share one.
    agent = Agent(school, Load(school=school, every_s=60), OtherLoad(school=school, every_s=60))

    await agent.run(lambda: len(agent.records) >= 40)

    assert {_fields(r).method for r in agent.records} == {"capacity"}
    assert len(school.at_once) >= 40
    assert max(school.at_once) == 1


async def test_six_tests_at_once_keep_together_to_one_plan() -> None:
    school = School()
    names = ("capacity", "tcp", "ndt7", "iperf3", "speedtest", "another")
    tests = [type(name, (Load,), {"table": name})(school=school) for name in names]
    agent = Agent(school, *tests, month_bytes=1_200_000_000)

    async def once(test: Load) -> int | Reason:
        async with agent.turns.turn(test) as turn:
            if turn.refused is not None:
                return turn.refused.reason
            turn.settle(await turn.probe.measure())
            return turn.moved_bytes or 0

    ends = await asyncio.gather(*map(once, tests))
    spent = [end for end in ends if not isinstance(end, Reason)]

    assert {end for end in ends if isinstance(end, Reason)} <= {Reason.PLAN_EXHAUSTED}
    assert spent[0] == MOST
    assert MOST < sum(spent) == agent.ledger.usage.test_bytes <= 120_000_000
    assert max(school.at_once) == 1


async def test_a_busy_server_is_asked_again_soon_but_not_for_ever() -> None:
    school = School()
    test = Load(school=school, reason=Reason.BUSY, every_s=21_600)
    agent = Agent(school, test)

    await agent.run(lambda: len(agent.records) >= 5)

    at_s = [r.clock.wall_ms / 1000 for r in agent.records[:5]]
    gaps = [b - a for a, b in pairwise(at_s)]
    assert all(60 <= gap <= 12 * 60 + 10 for gap in gaps[:3])
    assert gaps[3] > 3600
    assert {r.reason for r in agent.records} == {Reason.BUSY}


async def test_a_failed_test_is_charged_what_the_interface_moved() -> None:
    school = School()
    agent = Agent(school, Load(school=school, reason=Reason.TIMEOUT))
    school.pupils_bps = 80_000

    await agent.run(lambda: len(agent.records) >= 1)

    assert agent.ledger.usage.test_bytes == 0
    assert agent.ledger.usage.reserved_bytes == 0


async def test_a_test_whose_window_ended_while_it_waited_is_recorded() -> None:
    school = School()
    agent = Agent(school, Load(school=school), windows=("12:00-13:00",))
    test = Load(school=school)
    await agent.turns.start(test)
    school.wall_ms += 3_600_000

    async with agent.turns.turn(test) as turn:
        await agent.scheduler.measure(test, turn)

    assert [r.reason for r in agent.records] == [Reason.BUSY]


async def test_a_test_that_hangs_silences_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.plan.turns._LONGEST_QUEUE_S", 0.05)
    school = School()
    test, other = Load(school=school), OtherLoad(school=school)
    agent = Agent(school, test, other)
    async with agent.turns.turn(test):
        async with agent.turns.turn(other) as turn:
            await agent.scheduler.measure(other, turn)
        assert [r.reason for r in agent.records] == [Reason.BUSY]
    async with agent.turns.turn(other) as turn:
        assert turn.refused is None


async def test_stopping_in_the_midst_charges_no_more_than_the_interface_moved() -> None:
    school = School()
    agent = Agent(school, Load(school=school))
    test = Load(school=school)

    async def stop() -> None:
        async with agent.turns.turn(test):
            school.rx += 12_345
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await stop()

    assert agent.ledger.usage.test_bytes == 12_345
    assert agent.ledger.usage.reserved_bytes == 0


async def test_round_trips_measured_beside_a_test_say_so() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Ping(ProbeOptions):
        kind: ClassVar[str] = "latency"
        every_s: float = 5
        deadline_s: float = 4

        async def measure(self) -> Reading:
            return (Finding(Latency(target="x", sent=1)),)

    school = School()
    agent = Agent(school, Load(school=school))
    await agent.scheduler.measure(Ping())
    async with agent.turns.turn(Load(school=school)):
        await agent.scheduler.measure(Ping())

    assert [r.fields.loaded for r in agent.records if isinstance(r.fields, Latency)] == [False, True]


async def test_round_trips_measured_while_a_test_ended_are_loaded_and_later_ones_are_not() -> None:
    school = School()
    agent = Agent(school, Load(school=school))
    began_s = time.monotonic()
    async with agent.turns.turn(Load(school=school)):
        pass

    assert agent.turns.has_loaded_since(began_s)
    assert not agent.turns.has_loaded_since(time.monotonic())


async def test_a_test_that_ended_badly_is_charged_what_both_ways_moved_but_no_more_than_it_might_have() -> (
    None
):
    school = School()
    test = Load(school=school, fails=Reason.TIMEOUT)
    agent = Agent(school, test)
    spent = []
    for others in (0, MOST):
        before = agent.ledger.usage.test_bytes
        async with agent.turns.turn(test) as turn:
            await agent.scheduler.measure(test, turn)
            school.rx += others
        spent.append(agent.ledger.usage.test_bytes - before)

    assert spent == [1000, MOST]
    assert [r.reason for r in agent.records] == [Reason.TIMEOUT] * 2


async def test_what_pupils_moved_beside_a_test_is_not_charged_to_it() -> None:
    school = School()
    test = Load(school=school, beside_bytes=10_000_000)
    agent = Agent(school, test)
    async with agent.turns.turn(test) as turn:
        await agent.scheduler.measure(test, turn)

    assert agent.ledger.usage.test_bytes == MOST


async def test_a_test_is_on_the_ledger_before_its_first_packet() -> None:
    school = School()
    agent = Agent(school, Load(school=school))
    async with agent.turns.turn(Load(school=school)):
        assert agent.ledger.usage.reserved_bytes == MOST
    assert agent.ledger.usage.reserved_bytes == 0


async def test_a_server_that_is_busy_at_once_is_asked_again_soon_too_but_not_beyond_the_window() -> None:
    school = School()
    test = Load(school=school, fails=Reason.BUSY, every_s=86_400)
    agent = Agent(school, test)
    await agent.run(lambda: len(agent.records) >= 2)
    assert agent.records[1].clock.wall_ms - agent.records[0].clock.wall_ms < 5 * 60_000

    school = School()
    test = replace(test, school=school)
    agent = Agent(school, test, windows=("12:00-12:01",))
    await agent.run(lambda: len(agent.records) >= 2)
    assert agent.records[1].clock.wall_ms - agent.records[0].clock.wall_ms > 23 * 3_600_000


async def test_what_is_left_is_shared_evenly_among_all_tests_until_the_month_ends() -> None:
    """The 25th, noon: six days of thirty-one, 24 starts a day of each of two tests, are 288."""
    school = School()
    test, other = Load(school=school), OtherLoad(school=school)
    agent = Agent(school, test, other, month_bytes=10_000_000_000)
    agent.ledger.begin(0)
    agent.ledger.end(850_000_000)
    async with agent.turns.turn(test) as turn:
        assert turn.probe.estimate_bytes() == 150_000_000 // 288


async def test_a_processor_that_was_slowed_down_for_a_moment_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slowed = iter([False, True])
    monkeypatch.setattr("agent.plan.turns._SAMPLE_S", 0.001)
    monkeypatch.setattr("agent.plan.turns.throttled", lambda: next(slowed, False))
    school = School()
    agent = Agent(school, Load(school=school))
    async with agent.turns.turn(Load(school=school)) as turn:
        await agent.scheduler.measure(turn.probe, turn)

    assert _fields(agent.records[0]).reasons == "throttled"
    await asyncio.sleep(0)
    assert "sampler" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_clock_set_back_beside_pupils_lengthens_no_wait() -> None:
    school = School()
    test = Load(school=school)
    agent = Agent(school, test, wait_s=600)
    await agent.turns.start(test)
    school.pupils_bps = 5e6
    school.wall_ms -= 40 * 86_400_000
    school.slept_s.clear()

    async with agent.turns.turn(test) as turn:
        assert turn.was_busy
    assert sum(school.slept_s) <= 600 + 5


async def test_a_server_that_is_busy_after_a_long_wait_for_pupils_is_asked_again_too() -> None:
    school = School()
    test = Load(school=school, reason=Reason.BUSY, every_s=21_600)
    agent = Agent(school, test, wait_s=1200)
    school.pupils_bps = 5e6

    await agent.run(lambda: len(agent.records) >= 2)

    waited_s = (agent.records[1].clock.wall_ms - agent.records[0].clock.wall_ms) / 1000
    assert 60 <= waited_s <= 1200 + 180


async def test_a_test_that_claims_what_no_link_could_move_does_not_use_up_the_plan() -> None:
    school = School()
    test = Load(school=school)
    agent = Agent(school, test, month_bytes=100_000_000_000)
    async with agent.turns.turn(test) as turn:
        school.rx += 1_000_000
        told = Throughput(
            direction="down", server="x", method="capacity", mbps=9, bytes=2**60, validity="valid"
        )
        settled = turn.settle((Finding(told),))

    assert isinstance(settled, tuple)
    assert settled[0].reason is Reason.UNTRUE
    assert agent.ledger.usage.test_bytes == MOST
