# SPDX-License-Identifier: Apache-2.0
"""Does a sink get everything, in spite of itself, and in spite of damage?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from collector.backoff import Backoff
from collector.consumer import Consumer
from collector.cursor import cursor_of
from collector.deadletters import DeadLetters
from collector.growth import Growth
from collector.health import Health
from collector.journal import Journal
from collector.playback import Playback
from collector.registry import Placement, Registry
from collector.segment import Position
from collector.shelf import segment_path
from collector.sinks.base import Measurement, Rejection, SinkRejected, SinkUnavailable
from tests.unit.collector.samples import (
    DEVICE,
    NOW_MS,
    REGISTRY,
    SCHOOL,
    batch,
    batch_entry,
    entry,
    record,
)
from tests.unit.collector.test_cursor import Recorder


class Moody(Recorder):
    """A sink that raises its problems one after the other, then works."""

    def __init__(self, *problems: Exception) -> None:
        super().__init__()
        self.problems = list(problems)
        self.seqs: list[int] = []

    async def write(self, batch: Sequence[Measurement]) -> None:
        problem = self.problems.pop(0) if self.problems else None
        if problem is None or isinstance(problem, SinkRejected):
            self.seqs += [m.record.seq for m in batch]
        if problem:
            raise problem


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path / "journal")
    yield journal
    journal.close()


def consumer(
    journal: Journal, sink: Recorder, registry: Registry = REGISTRY, patience: int | None = None
) -> Consumer:
    health = Health.of([sink.name])
    return Consumer(
        sink=sink,
        cursor=cursor_of(sink, journal.directory / "cursors"),
        playback=Playback(journal.directory),
        registry=registry,
        dead_letters=DeadLetters(journal.directory.parent / "dead", health),
        health=health.sinks[sink.name],
        patience=patience,
        backoff=Backoff(first_s=0, most_s=0),
    )


async def feed_all(made: Consumer) -> None:
    while await made.feed():
        pass


async def test_a_sink_gets_what_each_entry_brought_that_was_new(journal: Journal) -> None:
    again = batch_entry(batch([2, 3, 4]))
    journal.write([batch_entry(batch([1, 2])), entry(3, 4, payload=again.payload)])
    sink = Moody()
    await feed_all(consumer(journal, sink))

    assert sink.seqs == [1, 2, 3, 4]


async def test_a_measurement_has_its_school_time_and_arrival(journal: Journal) -> None:
    sink = Recorder()
    journal.write([batch_entry(batch([7], backlog=True), received_ms=NOW_MS + 99)])
    await feed_all(consumer(journal, sink))

    ((measurement,),) = sink.batches
    assert measurement == Measurement(
        school=SCHOOL,
        device=DEVICE,
        session=measurement.session,
        record=record(7),
        at_ms=NOW_MS + 7000,
        received_ms=NOW_MS + 99,
        backlog=True,
    )


async def test_a_sink_that_is_down_gets_everything_later(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.write([batch_entry(batch([1]))])
    sink = Moody(SinkUnavailable("down"), SinkUnavailable("down", retry_after_s=0), OSError("gone"))
    made = consumer(journal, sink)
    await feed_all(made)

    assert sink.seqs == [1]
    assert (made.health.available, made.health.problem, made.health.written) == (True, None, 1)
    assert [r.message.split()[0] for r in caplog.records if r.levelname == "WARNING"] == ["sink.unavailable"]


async def test_an_error_in_a_sink_is_logged_with_its_traceback_and_tried_again(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.write([batch_entry(batch([1]))])
    sink = Moody(ZeroDivisionError())
    await feed_all(consumer(journal, sink))

    assert sink.seqs == [1]
    assert "ZeroDivisionError" in caplog.text


async def test_what_a_sink_will_never_take_goes_to_the_dead_letters(journal: Journal, tmp_path: Path) -> None:
    journal.write([batch_entry(batch([1, 2])), batch_entry(batch([3]))])
    made = consumer(journal, Moody(SinkRejected([Rejection(1, "type conflict")])))
    await feed_all(made)

    (line,) = next((tmp_path / "dead").iterdir()).read_text().splitlines()
    letter = json.loads(line)
    assert (letter["seq"], letter["problem"]) == (2, "type conflict")
    assert (made.health.written, made.health.rejected) == (2, 1)
    assert await made.cursor.load() == journal.committed


async def test_a_restart_goes_on_where_it_stopped(journal: Journal) -> None:
    sink = Moody()
    journal.write([batch_entry(batch([1]))])
    await feed_all(consumer(journal, sink))
    journal.write([batch_entry(batch([2]))])

    again = consumer(journal, sink)
    await again.start(journal.committed)
    await feed_all(again)

    assert sink.seqs == [1, 2]


async def test_a_cursor_beyond_the_journal_begins_at_the_beginning(journal: Journal) -> None:
    sink = Moody()
    journal.write([batch_entry(batch([1]))])
    await cursor_of(sink, journal.directory / "cursors").keep(Position(9, 0))

    made = consumer(journal, sink)
    await made.start(journal.committed)
    await feed_all(made)

    assert sink.seqs == [1]


class FromNow(Moody):
    """A sink that wants nothing of what was before it was there."""

    begins_at_end = True


async def test_a_sink_that_begins_at_the_end_misses_nothing_from_then_on(journal: Journal) -> None:
    """Also when it is killed before it took anything."""
    sink = FromNow()
    journal.write([batch_entry(batch([1]))])
    await consumer(journal, sink).start(journal.committed)
    journal.write([batch_entry(batch([2]))])
    made = consumer(journal, sink)
    await made.start(journal.committed)
    await feed_all(made)
    assert sink.seqs == [2]


async def test_a_cursor_beyond_a_restored_journal_is_not_believed_when_that_has_grown(
    journal: Journal,
) -> None:
    """The sink is down when the collector starts on its backup, and until it starts again."""
    sink = Moody(*[SinkUnavailable("down")] * 2)
    journal.write([batch_entry(batch([1]))])
    await cursor_of(sink, journal.directory / "cursors").keep(Position(1, journal.committed.offset + 1))
    down = consumer(journal, sink, patience=2)
    await down.start(journal.committed)
    with pytest.raises(SinkUnavailable):
        await down.feed()
    journal.write([batch_entry(batch([2])), batch_entry(batch([3]))])

    again = consumer(journal, sink)
    await again.start(journal.committed)
    await feed_all(again)
    assert sink.seqs == [1, 2, 3]


async def test_damage_is_stepped_over_and_counted(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.write([batch_entry(batch([1]))])
    middle = journal.committed.offset
    journal.write([batch_entry(batch([2]))])
    journal.write([batch_entry(batch([3]))])
    path = segment_path(journal.directory, 1)
    content = bytearray(path.read_bytes())
    content[middle + 60] ^= 1
    path.write_bytes(content)

    sink = Moody()
    made = consumer(journal, sink)
    await feed_all(made)

    assert (sink.seqs, len(made.damages)) == ([1, 3], 1)
    assert "journal.damaged" in caplog.text


async def test_an_entry_this_version_cannot_read_is_stepped_over(journal: Journal) -> None:
    journal.write([entry(1, payload=b"from the future"), batch_entry(batch([2]))])
    sink = Moody()
    made = consumer(journal, sink)
    await feed_all(made)

    assert (sink.seqs, made.health.unreadable) == ([2], 1)


async def test_a_device_in_a_drawer_reaches_no_sink(journal: Journal) -> None:
    registry = Registry.of([SCHOOL], [Placement(device=DEVICE, school=SCHOOL.id, to_ms=NOW_MS + 1500)])
    journal.write([batch_entry(batch([1, 2]))])
    sink = Moody()
    await feed_all(consumer(journal, sink, registry))

    assert sink.seqs == [1]


async def test_patience_ends(journal: Journal) -> None:
    journal.write([batch_entry(batch([1]))])
    made = consumer(journal, Moody(*[SinkUnavailable("down")] * 3), patience=3)

    with pytest.raises(SinkUnavailable):
        await feed_all(made)


async def test_it_follows_the_journal_as_it_grows(journal: Journal) -> None:
    sink, growth = Moody(), Growth(journal.committed)
    made = consumer(journal, sink)
    fed = asyncio.Event()
    made.on_progress = fed.set
    running = asyncio.create_task(made.run(growth))
    for seq in range(1, 6):
        journal.write([batch_entry(batch([seq]))])
        growth.announce(journal.committed)
        while sink.seqs[-1:] != [seq]:
            await fed.wait()
            fed.clear()
    running.cancel()

    assert sink.seqs == [1, 2, 3, 4, 5]


async def test_lag_is_how_far_the_newest_entry_is_ahead(journal: Journal) -> None:
    made = consumer(journal, Moody())
    made.note_lag(5, NOW_MS)
    assert (made.health.lag_entries, made.health.lag_s) == (0, None)

    journal.write([batch_entry(batch([1]))])
    await feed_all(made)
    made.note_lag(1, NOW_MS)
    assert (made.health.lag_entries, made.health.lag_s) == (0, 0.0)

    made.note_lag(4, NOW_MS + 2500)
    assert (made.health.lag_entries, made.health.lag_s) == (3, 2.5)
