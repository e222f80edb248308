# SPDX-License-Identifier: Apache-2.0
"""Is everything that was committed there after any end, and nothing that was not acknowledged-for?"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.disk import AppendFile, Disk
from collector.entry import entry_body
from collector.errors import JournalLocked, JournalUnavailable
from collector.journal import Journal
from collector.playback import START, Playback
from collector.segment import MAGIC, NO_CHAIN, Position, make_frame
from collector.shelf import segment_path
from collector.verify import verify
from tests.unit.collector.samples import DEVICE, SESSION, entry, payloads


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path, segment_bytes=2000)
    yield journal
    journal.close()


def reopened(journal: Journal) -> Journal:
    journal.close()
    return Journal.open(journal.directory, segment_bytes=2000)


def damage(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)


def test_a_group_comes_back_in_order(journal: Journal) -> None:
    journal.write([entry(1, payload=b"a"), entry(2, 4, payload=b"b")])

    page = Playback(journal.directory).read()

    assert [(e.number, e.new, e.payload) for e in page.entries] == [
        (1, ((1, 1),), b"a"),
        (2, ((2, 4),), b"b"),
    ]
    assert (page.entries[0].device, page.entries[0].session) == (DEVICE, SESSION)
    assert page.after == journal.committed


def test_what_was_committed_is_known_after_a_restart(journal: Journal) -> None:
    journal.write([entry(1, 5)])
    again = reopened(journal)

    assert again.seen.new_ranges(DEVICE, SESSION, 1, 6) == ((6, 6),)
    assert (again.entries, again.committed, again.size_bytes) == (1, journal.committed, journal.size_bytes)
    again.close()


def test_a_new_segment_begins_when_one_is_full(journal: Journal) -> None:
    for seq in range(1, 41):
        journal.write([entry(seq, payload=b"x" * 200)])

    assert journal.committed.segment > 3
    assert len(payloads(journal.directory)) == 40
    assert journal.size_bytes == sum(p.stat().st_size for p in journal.directory.glob("*.journal"))


def test_only_the_newest_segment_is_read_at_the_start(journal: Journal) -> None:
    for seq in range(1, 41):
        journal.write([entry(seq, payload=b"x" * 200)])
    for number in range(1, journal.committed.segment):
        segment_path(journal.directory, number).write_bytes(b"")

    again = reopened(journal)

    assert again.seen.new_ranges(DEVICE, SESSION, 1, 41) == ((41, 41),)
    assert (again.entries, again.damages) == (40, [])
    again.close()


def test_older_segments_are_read_when_the_newest_header_is_damaged(journal: Journal) -> None:
    for seq in range(1, 41):
        journal.write([entry(seq, payload=b"x" * 200)])
    damage(segment_path(journal.directory, journal.committed.segment), 60)

    again = reopened(journal)

    assert again.seen.new_ranges(DEVICE, SESSION, 1, 41) == ((41, 41),)
    assert (again.entries, [d.problem for d in again.damages]) == (40, ["bytes"])
    again.close()


def test_a_journal_without_any_readable_header_still_starts(journal: Journal) -> None:
    journal.write([entry(1)])
    damage(segment_path(journal.directory, 1), 60)

    again = reopened(journal)
    again.write([entry(2)])

    assert again.entries == 2
    assert [e.new for e in Playback(journal.directory).read().entries] == [((1, 1),), ((2, 2),)]
    again.close()


@given(cut=st.integers(1, 200))
def test_a_torn_end_is_cut_off_and_put_aside(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = Journal.open(directory)
    journal.write([entry(1, payload=b"kept")])
    whole = journal.committed.offset
    journal.write([entry(2, payload=b"x" * 300)])
    journal.close()
    path = segment_path(directory, 1)
    torn = path.read_bytes()[: whole + cut]
    path.write_bytes(torn)

    again = Journal.open(directory)

    assert again.seen.new_ranges(DEVICE, SESSION, 1, 2) == ((2, 2),)
    assert again.committed == Position(1, whole)
    assert [p.read_bytes() for p in directory.glob("*.torn")] == [torn[whole:]]
    again.write([entry(2, payload=b"again")])
    again.close()
    assert payloads(directory) == [b"kept", b"again"]


def test_two_torn_ends_at_one_place_are_both_kept(journal: Journal) -> None:
    for _ in range(2):
        with segment_path(journal.directory, 1).open("ab") as file:
            file.write(b"torn")
        journal = reopened(journal)
    journal.close()

    assert len(list(journal.directory.glob("*.torn"))) == 2


@pytest.mark.parametrize("left", [b"", b"schoolpulse", b"schoolpulse journal 1\n\xe5SPJ\0\0"])
def test_a_segment_that_a_crash_left_unborn_is_begun_again(journal: Journal, left: bytes) -> None:
    journal.write([entry(1)])
    segment_path(journal.directory, 2).write_bytes(left)

    again = reopened(journal)

    assert (again.committed.segment, again.entries) == (1, 1)
    for seq in range(2, 30):
        again.write([entry(seq, payload=b"x" * 200)])
    assert len(payloads(journal.directory)) == 29
    again.close()


@pytest.mark.parametrize("name", ["7", "0000001", "000000", "4294967296", "9" * 29 + "8", "000050", "x"])
def test_a_file_that_is_not_of_this_journal_is_let_be(journal: Journal, name: str) -> None:
    journal.write([entry(1), entry(2)])
    journal.close()
    foreign = journal.directory / f"{name}.journal"
    shutil.copy(segment_path(journal.directory, 1), foreign)
    shutil.copy(foreign, journal.directory / f"{name[:-1]}9.journal")
    again = Journal.open(journal.directory)
    again.write([entry(3)])
    again.close()

    assert again.committed.segment == 1
    assert again.entries == 3
    assert verify(journal.directory).faults == ()


def test_damage_in_the_middle_costs_one_entry(journal: Journal) -> None:
    journal.write([entry(1, payload=b"a")])
    middle = journal.committed.offset
    journal.write([entry(2, payload=b"b")])
    journal.write([entry(3, payload=b"c")])
    damage(segment_path(journal.directory, 1), middle + 50)

    again = reopened(journal)
    page = Playback(journal.directory).read()

    assert [e.payload for e in page.entries] == [b"a", b"c"]
    assert [(d.at.offset, d.problem) for d in page.damages] == [(middle, "bytes")]
    assert again.damages == page.damages
    again.close()


def test_a_frame_of_a_later_version_is_stepped_over(journal: Journal) -> None:
    journal.write([entry(1)])
    frame, _ = make_frame(b"Z new kind", journal.committed, journal._end.chain)
    with segment_path(journal.directory, 1).open("ab") as file:
        file.write(frame)

    again = reopened(journal)
    again.write([entry(2)])
    page = Playback(journal.directory).read()

    assert [e.number for e in page.entries] == [1, 2]
    assert page.damages == again.damages
    assert "not an entry of this version: a frame of kind b'Z'" in page.damages[0].problem
    again.close()


def test_a_segment_whose_header_is_of_a_later_version_is_read_by_its_entries(tmp_path: Path) -> None:
    start = Position(1, len(MAGIC))
    frame, chain = make_frame(b"H later", start, NO_CHAIN)
    after = Position(1, start.offset + len(frame))
    tmp_path.joinpath("000001.journal").write_bytes(
        MAGIC + frame + make_frame(entry_body(entry(1), 1), after, chain)[0]
    )

    journal = Journal.open(tmp_path)

    assert journal.seen.new_ranges(DEVICE, SESSION, 1, 2) == ((2, 2),)
    assert len(journal.damages) == 1
    journal.close()


def test_a_torn_end_that_cannot_be_put_aside_is_cut_off_all_the_same(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.write([entry(1)])
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(b"torn")
    journal.close()
    disk = FailingDisk()
    disk.fails = "append"

    again = Journal.open(tmp_path, disk=disk)

    assert (again.entries, list(tmp_path.glob("*.torn"))) == (1, [])
    again.close()


def test_a_second_writer_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalLocked, match="another collector writes this journal"):
        Journal.open(journal.directory)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnavailable, match="file"):
        Journal.open(tmp_path / "file" / "journal")


def test_an_empty_group_writes_nothing(journal: Journal) -> None:
    before = journal.committed
    journal.write([])

    assert journal.committed == before


class FailingFile(AppendFile):
    """Writes half of it, or forgets to make it durable, whenever its disk is told to fail."""

    disk: FailingDisk

    def append(self, data: bytes) -> None:
        if self.disk.fails == "append":
            super().append(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(data)

    def sync(self) -> None:
        if self.disk.fails == "sync":
            raise OSError(errno.EIO, "Input/output error")
        super().sync()


class FailingDisk(Disk):
    fails = ""

    def open(self, path: Path, *, new: bool = False) -> AppendFile:
        file = FailingFile(path, new=new)
        file.disk = self
        return file


@pytest.mark.parametrize("fault", ["append", "sync"])
def test_a_group_that_was_not_stored_is_not_accounted_for(tmp_path: Path, fault: str) -> None:
    disk = FailingDisk()
    journal = Journal.open(tmp_path, disk=disk)
    journal.write([entry(1, payload=b"a")])

    disk.fails = fault
    with pytest.raises(JournalUnavailable):
        journal.write([entry(2, payload=b"b")])
    assert journal.seen.new_ranges(DEVICE, SESSION, 1, 2) == ((2, 2),)

    disk.fails = ""
    journal.write([entry(2, payload=b"b again")])
    assert payloads(tmp_path) == [b"a", b"b again"]
    journal.close()


def test_a_group_is_committed_although_no_new_segment_can_begin(tmp_path: Path) -> None:
    disk = FailingDisk()
    journal = Journal.open(tmp_path, disk=disk, segment_bytes=100)
    file = journal._writable()
    file.disk = FailingDisk()  # type: ignore[attr-defined]
    disk.fails = "append"

    journal.write([entry(1)])
    assert journal.committed.segment == 1

    disk.fails = ""
    journal.write([entry(2)])
    assert (journal.committed.segment, journal.entries) == (2, 2)
    assert len(payloads(tmp_path)) == 2
    journal.close()


def test_two_reads_go_on_where_the_first_stopped(journal: Journal) -> None:
    for seq in range(1, 41):
        journal.write([entry(seq, payload=b"x" * 200)])
    playback, seen = Playback(journal.directory), []
    while (page := playback.read(at_most=7)).entries:
        assert page.damages == []
        seen += [e.number for e in page.entries]

    assert seen == list(range(1, 41))
    assert playback.at == journal.committed


def test_nothing_beyond_what_is_committed_is_read(journal: Journal) -> None:
    journal.write([entry(1)])
    committed = journal.committed
    journal.write([entry(2)])

    assert [e.number for e in Playback(journal.directory).read(until=committed).entries] == [1]


def test_an_entry_being_written_is_no_damage(journal: Journal) -> None:
    journal.write([entry(1)])
    with segment_path(journal.directory, 1).open("ab") as file:
        file.write(b"\xe5SPJ half")

    page = Playback(journal.directory, start=START).read()

    assert (len(page.entries), page.damages, page.after) == (1, [], journal.committed)


def test_reading_from_a_place_inside_an_entry_finds_the_next(journal: Journal) -> None:
    journal.write([entry(1)])
    first = journal.committed
    journal.write([entry(2)])

    page = Playback(journal.directory, start=Position(1, first.offset - 5)).read()

    assert ([e.number for e in page.entries], len(page.damages)) == ([2], 1)


def test_a_journal_whose_file_was_removed_takes_nothing_any_more(journal: Journal) -> None:
    journal.write([entry(1)])
    for file in journal.directory.glob("*.journal"):
        file.unlink()

    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            journal.write([entry(2)])
