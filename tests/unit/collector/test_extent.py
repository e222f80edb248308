# SPDX-License-Identifier: Apache-2.0
"""Is a damaged end of the journal told from one that a power cut left, wherever something proves it?"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import Checkpoints
from collector.cursor import FileCursor
from collector.extent import proven_end
from collector.journal import Journal
from collector.playback import Playback
from collector.segment import Position
from collector.shelf import segment_path
from collector.verify import verify
from tests.unit.collector.samples import entry

FLIPS = int(os.environ.get("SCHOOLPULSE_FLIPS", "500")) // 5
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

Prove = Callable[[Journal], None]


def by_checkpoint(journal: Journal) -> None:
    Checkpoints(journal.directory, KEY).make_if_due(journal.end, "2026-01-01")


def by_cursor(journal: Journal) -> None:
    cursor = FileCursor(None, journal.directory / "cursors" / "influxdb")  # type: ignore[arg-type]
    cursor.save(journal.committed)


def _written(directory: Path, prove: Prove) -> tuple[int, bytes]:
    """Two groups; where the last one begins, and the segment."""
    journal = Journal.open(directory)
    journal.write([entry(1, payload=b"first")])
    begins = journal.committed.offset
    journal.write([entry(seq, payload=random.Random(seq).randbytes(60)) for seq in (2, 3, 4)])
    prove(journal)
    journal.close()
    return begins, segment_path(directory, 1).read_bytes()


@pytest.mark.parametrize("prove", [by_checkpoint, by_cursor])
def test_any_bit_flipped_in_the_last_group_is_damage_named_and_counted(tmp_path: Path, prove: Prove) -> None:
    begins, whole = _written(tmp_path, prove)
    dice = random.Random(7)
    for _ in range(FLIPS):
        bit = dice.randrange(begins * 8, len(whole) * 8)
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        segment_path(tmp_path, 1).write_bytes(content)
        named = verify(tmp_path).faults
        journal = Journal.open(tmp_path)
        journal.write([entry(9, payload=b"after")])
        found = [e.payload for e in Playback(tmp_path).read().entries]
        journal.close()

        assert named
        assert journal.damages
        assert begins <= journal.damages[0].at.offset <= bit // 8
        assert (found[0], found[-1], len(found)) == (b"first", b"after", 4)
        assert not list(tmp_path.glob("*.torn"))
        assert verify(tmp_path).faults
    print(f"\n{FLIPS} flips in the last group, proven {prove.__name__}")


def test_damage_behind_what_is_proven_is_still_taken_for_torn(tmp_path: Path) -> None:
    _written(tmp_path, by_cursor)
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(b"\xe5SPJ half")
    journal = Journal.open(tmp_path)
    journal.close()

    assert journal.damages == []
    assert len(list(tmp_path.glob("*.torn"))) == 1
    assert verify(tmp_path).faults == ()


@pytest.mark.parametrize("prove", [by_checkpoint, by_cursor])
def test_a_journal_cut_back_between_two_groups_is_named(tmp_path: Path, prove: Prove) -> None:
    begins, whole = _written(tmp_path, prove)
    segment_path(tmp_path, 1).write_bytes(whole[:begins])
    (fault,) = verify(tmp_path).faults
    journal = Journal.open(tmp_path)
    journal.close()

    assert "the journal was cut back" in fault.problem
    assert [(d.at, d.problem) for d in journal.damages] == [(Position(1, begins), "proven")]


def test_a_segment_whose_only_content_was_proven_is_not_begun_again(tmp_path: Path) -> None:
    _, whole = _written(tmp_path, by_checkpoint)
    segment_path(tmp_path, 1).write_bytes(whole[:22] + bytes(len(whole) - 22))
    journal = Journal.open(tmp_path)
    journal.write([entry(9, payload=b"after")])
    journal.close()

    assert journal.damages
    assert [e.payload for e in Playback(tmp_path).read().entries] == [b"after"]
    assert not list(tmp_path.glob("*.torn"))


def test_what_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "cursors").mkdir()
    (tmp_path / "cursors" / "influxdb").write_bytes(b"\xff 000001:99")
    (tmp_path / "cursors" / "influxdb.clocks").write_bytes(b"000001:99")
    (tmp_path / "cursors" / "lost+found").mkdir()
    (tmp_path / "checkpoints.jsonl").write_bytes(b'{"position": "000009:1"}\n')

    from collector.disk import Disk  # noqa: PLC0415

    assert proven_end(tmp_path, Disk()) is None
