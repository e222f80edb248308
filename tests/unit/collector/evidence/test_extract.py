# SPDX-License-Identifier: Apache-2.0
"""Does a part of the journal prove itself as the whole does?"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.checkpoint import Checkpoints
from collector.evidence.extract import FOLDER, LEAD_MS, NoEvidence, copy_evidence
from collector.journal import Journal
from collector.segment import HEAD_BYTES
from collector.shelf import Shelf, segment_path
from collector.verify import Verdict, verify
from tests.unit.collector.evidence.test_manifest import KEY
from tests.unit.collector.samples import NOW_MS, batch, batch_entry


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the collector's clock."""

    def at(ms: int) -> None:
        monkeypatch.setattr("collector.journal.time.time", lambda: ms / 1000)

    return at


@pytest.fixture
def journal(tmp_path: Path, began: Callable[[int], None]) -> Path:
    """Six segments, one a day, with a checkpoint at the end of each."""
    directory = tmp_path / "original"
    began(NOW_MS)
    written = Journal.open(directory, segment_bytes=1500)
    checkpoints = Checkpoints(directory, KEY)
    for n in range(60):
        began(NOW_MS + n * 8_640_000)
        made = batch(range(n * 20 + 1, n * 20 + 21))
        written.write([batch_entry(made, received_ms=NOW_MS + n * 8_640_000)])
        if n % 10 == 5:
            checkpoints.make_if_due(written.end, f"2026-11-{n // 10 + 1:02}")
    written.close()
    return directory


def extracted(journal: Path, target: Path, start_ms: int) -> Verdict:
    copy_evidence(Shelf(journal), start_ms, target / FOLDER)
    return verify(target / FOLDER, is_extract=True)


def test_an_extract_begins_with_the_segment_that_was_written_before_and_verifies(
    journal: Path, tmp_path: Path
) -> None:
    numbers = Shelf(journal).numbers()
    assert len(numbers) >= 4

    found = extracted(journal, tmp_path, NOW_MS + LEAD_MS + 4 * 86_400_000)

    whole = verify(journal)
    copied = Shelf(tmp_path / FOLDER).numbers()
    assert found.faults == ()
    assert copied[0] > 1
    assert copied[-1] == numbers[-1]
    assert found.before > 0
    assert (found.entries, found.end, found.root) == (whole.entries, whole.end, whole.root)


def test_of_a_journal_that_began_later_everything_is_extracted(journal: Path, tmp_path: Path) -> None:
    found = extracted(journal, tmp_path, NOW_MS)

    assert found.faults == ()
    assert (found.before, found.entries) == (0, 60)
    assert found.checkpoints == 6


def test_half_an_entry_at_the_end_is_left_out(journal: Path, tmp_path: Path) -> None:
    newest = segment_path(journal, Shelf(journal).numbers()[-1])
    whole = newest.read_bytes()
    newest.write_bytes(whole + whole[-(HEAD_BYTES + 7) :][:HEAD_BYTES])

    assert extracted(journal, tmp_path, NOW_MS).faults == ()


def test_without_a_journal_there_is_nothing_to_close(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()

    with pytest.raises(NoEvidence, match="there is no journal"):
        copy_evidence(Shelf(tmp_path / "none"), NOW_MS, tmp_path / FOLDER)


def test_any_flipped_bit_of_an_extract_is_found(journal: Path, tmp_path: Path) -> None:
    extracted(journal, tmp_path, NOW_MS + LEAD_MS + 4 * 86_400_000)
    files = sorted((tmp_path / FOLDER).iterdir())
    dice = random.Random(7)

    for _ in range(150):
        path = dice.choice(files)
        content = path.read_bytes()
        place = dice.randrange(len(content))
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]
        )
        assert verify(tmp_path / FOLDER, is_extract=True).faults, (path.name, place)
        path.write_bytes(content)

    assert len(files) >= 3


def test_an_extract_without_its_middle_is_found_out(journal: Path, tmp_path: Path) -> None:
    extracted(journal, tmp_path, NOW_MS)
    segment_path(tmp_path / FOLDER, 2).unlink()

    assert "missing" in str(verify(tmp_path / FOLDER, is_extract=True).faults[0])
