# SPDX-License-Identifier: Apache-2.0
"""Does each record come to the right time in the end, in every sink, however the device's clock behaved?"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.codec import decode_batch
from agent.contract.record import Batch, ClockState
from collector import settling
from collector.consumer import Consumer
from collector.cursor import cursor_of
from collector.deadletters import DeadLetters
from collector.entry import NewEntry
from collector.health import Health
from collector.journal import Journal
from collector.measuring import batch_of
from collector.moment import SETTLED, TimeBasis
from collector.playback import Playback
from collector.registry import Placement, Registry
from collector.retention import Retention
from collector.settling import HOLD_MS, Settling
from collector.sinks.base import Measurement, Sink
from collector.sinks.reader import StoreReader
from collector.sinks.store import StoreOptions, StoreSink
from tests.unit.collector.samples import (
    DEVICE,
    NOW_MS,
    REGISTRY,
    SCHOOL,
    SESSION,
    batch,
    batch_entry,
    clock,
    record,
)

EXAMPLES = int(os.environ.get("SCHOOLPULSE_TEST_HISTORIES", "40"))
BOOTS = ("00000001", "00000002", "00000003")
_checked: Counter[str] = Counter()


class Moving:
    """A sink that keeps the last time of each record."""

    name = "moving"
    moves = True

    def __init__(self) -> None:
        self.at: dict[int, tuple[int, TimeBasis]] = {}
        self.times: Counter[int] = Counter()

    async def write(self, batch: Sequence[Measurement]) -> None:
        for m in batch:
            self.at[m.record.seq] = m.at_ms, m.time_basis
            self.times[m.record.seq] += 1

    async def close(self) -> None:
        pass


class Fixed(Moving):
    """A sink in which nothing can be moved."""

    name = "fixed"
    moves = False


def consumer(journal: Path, sink: Sink, clocks: Path | None = None) -> Consumer:
    health = Health.of([sink.name])
    return Consumer(
        sink=sink,
        cursor=cursor_of(sink, journal / "cursors"),
        playback=Playback(journal),
        registry=REGISTRY,
        dead_letters=DeadLetters(journal / "dead", health),
        health=health.sinks[sink.name],
        settling=Settling(clocks, journal, REGISTRY, holds=not getattr(sink, "moves", False)),
    )


def fed(journal: Path, sink: Sink, clocks: Path | None = None) -> None:
    """Feed it all there is, as a new process would."""

    async def feed() -> None:
        made = consumer(journal, sink, clocks)
        await made.start(Playback(journal).read(at_most=10**6).after)
        while await made.feed():
            pass

    asyncio.run(feed())


def bad(mono_ms: int, **changes: Any) -> ClockState:
    return clock(mono_ms, **{"wall_ms": 12_345, "age_s": None, **changes})


def early_and_late() -> tuple[NewEntry, NewEntry]:
    """Made before the device knew the time, and a batch that was made after."""
    early = batch((), records=(record(1, clock=bad(30_000)),), clock=bad(31_000), first_seq=1)
    late = batch((), records=(record(2, clock=clock(90_000)),), clock=clock(91_000), first_seq=2)
    return batch_entry(early, NOW_MS + 40_000), batch_entry(late, NOW_MS + 92_000)


def write(journal: Path, *entries: NewEntry) -> None:
    made = Journal.open(journal)
    made.write(entries)
    made.close()


def test_a_later_message_corrects_what_was_stored_before(tmp_path: Path) -> None:
    early, late = early_and_late()
    write(tmp_path, early)
    sink = Moving()
    fed(tmp_path, sink, tmp_path / "clocks")
    assert sink.at == {1: (NOW_MS + 39_000, TimeBasis.ARRIVAL)}

    write(tmp_path, late)
    fed(tmp_path, sink, tmp_path / "clocks")
    assert sink.at[1] == (NOW_MS + 30_000, TimeBasis.CORRECTED)
    assert sink.at[2] == (NOW_MS + 90_000, TimeBasis.DEVICE)


def test_what_waits_in_the_archive_is_corrected_too(tmp_path: Path) -> None:
    early, late = early_and_late()
    journal, archive = tmp_path / "journal", tmp_path / "archive"
    made = Journal.open(journal, archive=archive, segment_bytes=100)
    made.write([early])
    made.write([late])
    Retention(keep_bytes=1).apply(made, made.committed, 0)
    assert made.shelf.local() == [made.committed.segment]
    made.close()
    sink = Moving()
    playback = Playback(journal, archive=archive)
    feeding = consumer(journal, sink)
    feeding.playback = playback
    feeding.clocks = Settling(None, journal, REGISTRY, archive=archive, holds=False)

    async def feed() -> None:
        while await feeding.feed():
            pass

    asyncio.run(feed())
    assert sink.times == {1: 2, 2: 1}
    assert sink.at[1] == (NOW_MS + 30_000, TimeBasis.CORRECTED)


def test_a_sink_that_cannot_move_gets_a_record_once_and_settled(tmp_path: Path) -> None:
    early, late = early_and_late()
    write(tmp_path, early)
    sink = Fixed()
    fed(tmp_path, sink, tmp_path / "clocks")
    assert sink.at == {}

    write(tmp_path, late)
    fed(tmp_path, sink, tmp_path / "clocks")
    assert sink.times == {1: 1, 2: 1}
    assert sink.at[1] == (NOW_MS + 30_000, TimeBasis.CORRECTED)


def test_a_record_that_has_waited_long_enough_is_written_and_marked(tmp_path: Path) -> None:
    early, _ = early_and_late()
    other = batch((), records=(record(9, clock=clock(1, boot=BOOTS[0])),), clock=clock(1, boot=BOOTS[0]))
    write(tmp_path, early, batch_entry(other, NOW_MS + 40_001 + HOLD_MS))
    sink = Fixed()
    fed(tmp_path, sink)

    assert sink.at[1] == (NOW_MS + 39_000, TimeBasis.ARRIVAL)
    assert sink.times == {1: 1, 9: 1}


@pytest.mark.parametrize("make", [Moving, Fixed])
def test_a_record_that_settles_before_its_device_came_to_a_school_is_not_lost(
    tmp_path: Path, make: type[Moving | Fixed]
) -> None:
    early, late = early_and_late()
    here = Registry.of([SCHOOL], [Placement(device=DEVICE, school=SCHOOL.id, from_ms=NOW_MS + 35_000)])
    write(tmp_path, early, late)
    sink = make()
    feeding = consumer(tmp_path, sink)
    feeding.registry = here
    feeding.clocks = settling.Settling(None, tmp_path, here, holds=not getattr(sink, "moves", False))

    async def feed() -> None:
        while await feeding.feed():
            pass

    asyncio.run(feed())

    assert sink.at == {
        1: (NOW_MS + 39_000, TimeBasis.ARRIVAL),
        2: (NOW_MS + 90_000, TimeBasis.DEVICE),
    }


def test_a_message_is_read_again_once_however_many_boots_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boots = [f"{n:08x}" for n in range(50)]
    early = [record(n + 1, clock=bad(1000, boot=boot)) for n, boot in enumerate(boots)]
    late = [record(n + 1, clock=clock(2000, boot=boot)) for n, boot in enumerate(boots)]
    write(
        tmp_path,
        batch_entry(batch((), first_seq=1, records=tuple(early), clock=bad(1000))),
        batch_entry(batch((), first_seq=1, records=tuple(late), session=SESSION[::-1])),
    )
    read: Counter[str] = Counter()
    monkeypatch.setattr(settling, "batch_of", lambda e: (read.update(["read"]), batch_of(e))[1])
    sink = Moving()
    fed(tmp_path, sink)

    assert {basis for _, basis in sink.at.values()} <= SETTLED
    assert read["read"] == 3


def test_a_boot_that_is_over_is_placed_when_its_clock_comes_in_another_batch(tmp_path: Path) -> None:
    now = clock(5000, boot=BOOTS[1], wall_ms=NOW_MS + 10**7)
    first = batch((), records=(record(1, clock=bad(30_000)),), clock=now, first_seq=1, backlog=True)
    second = batch((), records=(record(2, clock=clock(90_000)),), clock=now, first_seq=2, backlog=True)
    write(tmp_path, batch_entry(first, NOW_MS + 10**7), batch_entry(second, NOW_MS + 10**7))
    sink = Moving()
    fed(tmp_path, sink)

    assert sink.at[1] == (NOW_MS + 30_000, TimeBasis.CORRECTED)


def test_a_clock_ahead_of_the_collectors_is_not_good(tmp_path: Path) -> None:
    future = clock(60_000, wall_ms=NOW_MS + 7 * 365 * 86_400_000)
    made = batch((), records=(record(1, clock=future),), clock=future)
    write(tmp_path, batch_entry(made, NOW_MS + 60_000))
    sink = Moving()
    fed(tmp_path, sink)

    assert sink.at == {1: (NOW_MS + 60_000, TimeBasis.ARRIVAL)}


def test_a_boot_that_never_knew_stays_marked_where_its_device_believed_it_was(tmp_path: Path) -> None:
    believed = bad(30_000, wall_ms=NOW_MS - 5000, boot=BOOTS[0])
    nothing = bad(30_000, boot=BOOTS[1])
    made = batch((), records=(record(1, clock=believed), record(2, clock=nothing)), first_seq=1)
    write(tmp_path, batch_entry(made, NOW_MS + 60_000))
    sink = Moving()
    fed(tmp_path, sink)

    assert sink.at == {
        1: (NOW_MS - 5000, TimeBasis.UNKNOWN),
        2: (NOW_MS + 60_000, TimeBasis.UNKNOWN),
    }


def test_a_lost_or_damaged_file_of_clocks_is_made_again_from_the_journal(tmp_path: Path) -> None:
    early, late = early_and_late()
    for damage in (b"", b"not a database, but long enough to look at" * 100):
        journal = tmp_path / str(len(damage))
        clocks = journal / "clocks"
        write(journal, early)
        sink = Moving()
        fed(journal, sink, clocks)
        clocks.write_bytes(damage)
        write(journal, late)
        fed(journal, sink, clocks)

        assert sink.at[1] == (NOW_MS + 30_000, TimeBasis.CORRECTED)


@dataclass(frozen=True)
class Plan:
    """What one device does: its boots, at which mono_ms each began to know the time, and the batches."""

    known_from: dict[str, int | None]
    entries: list[NewEntry]
    true_ms: dict[int, int]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Boots whose wall clocks may overlap, each knowing the time from some instant on, or never."""
    known_from = {boot: draw(st.none() | st.integers(0, 100_000)) for boot in BOOTS}
    began_ms = {boot: NOW_MS + i * 200_000 for i, boot in enumerate(BOOTS)}
    wrong_ms = {boot: draw(st.sampled_from([-NOW_MS, 0, 10**11, -(10**8)])) for boot in BOOTS}

    def show(boot: str, mono_ms: int) -> ClockState:
        since = known_from[boot]
        is_known = since is not None and mono_ms >= since
        wall_ms = began_ms[boot] + mono_ms + (0 if is_known else wrong_ms[boot])
        return ClockState(wall_ms=wall_ms, mono_ms=mono_ms, boot=boot, age_s=0 if is_known else None)

    seq, true_ms, batches = 0, {}, []
    for boot in BOOTS:
        for mono_ms in sorted(draw(st.lists(st.integers(0, 100_000), max_size=6))):
            seq += 1
            true_ms[seq] = began_ms[boot] + mono_ms
            sent_in = draw(st.sampled_from(BOOTS[BOOTS.index(boot) :]))
            sent_ms = 100_000 + draw(st.integers(0, 50_000))
            made = batch((), records=(record(seq, clock=show(boot, mono_ms)),), clock=show(sent_in, sent_ms))
            made = _with_first(made, seq)
            batches.append(batch_entry(made, began_ms[sent_in] + sent_ms + 50))
    return Plan(known_from, draw(st.permutations(batches)), true_ms)


def _with_first(made: Batch, seq: int) -> Batch:
    return Batch(
        device=made.device, session=made.session, first_seq=seq, clock=made.clock, records=made.records
    )


@settings(max_examples=EXAMPLES)
@given(plans(), st.data())
def test_whatever_the_clocks_did_each_record_is_there_once_at_its_true_time_or_marked(
    plan: Plan, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(plan.entries)), max_size=3), label="restarts"))
    parts = [plan.entries[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    with tempfile.TemporaryDirectory() as directory:
        journal, moving, fixed = Path(directory), Moving(), Fixed()
        for part in parts:
            write(journal, *part)
            fed(journal, moving, journal / "a")
            fed(journal, fixed, journal / "b")
        shutil.rmtree(journal / "cursors", ignore_errors=True)
        at_once, again = Moving(), Fixed()
        fed(journal, at_once)
        fed(journal, again)

    assert set(moving.at) == set(plan.true_ms)
    assert moving.at == at_once.at
    assert fixed.at == again.at
    assert set(fixed.times.values()) <= {1}
    for seq, (at_ms, basis) in moving.at.items():
        _checked["records"] += 1
        if basis in SETTLED:
            _checked["settled"] += 1
            assert at_ms == plan.true_ms[seq]
            assert fixed.at[seq] == (at_ms, basis)
        else:
            assert seq not in fixed.at
    unsettled = {seq for seq, (_, basis) in moving.at.items() if basis not in SETTLED}
    assert not {_boot_of(plan, seq) for seq in unsettled} & _boots_known(plan)


def _boots_known(plan: Plan) -> set[str]:
    """Boots of which any message had a good clock."""
    batches = [decode_batch(e.payload).batch for e in plan.entries]
    clocks = [c for b in batches for c in (b.clock, *(r.clock for r in b.records))]
    return {c.boot for c in clocks if c.age_s is not None}


def _boot_of(plan: Plan, seq: int) -> str:
    return BOOTS[(plan.true_ms[seq] - NOW_MS) // 200_000]


def test_the_store_moves_records_and_a_replay_comes_to_the_same(tmp_path: Path) -> None:
    early, late = early_and_late()
    for name, parts in (("live", [[early], [late]]), ("replay", [[early, late]])):
        journal = tmp_path / name
        for part in parts:
            write(journal, *part)
            store = StoreSink(StoreOptions(path=str(journal / "store.db")))
            fed(journal, store, journal / "clocks")
            asyncio.run(store.close())
    live, replayed = (_rows(tmp_path / name / "store.db") for name in ("live", "replay"))

    assert live == replayed
    assert [(s, at) for s, at, _ in live] == [(1, NOW_MS + 30_000), (2, NOW_MS + 90_000)]


def _rows(path: Path) -> list[tuple[int, int, str]]:
    stored = StoreReader(path).records("school-1", "reach", start_ms=-(2**60), end_ms=2**60)
    assert {(s.device, s.session) for s in stored} == {(DEVICE, SESSION)}
    return [(s.seq, s.at_ms, str(s.time_basis)) for s in stored]


def test_figures_are_printed() -> None:
    print(f"\n{_checked['records']} records placed, {_checked['settled']} of them at a known time")
