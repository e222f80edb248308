# SPDX-License-Identifier: Apache-2.0
"""Does the spool give back all that was not acknowledged, and nothing else?"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.contract.kinds import Event, Fields, Latency, Reach
from agent.contract.record import Ack, ClockState, Record
from agent.spool.block import frame, pack, pack_all, scan, unpack
from agent.spool.spool import Spool

CLOCK = ClockState(wall_ms=1_790_000_000_000, mono_ms=1000, boot="0badcafe")


def _now() -> ClockState:
    return CLOCK


def _fill(spool: Spool, n: int) -> list[Record]:
    return [spool.append(kind="reach", clock=CLOCK, duration_ms=i, fields=Reach(up=True)) for i in range(n)]


def _fill_up(spool: Spool, n: int) -> list[Record]:
    """Records that do not pack well, committed a few at a time."""
    made = []
    for i in range(n):
        detail = hashlib.shake_256(f"{i}".encode()).hexdigest(96)
        made.append(
            spool.append(kind="reach", clock=CLOCK, duration_ms=i, detail=detail, fields=Reach(up=True))
        )
        if i % 7 == 0:
            spool.commit()
    spool.commit()
    return made


def _pending(spool: Spool, limit: int = 7) -> list[tuple[str, Record]]:
    found: list[tuple[str, Record]] = []
    after = None
    while run := spool.next_run(after=after, limit=limit):
        found += [(run.session, r) for r in run.records]
        after = run.end
    return found


def test_records_come_back_in_their_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, _now)
    made = _fill(spool, 20)

    assert [r for _, r in _pending(spool)] == made
    assert [r.seq for r in made] == list(range(1, 21))


def test_a_new_start_is_a_new_session_and_finds_the_old_records(tmp_path: Path) -> None:
    first = Spool(tmp_path, _now)
    old = _fill(first, 3)
    second = Spool(tmp_path, _now)
    new = _fill(second, 2)

    assert _pending(second) == [(first.session, r) for r in old] + [(second.session, r) for r in new]
    assert second.pending_sessions() == [first.session, second.session]


def test_acknowledged_records_are_forgotten_and_their_files_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, _now, segment_bytes=16384)
    _fill_up(spool, 500)
    files = len(list(tmp_path.glob("*.blocks")))
    forgotten = spool.acknowledge(Ack(session=spool.session, up_to_seq=460, ranges=((470, 480),), wall_ms=0))

    assert files > 2
    assert forgotten == 471
    assert [r.seq for _, r in _pending(spool)] == [*range(461, 470), *range(481, 501)]
    assert len(list(tmp_path.glob("*.blocks"))) < files


@pytest.mark.parametrize("content", [b"", bytes(8192), b"x" * 5000])
def test_a_name_alone_takes_the_place_of_no_other_file(tmp_path: Path, content: bytes) -> None:
    first = Spool(tmp_path, _now)
    made = _fill(first, 30)
    first.close()
    (tmp_path / "00000001-00000099.blocks").write_bytes(content)
    second = Spool(tmp_path, _now)
    _fill(second, 3)
    second.close()
    third = Spool(tmp_path, _now)

    assert [r for session, r in _pending(third) if session == first.session] == made
    assert len(_pending(third)) == 33


def test_a_file_cut_off_within_a_block_is_counted_as_damaged(tmp_path: Path) -> None:
    spool = Spool(tmp_path, _now)
    _fill(spool, 30)
    spool.close()
    (path,) = tmp_path.glob("*.blocks")
    os.truncate(path, 100)

    assert Spool(tmp_path, _now).state().damaged_bytes == 100


def test_a_file_of_any_size_is_read_in_time_that_grows_with_its_size_only(tmp_path: Path) -> None:
    read: list[int] = []

    class Counted(bytes):
        def __getitem__(self, key: Any) -> Any:
            part = super().__getitem__(key)
            read.append(len(part) if isinstance(part, bytes) else 0)
            return part

    size = 1000 * 4096
    assert list(scan(Counted(b"x" * size)))[-1].slot == 999
    assert sum(read) <= 4 * size


def test_an_acknowledgement_of_another_session_changes_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, _now)
    _fill(spool, 3)

    assert spool.acknowledge(Ack(session="0" * 16, up_to_seq=3, wall_ms=0)) == 0


def test_a_run_states_that_nothing_is_left_between_it_and_the_one_before(tmp_path: Path) -> None:
    spool = Spool(tmp_path, _now)
    _fill(spool, 10)
    spool.acknowledge(Ack(session=spool.session, up_to_seq=2, ranges=((5, 6),), wall_ms=0))
    first = spool.next_run(after=None, limit=2)
    assert first is not None
    second = spool.next_run(after=first.end, limit=10)

    assert (first.first_seq, [r.seq for r in first.records]) == (1, [3, 4])
    assert second is not None
    assert (second.first_seq, [r.seq for r in second.records]) == (5, [7, 8, 9, 10])


def test_a_full_spool_drops_the_oldest_and_records_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, _now, max_bytes=65536, segment_bytes=16384)
    made = _fill_up(spool, 500)
    pending = [r for _, r in _pending(spool)]
    drops = [r.fields for r in pending if isinstance(r.fields, Event) and r.fields.event == "spool_dropped"]
    counted = sum(d.count or 0 for d in drops)

    assert spool.state().bytes <= 65536
    assert drops
    measured = [r for r in pending if r.kind == "reach"]
    assert measured == [r for r in made if r in measured]
    assert counted == spool._own.next_seq - 1 - len(pending) == spool.state().dropped


def test_a_torn_block_is_counted_emptied_and_the_rest_is_read(tmp_path: Path) -> None:
    first = Spool(tmp_path / "card", _now, early=tmp_path / "run")
    made = _fill(first, 5)
    first.commit()
    first.acknowledge(Ack(session=first.session, up_to_seq=0, ranges=((99, 99),), wall_ms=0))
    path = next((tmp_path / "card").glob("*.blocks"))
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 3 + 600] = frame(pack("00" * 8, made))[:20] * 30
    path.write_bytes(content)
    second = Spool(tmp_path / "card", _now, early=tmp_path / "run")
    _fill(second, 1)
    second.close()

    assert [r for _, r in _pending(second)][:5] == made
    assert second.state().damaged_bytes == 4096
    assert Spool(tmp_path / "card", _now, early=tmp_path / "run").state().damaged_bytes == 0


@pytest.mark.parametrize("hole", [bytes(10), bytes(510), b"\xa5\x5a" * 40, b"\xa5\x5a" + bytes(9)])
def test_a_hole_in_the_early_log_costs_what_was_in_it(tmp_path: Path, hole: bytes) -> None:
    """A marker before zeros looks like an empty frame, whose check sum is right; found by a fuzzer."""
    first = Spool(tmp_path / "card", _now, early=tmp_path / "run")
    made = _fill(first, 3)
    log = tmp_path / "run" / "early.log"
    whole = log.read_bytes()
    made += _fill(first, 1)
    log.write_bytes(whole + b"\xa5\x5a" + hole + log.read_bytes()[len(whole) :])

    assert [r for _, r in _pending(Spool(tmp_path / "card", _now, early=tmp_path / "run"))] == made


@given(st.data())
def test_no_damage_makes_a_record_that_was_never_written(data: st.DataObject) -> None:
    made = [
        Record(seq=i, kind="reach", clock=CLOCK, duration_ms=i, fields=Reach(anchors=i)) for i in range(1, 6)
    ]
    content = bytearray(frame(pack("00" * 8, made[:3])) + frame(pack("00" * 8, made[3:])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    found = [r for f in scan(bytes(content)) if f.payload is not None for r in unpack(f.payload)[1]]
    assert [r for r in made if r in found] == found


def test_any_number_of_records_that_are_all_alike_packs_into_what_can_be_read() -> None:
    made = [
        Record(seq=seq, kind="reach", clock=CLOCK, duration_ms=7, fields=Reach(up=True))
        for seq in range(1, 65_700)
    ]
    found = [r for _, payload in pack_all("0" * 16, made) for r in unpack(payload)[1]]
    assert [r.seq for r in found] == [r.seq for r in made]


@given(st.binary(max_size=400))
def test_a_file_of_garbage_gives_no_records(garbage: bytes) -> None:
    for start in (b"", b"SPB1", b"SPB1\x10\0\0\0"):
        assert [f.payload for f in scan(start + garbage)] in ([], [None])


def test_a_disk_that_refuses_keeps_records_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file", _now)
    made = _fill(spool, 3)
    trouble, *kept = [r for _, r in _pending(spool)]

    assert kept == made
    assert trouble.fields == Event(event="spool_unwritable", subject="File exists")
    assert "File exists" in (spool.state().problem or "")


def test_a_folder_removed_while_it_runs_takes_only_what_was_in_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "card", _now, early=tmp_path / "run")
    _fill(spool, 5)
    spool.commit()
    shutil.rmtree(tmp_path / "card")
    later = _fill(spool, 5)

    assert not spool.commit()
    assert spool.commit()
    spool.close()
    again = [r for _, r in _pending(Spool(tmp_path / "card", _now, early=tmp_path / "run"))]
    assert [r for r in again if r.kind == "reach"] == later


@pytest.mark.parametrize("seed", range(10))
def test_damaged_and_foreign_files_cost_no_more_than_what_was_in_them(tmp_path: Path, seed: int) -> None:
    sizes: dict[str, Any] = {"max_bytes": 65536, "segment_bytes": 8192}
    first = Spool(tmp_path / "card", _now, early=tmp_path / "run", **sizes)
    _fill_up(first, 300)
    before = _pending(first)
    first.close()
    dice = random.Random(seed)
    files = sorted((tmp_path / "card").glob("*.blocks"))
    for path in dice.sample(files, min(3, len(files))):
        content = bytearray(path.read_bytes())
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content[: dice.choice((len(content), dice.randrange(len(content))))])
    for name in ("x.blocks", "5.blocks", "00000001-00000003.blocks.new", "00000000.blocks"):
        (tmp_path / "card" / name).write_bytes(dice.randbytes(100))
    second = Spool(tmp_path / "card", _now, early=tmp_path / "run", **sizes)

    assert all(found in before for found in _pending(second))
    _fill_up(second, 200)
    assert second.state().problem is None
    assert second.state().bytes <= 65536
    second.close()


class Time:
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.state = CLOCK

    def __call__(self) -> ClockState:
        return self.state

    def passes(self, seconds: float) -> None:
        ms = int(seconds * 1000)
        self.state = dataclasses.replace(
            self.state, wall_ms=self.state.wall_ms + ms, mono_ms=self.state.mono_ms + ms
        )


def _timed(tmp_path: Path, time: Time, **options: Any) -> Spool:
    return Spool(tmp_path / "card", time, early=tmp_path / "run", **options)


def _add(spool: Spool, fields: Fields, n: int = 1) -> list[Record]:
    return [
        spool.append(kind=fields.kind, clock=spool._now(), duration_ms=0, fields=fields) for _ in range(n)
    ]


def test_what_is_acknowledged_in_time_never_reaches_the_card(tmp_path: Path) -> None:
    time = Time()
    spool = _timed(tmp_path, time)
    for _ in range(100):
        (made,) = _add(spool, Reach(up=True))
        spool.sent(spool.end())
        time.passes(55)
        assert not spool.commit_if_due()
        spool.acknowledge(Ack(session=spool.session, up_to_seq=made.seq, wall_ms=0))

    assert not list((tmp_path / "card").glob("*"))


def test_what_was_not_sent_is_committed_within_the_interval(tmp_path: Path) -> None:
    time = Time()
    spool = _timed(tmp_path, time)
    _add(spool, Reach(up=True))
    time.passes(59)
    assert not spool.commit_if_due()
    time.passes(1)

    assert spool.commit_if_due()
    assert spool.state().unsaved == 0


def test_what_was_sent_is_committed_when_the_collector_falls_silent_or_does_not_answer(
    tmp_path: Path,
) -> None:
    time = Time()
    spool = _timed(tmp_path, time, sent_grace_s=600)
    _add(spool, Reach(up=True))
    spool.sent(spool.end())
    time.passes(599)
    assert not spool.commit_if_due()
    spool.sent(None)
    assert spool.commit_if_due()
    _add(spool, Reach(up=True))
    spool.sent(spool.end())
    time.passes(600)

    assert spool.commit_if_due()


def test_a_state_change_is_on_the_card_at_once(tmp_path: Path) -> None:
    spool = _timed(tmp_path, Time())
    _add(spool, Reach(up=True), 3)
    _add(spool, Event(event="clock_step", step_ms=5))

    assert spool.state().unsaved == 0


def test_latency_goes_before_reach_and_reach_before_events(tmp_path: Path) -> None:
    spool = _timed(tmp_path, Time(), max_bytes=262_144, segment_bytes=65536)
    kinds: list[Fields] = [
        Latency(target="a"),
        Reach(up=True),
        Latency(target="b"),
        Event(event="clock_step"),
    ]
    for i in range(600):
        _add(spool, kinds[i % 4])
        for _ in range(2):
            detail = hashlib.shake_256(f"{i}{_}".encode()).hexdigest(1000)
            spool.append(
                kind="latency", clock=CLOCK, duration_ms=0, detail=detail, fields=Latency(target="c")
            )
        spool.commit()
    kept = [r.fields for _, r in _pending(spool)]
    drops = [f for f in kept if isinstance(f, Event) and f.event == "spool_dropped"]

    assert spool.state().dropped == sum(d.count or 0 for d in drops) > 0
    assert sum(isinstance(f, Reach) for f in kept) == 150
    assert sum(isinstance(f, Event) and f.event == "clock_step" for f in kept) == 150
    assert spool.state().bytes <= 262_144


def test_a_drop_is_counted_exactly_and_the_counts_outlive_a_restart_and_later_drops(tmp_path: Path) -> None:
    made = 0
    for _ in range(4):
        spool = _timed(tmp_path, Time(), max_bytes=65536, segment_bytes=16384)
        _fill_up(spool, 300)
        spool.close()
        made += spool._own.next_seq - 1
    spool = _timed(tmp_path, Time(), max_bytes=65536, segment_bytes=16384)
    pending = [r for _, r in _pending(spool)]
    drops = [r.fields for r in pending if isinstance(r.fields, Event) and r.fields.event == "spool_dropped"]

    assert len(pending) + sum(d.count or 0 for d in drops) == made


def test_what_is_too_old_goes_and_that_is_recorded(tmp_path: Path) -> None:
    time = Time()
    time.state = dataclasses.replace(CLOCK, age_s=0)
    spool = _timed(tmp_path, time, max_age_days=90, segment_bytes=4096)
    old = _add(spool, Reach(up=True), 5)
    spool.commit()
    time.passes(50 * 86400)
    recent = _add(spool, Reach(up=False), 5)
    spool.commit()
    time.state = dataclasses.replace(time.state, boot="12345678", mono_ms=10**7)
    time.passes(45 * 86400)
    spool.commit_if_due()
    kept = [r for _, r in _pending(spool)]

    assert [r for r in kept if r.kind == "reach"] == recent
    (drop,) = [r for r in kept if r.kind == "event"]
    assert drop.detail == "too old"
    assert drop.fields == Event(
        event="spool_dropped", count=5, first_seq=1, last_seq=old[-1].seq, subject=spool.session
    )


@pytest.mark.parametrize("age_s", [None, 0])
def test_a_clock_that_was_never_good_makes_nothing_old(tmp_path: Path, age_s: int | None) -> None:
    time = Time()
    time.state = ClockState(wall_ms=5000, mono_ms=5000, boot="11111111", age_s=None)
    spool = _timed(tmp_path, time, segment_bytes=4096)
    made = _add(spool, Reach(up=True), 5)
    spool.commit()
    time.state = ClockState(wall_ms=CLOCK.wall_ms, mono_ms=10**7, boot="22222222", age_s=age_s)
    spool.commit_if_due()

    assert [r for _, r in _pending(spool)] == made


def test_a_file_that_cannot_be_read_claims_nothing_about_what_is_in_it(tmp_path: Path) -> None:
    first = _timed(tmp_path, Time(), segment_bytes=4096)
    for _ in range(3):
        _add(first, Reach(up=True), 4)
        first.commit()
        first._committing._tip = None
    first.close()
    middle = sorted((tmp_path / "card").glob("*.blocks"))[1]
    middle.rename(tmp_path / "aside")
    middle.mkdir()
    second = _timed(tmp_path, Time(), segment_bytes=4096)
    runs = []
    after = None
    while run := second.next_run(after=after):
        runs.append((run.first_seq, run.records[-1].seq))
        after = run.end

    assert runs == [(1, 4), (9, 12)]


class SpoolModel(RuleBasedStateMachine):
    """The spool beside a plain list, over restarts, acknowledgements in any order and sends in any pieces."""

    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.directory = self.root / str(next(self.numbers))
        self.spool = Spool(self.directory, _now, segment_bytes=16384)
        self.expected: list[tuple[str, Record]] = []
        self.acknowledged: list[tuple[str, Record]] = []

    root: Path

    @rule(n=st.integers(1, 30))
    def measure(self, n: int) -> None:
        self.expected += [(self.spool.session, r) for r in _fill(self.spool, n)]

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.spool = Spool(self.directory, _now, segment_bytes=16384)
        pending = _pending(self.spool)
        assert [p for p in pending if p not in self.acknowledged] == self.expected
        self.expected, self.acknowledged = pending, []

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        session, record = data.draw(st.sampled_from(self.expected))
        up_to = data.draw(st.integers(0, record.seq))
        gone = {*range(1, up_to + 1), record.seq}
        self.spool.acknowledge(
            Ack(session=session, up_to_seq=up_to, ranges=((record.seq, record.seq),), wall_ms=0)
        )
        self.acknowledged += [(s, r) for s, r in self.expected if s == session and r.seq in gone]
        self.expected = [(s, r) for s, r in self.expected if s != session or r.seq not in gone]

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        assert _pending(self.spool) == self.expected


@pytest.fixture(autouse=True, scope="module")
def _model_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    SpoolModel.root = tmp_path_factory.mktemp("model")


TestSpoolModel = SpoolModel.TestCase
TestSpoolModel.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
