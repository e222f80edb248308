# SPDX-License-Identifier: Apache-2.0
"""Does the spool stay within its bytes, whatever its sizes, and drop no more often than it must?"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.kinds import Event, Latency, Reach
from agent.contract.record import ClockState, Record
from agent.spool.spool import Spool
from tests.bench.day import records
from tests.powercut.disk import MemoryDisk

CARD, RUN = Path("/card"), Path("/run")
CLOCK = ClockState(wall_ms=1_790_000_000_000, mono_ms=1000, boot="0badcafe")
EXAMPLES = int(os.environ.get("SCHOOLPULSE_TEST_ROOM_EXAMPLES", "12"))
DAYS = 2 if EXAMPLES > 100 else 1


def _used_bytes(disk: MemoryDisk) -> int:
    return sum(disk.size(CARD / name) for name in disk.names(CARD)) if CARD in disk._directories else 0


class _Bounded:
    """Looks at every operation of a disk how much there is."""

    def __init__(self, disk: MemoryDisk, max_bytes: int) -> None:
        self.most_bytes = 0
        self._disk, self._max_bytes = disk, max_bytes
        disk.watch = self

    def __call__(self) -> None:
        self.most_bytes = max(self.most_bytes, _used_bytes(self._disk))
        assert self.most_bytes <= self._max_bytes


def _pending(spool: Spool) -> list[Record]:
    found: list[Record] = []
    after = None
    while run := spool.next_run(after=after):
        found += run.records
        after = run.end
    return found


def _drops(pending: list[Record]) -> list[Event]:
    return [f for r in pending if isinstance(f := r.fields, Event) and f.event == "spool_dropped"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_no_operation_ever_leaves_more_than_max_bytes_and_every_number_is_there_or_counted(
    data: st.DataObject,
) -> None:
    max_bytes = data.draw(st.integers(16_384, 150_000))
    segment_bytes = data.draw(st.integers(1, max_bytes))
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    disk = MemoryDisk(volatile=RUN)
    _Bounded(disk, max_bytes)
    made, pending = 0, []
    for _ in range(data.draw(st.integers(1, 3))):
        spool = _spool(disk, max_bytes=max_bytes, segment_bytes=segment_bytes)
        for _ in range(data.draw(st.integers(1, 60))):
            _append(spool, dice)
            spool.commit()
        spool.close()
        made += spool._own.next_seq - 1
        pending = _pending(spool)

    assert len(pending) + sum(d.count or 0 for d in _drops(pending)) == made


def _spool(disk: MemoryDisk, **sizes: int) -> Spool:
    like_disk: Any = disk
    return Spool(CARD, lambda: CLOCK, early=RUN, disk=like_disk, max_memory_bytes=20_000, **sizes)


def _append(spool: Spool, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 3, 10, 60))):
        fields: Latency | Reach = Latency(target="a", rtt_min_ms=dice.random() * 100)
        if dice.random() < 0.3:
            fields = Reach(up=True)
        detail = dice.randbytes(dice.choice((0, 0, 50, 400))).hex() or None
        spool.append(kind=fields.kind, clock=CLOCK, duration_ms=0, detail=detail, fields=fields)


def test_days_in_a_spool_of_fifteen_slots_drop_in_portions_and_leave_one_record_of_it() -> None:
    disk = MemoryDisk(volatile=RUN)
    bound = _Bounded(disk, 60_000)
    spool = _spool(disk, max_bytes=60_000, segment_bytes=8_192)
    commits = made = 0
    for day in range(DAYS):
        for i, record in enumerate(records(86_400)):
            spool.append(kind=record.kind, clock=record.clock, duration_ms=day, fields=record.fields)
            made += 1
            commits += i % 2 == 0 and spool.commit()
    merges = sum(name == "rename" for name, _ in disk.log)
    pending = _pending(spool)
    print(
        f"\n{made} records, {commits} commits, {merges} merges, {len(pending)} left, "
        f"{len(_drops(pending))} records of drops, {bound.most_bytes} bytes at most"
    )

    assert merges * 20 < commits
    assert len(_drops(pending)) <= 2
    assert len(pending) > 600


def test_a_spool_full_of_what_is_never_dropped_takes_the_card_for_full() -> None:
    disk = MemoryDisk(volatile=RUN)
    _Bounded(disk, 16_384)
    made, pending, problem = 0, [], None
    for _ in range(12):
        spool = _spool(disk, max_bytes=16_384)
        for i in range(150):
            fields = Event(event="clock_step", step_ms=i * i * 7919)
            spool.append(kind="event", clock=CLOCK, duration_ms=i, detail=f"{i * 2**40:x}", fields=fields)
        made += spool._own.next_seq - 1
        pending, problem = _pending(spool), spool.state().problem
        disk.killed()

    assert len(pending) + sum(d.count or 0 for d in _drops(pending)) == made
    assert "max_bytes is full" in (problem or "")


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes = 16383 is too small: at least 16384"):
        _spool(MemoryDisk(), max_bytes=16_383)
