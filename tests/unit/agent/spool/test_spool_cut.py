# SPDX-License-Identifier: Apache-2.0
"""Whenever the power goes: does the spool start, with all that was committed, and with nothing else?

Random histories of append, commit, acknowledge, send, restart and kill, on a disk that forgets what was not
synced. Each history is run once whole to count its disk operations, then cut at operations spread over all of
it, and what every one of some surviving images gives is compared with a plain list of what went in.

`SCHOOLPULSE_TEST_CUTS` cut points are made, 1,000 by default; the recorded run makes 12,000.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Event, Latency, Reach
from agent.contract.record import Ack, ClockState, Record
from agent.spool.drop import Drop
from agent.spool.session import Session
from agent.spool.spool import Spool
from tests.powercut.disk import Fault, MemoryDisk

CUTS = int(os.environ.get("SCHOOLPULSE_TEST_CUTS", "1000"))
SEED = int(os.environ.get("SCHOOLPULSE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
CARD, RUN = Path("/card/spool"), Path("/run/agent")
STEPS = 60

Identity = tuple[str, int]


class _Noted(Session):
    """A session that notes every record before it is kept; one that is half kept may come back or not."""

    def __init__(self, world: World, now: Callable[[], ClockState]) -> None:
        super().__init__(now)
        self._world = world

    def make(self, **record: Any) -> Record:
        made = super().make(**record)
        self._world.made[self.name, made.seq] = made
        # Of a drop that did not come about another record has the number now.
        self._world.drops.pop((self.name, made.seq), None)
        return made

    def records_of(self, drop: Drop) -> list[Record]:
        records = super().records_of(drop)
        for record in records:
            subject = record.fields.subject or ""  # type: ignore[union-attr]
            identity = self.name, record.seq
            counted = {(subject, seq) for seq in drop.gone.get(subject, ())}
            for event in drop.joined:
                if event.subject == subject:
                    counted |= self._told(event)
            self._world.made[identity], self._world.drops[identity] = record, counted
        return records

    def _told(self, event: Event) -> set[Identity]:
        """What a record of this session counted that was never sent."""
        (told,) = [
            told
            for (session, seq), told in self._world.drops.items()
            if session == self.name and self._world.made[session, seq].fields == event
        ]
        return told


class _Watched(Spool):
    """A spool whose session notes."""

    def __init__(self, world: World, *arguments: Any, **options: Any) -> None:
        self._world = world
        super().__init__(*arguments, **options)

    def _begin(self, now: Callable[[], ClockState]) -> Session:
        return _Noted(self._world, now)


@dataclass
class World:
    """A spool, its disk, and what is known of it.

    Attributes:
        made: every record there ever was.
        committed: what a commit that came back covered.
        acknowledged: what must not be asked for any more.
        drops: what exactly each record of a drop counts.
        early: where the early log is: beside the spool, where there is no runtime directory.
    """

    disk: MemoryDisk
    dice: random.Random
    made: dict[Identity, Record] = field(default_factory=dict)
    committed: set[Identity] = field(default_factory=set)
    acknowledged: set[Identity] = field(default_factory=set)
    drops: dict[Identity, set[Identity]] = field(default_factory=dict)
    mono_ms: int = 1000
    boot: int = 1
    spool: Spool | None = None
    sizes: tuple[int, int] = (2**20, 16384)
    early: Path = RUN

    def now(self) -> ClockState:
        self.mono_ms += 50
        return ClockState(wall_ms=self.mono_ms, mono_ms=self.mono_ms, boot=f"{self.boot:08x}", age_s=0)

    def start(self) -> None:
        self.spool = _Watched(
            self,
            CARD,
            self.now,
            early=self.early,
            disk=self.disk,
            max_bytes=self.sizes[0],
            segment_bytes=self.sizes[1],
            max_memory_bytes=20_000,
        )

    def step(self) -> None:
        act = self.dice.choices(
            [self.append, self.state_change, self.commit, self.acknowledge, self.restart, self.kill],
            weights=[50, 6, 25, 12, 2, 3],
        )[0]
        act()

    def append(self) -> None:
        for _ in range(self.dice.choice((1, 1, 2, 5, 60))):
            kind = self.dice.choice(
                (Reach(up=True), Latency(target="a", rtt_min_ms=self.dice.random() * 100))
            )
            self._append(kind)

    def state_change(self) -> None:
        self._append(Event(event="clock_step", step_ms=self.dice.randrange(10**6)))

    def _append(self, fields: Reach | Latency | Event) -> None:
        self.alive().append(
            kind=fields.kind, clock=self.now(), duration_ms=self.dice.randrange(100), fields=fields
        )

    def commit(self) -> None:
        spool = self.alive()
        waiting = set(pending(spool))
        if spool.commit() or spool.state().unsaved == 0:
            self.committed |= waiting & set(pending(spool))

    def acknowledge(self) -> None:
        waiting = sorted(pending(self.alive()))
        if not waiting:
            return
        session = self.dice.choice(waiting)[0]
        seqs = [seq for s, seq in waiting if s == session]
        up_to, low = self.dice.choice([0, *seqs]), self.dice.choice(seqs)
        high = low + self.dice.randrange(20)
        gone = {(session, q) for q in seqs if q <= up_to or low <= q <= high}
        # An acknowledgement under way counts: the collector has them, whatever the spool does now.
        self.acknowledged |= gone
        self.alive().acknowledge(Ack(session=session, up_to_seq=up_to, ranges=((low, high),), wall_ms=0))

    def restart(self) -> None:
        self.alive().close()
        self.commit_all()
        self.start()

    def commit_all(self) -> None:
        if self.alive().state().unsaved == 0:
            self.committed |= set(pending(self.alive()))

    def kill(self) -> None:
        before = pending(self.alive())
        self.disk.killed()
        self.start()
        after = pending(self.alive())
        gone = set().union(*self.drops.values())
        assert set(before) - gone <= set(after), "a kill lost records"
        assert after.items() <= self.made.items()

    def alive(self) -> Spool:
        assert self.spool is not None
        return self.spool


def pending(spool: Spool) -> dict[Identity, Record]:
    """All that waits; looking at it here is not sending it."""
    shown_seq = spool._own.shown_seq
    found: dict[Identity, Record] = {}
    after = None
    while run := spool.next_run(after=after, limit=50):
        covered = range(run.first_seq, run.records[-1].seq + 1)
        assert all(r.seq in covered for r in run.records)
        for record in run.records:
            assert (run.session, record.seq) not in found, "twice in one pass"
            found[run.session, record.seq] = record
        after = run.end
    spool._own.shown_seq = shown_seq
    return found


class Cutter:
    """Cuts the power at some operations of a history, in a copy, and looks at what is left."""

    def __init__(self, world: World, share: float) -> None:
        self.cuts = self.again = 0
        self._world, self._share = world, share
        self._dice = random.Random(world.dice.random())
        world.disk.watch = self._maybe

    def _maybe(self) -> None:
        if self._dice.random() < self._share:
            self.cuts += 1
            self.again += check_recovery(self._world, self._world.disk.survivor(self._dice))


def check_recovery(world: World, disk: MemoryDisk) -> int:
    """What is found after a cut; says how many cuts of that start itself were looked at."""
    again = _after(world, disk, random.Random(disk.dice.random()))
    second: list[MemoryDisk] = []

    def maybe() -> None:
        if again.dice.random() < 0.03 and not second:
            second.append(disk.survivor(again.dice))

    disk.watch = maybe
    again.start()
    found = expect_kept([world], again)
    if again.dice.random() < 0.2:
        again.state_change()
        second.append(disk.survivor(again.dice))
    disk.watch = None
    for image in second:
        third = _after(again, image, again.dice)
        third.start()
        still = expect_kept([world, again], third)
        assert found - _gone([again], still) <= still
    return len(second)


def _after(world: World, disk: MemoryDisk, dice: random.Random) -> World:
    return World(disk, dice, boot=world.boot + 1, sizes=world.sizes, early=world.early)


def _gone(worlds: Sequence[World], found: set[Identity]) -> set[Identity]:
    """What drops say is gone that are there, or that the collector has."""
    told = [drop for w in worlds for i, drop in w.drops.items() if i in found or i in w.acknowledged]
    return set().union(*told)


def expect_kept(worlds: Sequence[World], again: World) -> set[Identity]:
    """All that was committed, and nothing that was not made in these."""
    here, world = pending(again.alive()), worlds[0]
    found, made = set(here), {i: r for w in worlds for i, r in w.made.items()}
    gone = _gone(worlds, found)
    missing = world.committed - world.acknowledged - found - gone

    assert here.items() <= made.items(), "something was invented or changed"
    assert not missing, f"committed and lost: {sorted(missing)[:5]}"
    assert not gone & found - world.acknowledged, "something came back that was counted as dropped"
    assert again.alive().state().problem is None
    return found


@pytest.mark.timeout(3600)
def test_after_a_cut_at_any_operation_everything_committed_comes_back_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dice = random.Random(SEED)
    cuts = again = histories = operations = 0
    while cuts < CUTS:
        early = CARD if dice.random() < 0.25 else RUN
        world = a_world(dice.randrange(2**32), is_small=dice.random() < 0.4, early=early)
        cutter = Cutter(world, share=0.1)
        live(world)
        cuts, again, histories = cuts + cutter.cuts, again + cutter.again, histories + 1
        operations += world.disk.operations
    with capsys.disabled():
        print(f"\nspool: {cuts} power cuts in {histories} histories of {operations} disk operations,", end="")
        print(f" {again} of the start after, seed {SEED}")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_errors_at_any_operation_lose_and_invent_nothing(number: int) -> None:
    dice = random.Random(SEED)
    for _ in range(10 if CUTS > 1000 else 4):
        world = a_world(dice.randrange(2**32), is_small=False)
        for at in dice.sample(range(10, 400), 8):
            world.disk.faults[at] = Fault(number, dice.choice((0, 100)))
        Cutter(world, share=0.03)
        live(world)
        found = pending(world.alive())
        gone = set().union(*world.drops.values())

        assert found.items() <= world.made.items()
        assert set(world.made) - world.acknowledged - set(found) == gone - world.acknowledged
        assert all(world.made[i].fields.count == len(seqs) for i, seqs in world.drops.items())  # type: ignore[union-attr]


def a_world(seed: int, *, is_small: bool, early: Path = RUN) -> World:
    dice = random.Random(seed)
    sizes = dice.choice(((65536, 16384), (60_000, 8192), (32_768, 4096))) if is_small else (2**20, 16384)
    return World(MemoryDisk(volatile=RUN, seed=seed), dice, sizes=sizes, early=early)


def live(world: World) -> None:
    world.start()
    for _ in range(STEPS):
        world.step()
