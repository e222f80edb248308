# SPDX-License-Identifier: Apache-2.0
"""Does only that leave the journal which is due, safe in the archive and passed by every sink?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.health import Health
from collector.journal import Journal
from collector.playback import START, Playback
from collector.pressure import CROWDED_MESSAGES, pause_s
from collector.retention import DAY_MS, Retention
from collector.segment import Position
from collector.shelf import archived_path, segment_path, unpack
from collector.upkeep import Upkeep
from collector.verify import verify
from tests.unit.collector.samples import DEVICE, SESSION, entry

FAR_MS = 10**13


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path / "journal", archive=tmp_path / "archive", segment_bytes=1000)
    for seq in range(1, 21):
        journal.write([entry(seq, payload=b"x" * 200)])
    yield journal
    journal.close()


def numbers(journal: Journal) -> list[int]:
    page = Playback(journal.directory, archive=journal.shelf.archive).read()
    assert page.damages == []
    return [e.number for e in page.entries]


def spoil(journal: Journal, number: int) -> None:
    """Change a bit in the middle of an archived segment."""
    path = archived_path(journal.shelf.archive or Path(), number)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_is_too_old_goes_to_the_archive_and_is_read_from_there(journal: Journal) -> None:
    closed = journal.shelf.local()[:-1]

    assert Retention(keep_days=1).apply(journal, journal.committed, FAR_MS) == len(closed)
    assert journal.shelf.local() == [journal.committed.segment]
    assert journal.shelf.archived() == closed
    assert numbers(journal) == list(range(1, 21))
    assert journal.size_bytes == journal.committed.offset


def test_what_is_young_stays(journal: Journal) -> None:
    began_ms = FAR_MS - FAR_MS
    assert Retention(keep_days=1).apply(journal, journal.committed, began_ms + DAY_MS) == 0


def test_the_oldest_go_when_the_journal_is_too_large(journal: Journal) -> None:
    Retention(keep_bytes=3000).apply(journal, journal.committed, 0)

    assert journal.size_bytes <= 3000
    assert journal.shelf.archived()[0] == 1


def test_nothing_goes_before_every_sink_has_passed_it(journal: Journal) -> None:
    assert Retention(keep_bytes=1).apply(journal, START, 0) == 0
    assert Retention(keep_bytes=1).apply(journal, Position(2, 500), 0) == 1
    assert journal.shelf.local()[0] == 2


def test_a_segment_stays_when_the_archive_holds_another_of_its_number(journal: Journal) -> None:
    Retention(keep_bytes=1).apply(journal, Position(2, 0), 0)
    archive = journal.shelf.archive
    assert archive is not None
    segment_path(journal.directory, 1).write_bytes(b"another")

    with pytest.raises(FileExistsError, match="another segment of this number"):
        journal.shelf.move_to_archive(1)
    assert unpack(archived_path(archive, 1).read_bytes()).startswith(b"schoolpulse")


def test_a_segment_that_is_nowhere_is_told(journal: Journal) -> None:
    segment_path(journal.directory, 2).unlink()

    page = Playback(journal.directory).read()
    assert [(d.at, d.problem) for d in page.damages] == [(Position(2, 0), "missing")]


def test_a_damaged_segment_of_the_archive_is_stepped_over_and_told(journal: Journal) -> None:
    Retention(keep_days=1).apply(journal, journal.committed, FAR_MS)
    spoil(journal, 2)
    playback = Playback(journal.directory, archive=journal.shelf.archive)
    page = playback.read()

    assert [(d.at.segment, d.problem) for d in page.damages] == [(2, "archive")]
    assert [e.at.segment for e in page.entries if e.at.segment == 2] == []
    assert {e.at.segment for e in page.entries} == {*journal.shelf.numbers()} - {2}
    assert playback.at == journal.committed


def test_a_journal_that_has_only_its_archive_left_goes_on_behind_it(journal: Journal) -> None:
    Retention(keep_days=1).apply(journal, journal.committed, FAR_MS)
    journal.close()
    (newest,) = journal.shelf.local()
    segment_path(journal.directory, newest).unlink()
    again = Journal.open(journal.directory, archive=journal.shelf.archive)
    again.write([entry(99)])
    again.close()

    assert again.committed.segment == newest
    assert again.seen.new_ranges(DEVICE, SESSION, 1, 4) == ()
    assert verify(journal.directory, archive=journal.shelf.archive).faults == ()


def test_a_journal_starts_whatever_its_archive_looks_like(journal: Journal) -> None:
    Retention(keep_days=1).apply(journal, journal.committed, FAR_MS)
    journal.close()
    archived, (newest,) = journal.shelf.archived(), journal.shelf.local()
    spoil(journal, archived[-1])
    segment_path(journal.directory, newest).unlink()
    again = Journal.open(journal.directory, archive=journal.shelf.archive)
    again.close()

    assert again.committed.segment == newest
    assert [(d.at.segment, d.problem) for d in again.damages] == [(archived[-1], "archive")]
    assert again.seen.new_ranges(DEVICE, SESSION, 1, 4) == ()


def test_upkeep_makes_the_day_s_checkpoint_and_says_what_it_could_not_do(journal: Journal) -> None:
    health = Health()
    upkeep = Upkeep(
        journal=journal,
        key_file=journal.directory / "checkpoint.key",
        retention=Retention(keep_bytes=1),
        passed=lambda: journal.committed,
        health=health,
    )
    archive = journal.shelf.archive
    assert archive is not None
    archive.write_text("in the way")
    assert "archive" in (upkeep.once(FAR_MS) or "")
    archive.unlink()

    assert upkeep.once(FAR_MS) is None
    assert (health.checkpoints, health.segments_archived) == (1, len(journal.shelf.archived()))
    assert verify(journal.directory, archive=archive).faults == ()


@pytest.mark.parametrize(
    ("free_bytes", "waiting", "expected"),
    [(None, 0, None), (100, 0, None), (99, 0, 600), (1000, CROWDED_MESSAGES + 1, 60)],
)
def test_agents_are_asked_to_hold_back_when_it_is_tight(
    free_bytes: int | None, waiting: int, expected: int | None
) -> None:
    assert pause_s(Health(journal_free_bytes=free_bytes, inbox_messages=waiting), 100) == expected
