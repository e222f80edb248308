# SPDX-License-Identifier: Apache-2.0
"""Is any changed bit found and named?

`SCHOOLPULSE_FLIPS` says how many of all bits are changed, one at a time.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import FILE, Checkpoints, kept_in, load_key, public_key
from collector.errors import ConfigError
from collector.journal import Journal
from collector.retention import Retention
from collector.segment import HEAD_BYTES
from collector.shelf import segment_path
from collector.verify import Verdict, verify
from tests.unit.collector.samples import DEVICE, NOW_MS, SESSION, entry

FLIPS = int(os.environ.get("SCHOOLPULSE_FLIPS", "500"))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """Three archived segments, one or more in the journal, two checkpoints."""
    journal = Journal.open(tmp_path / "journal", archive=tmp_path / "archive", segment_bytes=1500)
    checkpoints = Checkpoints(journal.directory, KEY)
    dice = random.Random(1)
    for seq in range(1, 31):
        journal.write([entry(seq, payload=dice.randbytes(200))])
        if seq in (10, 25):
            checkpoints.make_if_due(journal.end, f"2026-01-{seq}")
    Retention(keep_bytes=4000).apply(journal, journal.committed, NOW_MS)
    journal.close()
    assert len(list((tmp_path / "archive").iterdir())) >= 3
    return tmp_path


def checked(evidence: Path, **options: str) -> Verdict:
    return verify(evidence / "journal", archive=evidence / "archive", **options)  # type: ignore[arg-type]


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_whole_evidence_verifies(evidence: Path) -> None:
    found = checked(evidence, key=public_key(KEY))

    assert (found.faults, found.entries, found.checkpoints) == ((), 30, 2)
    assert found.archived >= 3


def test_any_flipped_bit_is_found_and_named(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [*evidence.glob("journal/*.journal"), *evidence.glob("archive/*"), evidence / "journal" / FILE]
    dice = random.Random(3)
    bits = [(f, bit) for f in files for bit in range(f.stat().st_size * 8)]
    for path, bit in dice.sample(bits, min(FLIPS, len(bits))):
        flip(path, bit)
        found = checked(evidence)
        assert found.faults, f"{path.name} bit {bit}"
        expected = FILE if path.name == FILE else path.name[:6]
        assert found.faults[0].at.startswith(expected), f"{path.name} bit {bit}: {found.faults}"
        flip(path, bit)
    assert checked(evidence).faults == ()
    with capsys.disabled():
        print(f"\nverify: {min(FLIPS, len(bits))} of {len(bits)} bits in {len(files)} files, each found")


PLACES = {
    "magic": (3, "does not begin as a segment"),
    "mark": (0, "no whole entry"),
    "length": (5, "no whole entry"),
    "crc": (9, "no whole entry"),
    "chain": (15, "no whole entry"),
    "kind": (HEAD_BYTES, "no whole entry"),
    "number": (HEAD_BYTES + 8, "no whole entry"),
    "received": (HEAD_BYTES + 12, "no whole entry"),
    "session": (HEAD_BYTES + 20, "no whole entry"),
    "payload": (HEAD_BYTES + 70, "no whole entry"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_changed_byte_of_each_kind_names_the_entry(tmp_path: Path, place: str) -> None:
    journal = Journal.open(tmp_path)
    journal.write([entry(1)])
    second = journal.committed
    journal.write([entry(7, 9, payload=b"p" * 50)])
    journal.write([entry(10)])
    journal.close()
    offset, problem = PLACES[place]
    flip(segment_path(tmp_path, 1), (offset if place == "magic" else second.offset + offset) * 8)

    (fault,) = verify(tmp_path).faults

    assert problem in fault.problem
    if place != "magic":
        assert (fault.at, fault.entry) == (str(second), 2)
    if place == "payload":
        assert (fault.device, fault.session, fault.seqs) == (DEVICE, SESSION, ((7, 9),))
        assert str(fault) == f"{second}, entry 2 ({DEVICE}, session {SESSION}, seq 7-9): {fault.problem}"


def test_a_segment_cut_out_is_missed(evidence: Path) -> None:
    next(evidence.glob("archive/000002*")).unlink()

    assert "segments 000002 to 000002 are missing" in checked(evidence).faults[0].problem


def test_a_journal_cut_back_behind_a_checkpoint_is_found(evidence: Path) -> None:
    checkpoints = (evidence / "journal" / FILE).read_bytes()
    shutil.rmtree(evidence / "journal")
    shutil.rmtree(evidence / "archive")
    journal = Journal.open(evidence / "journal")
    journal.write([entry(1)])
    journal.close()
    (evidence / "journal" / FILE).write_bytes(checkpoints)

    assert "cut back" in checked(evidence).faults[0].problem


def test_a_journal_written_anew_with_a_chain_of_its_own_does_not_fit_the_checkpoint(tmp_path: Path) -> None:
    for name, payload in (("true", b"measured"), ("false", b"invented")):
        journal = Journal.open(tmp_path / name)
        journal.write([entry(1, payload=payload)])
        if name == "true":
            Checkpoints(journal.directory, KEY).make_if_due(journal.end, "2026-01-01")
        journal.close()
    shutil.copy(tmp_path / "true" / FILE, tmp_path / "false" / FILE)

    (fault,) = verify(tmp_path / "false").faults
    assert "not what the checkpoint of 2026-01-01 says" in fault.problem or "cut back" in fault.problem


def test_checkpoints_of_another_key_are_found_out(evidence: Path) -> None:
    assert "signed with another key" in checked(evidence, key="00" * 32).faults[0].problem


def test_a_checkpoint_taken_out_is_missed(evidence: Path) -> None:
    path = evidence / "journal" / FILE
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])

    assert checked(evidence).faults[0].problem == "this checkpoint does not follow the one before it"


def test_whoever_names_a_key_is_told_that_nothing_is_signed_with_it(evidence: Path) -> None:
    (evidence / "journal" / FILE).unlink()

    assert checked(evidence).faults == ()
    assert "no checkpoint" in checked(evidence, key=public_key(KEY)).faults[0].problem


def test_one_checkpoint_a_day_is_made(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    checkpoints = Checkpoints(tmp_path, KEY)
    dates = ("2026-01-01", "2026-01-01", "2026-01-02", "2026-01-01")
    made = [checkpoints.make_if_due(journal.end, date) is not None for date in dates]
    journal.close()

    assert made == [True, False, True, False]
    newest = checkpoints.newest()
    assert newest is not None
    assert newest.date == "2026-01-02"
    assert verify(tmp_path).checkpoints == 2


def forged(directory: Path, key: Ed25519PrivateKey = KEY) -> Path:
    """A journal as whole as the other, with other contents, made by whoever has the collector's machine."""
    journal = Journal.open(directory / "journal", segment_bytes=1500)
    dice = random.Random(2)
    for seq in range(1, 31):
        journal.write([entry(seq, payload=dice.randbytes(200))])
        if seq in (10, 25):
            Checkpoints(journal.directory, key).make_if_due(journal.end, f"2026-01-{seq}")
    journal.close()
    return directory


@pytest.mark.parametrize("key", [KEY, Ed25519PrivateKey.from_private_bytes(bytes(32))])
def test_who_kept_one_checkpoint_finds_a_journal_that_was_forged_as_a_whole(
    evidence: Path, tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    kept_file = tmp_path / "kept"
    kept_file.write_bytes((evidence / "journal" / FILE).read_bytes().splitlines()[0])
    kept = kept_in(kept_file)
    lie = forged(tmp_path / "lie", key)

    assert verify(lie / "journal").faults == ()
    (fault,) = verify(lie / "journal", kept=kept).faults
    assert "the kept checkpoint of 2026-01-10" in fault.problem
    true = verify(evidence / "journal", archive=evidence / "archive", kept=kept)
    assert (true.faults, true.kept) == ((), 1)


def test_a_journal_that_ends_before_a_kept_checkpoint_was_cut_back(evidence: Path, tmp_path: Path) -> None:
    kept_file = tmp_path / "kept"
    kept_file.write_bytes((evidence / "journal" / FILE).read_bytes().splitlines()[1])
    empty = Journal.open(tmp_path / "empty")
    empty.close()

    (fault,) = verify(tmp_path / "empty", kept=kept_in(kept_file)).faults
    assert "cut back, or made anew" in fault.problem


@pytest.mark.parametrize("content", [b"", b"{}", b"nothing\n"])
def test_what_is_no_checkpoint_cannot_be_compared_with(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept").write_bytes(content)
    with pytest.raises(ConfigError, match="checkpoint"):
        kept_in(tmp_path / "kept")


def test_a_clock_that_was_years_ahead_ends_no_checkpoints(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    checkpoints = Checkpoints(tmp_path, KEY)
    made = []
    for seq, date in enumerate(("2026-01-01", "2033-05-05", "2026-01-02", "2026-01-02", "2026-01-03"), 1):
        journal.write([entry(seq)])
        made.append(checkpoints.make_if_due(journal.end, date) is not None)
    journal.close()

    assert made == [True, True, True, False, True]
    verdict = verify(tmp_path)
    assert (verdict.faults, verdict.checkpoints) == ((), 4)


def test_the_key_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "checkpoint.key"
    made = load_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert public_key(load_key(path)) == public_key(made)


def test_a_journal_being_written_verifies_up_to_its_end(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.write([entry(1)])
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(b"\xe5SPJ half")

    assert verify(tmp_path).faults == ()
    journal.close()
    assert "torn off" in verify(tmp_path).faults[0].problem
