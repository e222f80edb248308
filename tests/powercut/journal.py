# SPDX-License-Identifier: Apache-2.0
"""What does a collector do to its disk in a few minutes, and what of it must be there after a power cut?"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.admission import Refusal, RefusalReason
from collector.cursor import FileCursor
from collector.deadletters import DeadLetters
from collector.entry import NewEntry
from collector.errors import JournalUnavailable
from collector.health import Health
from collector.journal import Journal
from collector.message import Message
from collector.playback import Playback
from collector.retention import Retention
from collector.segment import Position
from tests.powercut.disk import MemoryDisk

DIRECTORY = Path("/journal")
ARCHIVE = Path("/archive")
LETTERS = Path("/dead")
CURSOR = DIRECTORY / "cursors" / "sink"
SEGMENT_BYTES = 4096
NOW_MS = 1_790_000_000_000


@dataclass(kw_only=True)
class Model:
    """What the collector has promised, kept in memory.

    Attributes:
        tried: payloads handed to `write`, in order; those beyond `acknowledged` may be there or not.
        refused: groups that `write` refused since; nobody has removed them from the disk yet.
        kept_at: positions handed to the cursor; the last may be there or not.
        letters: dead letters committed.
    """

    tried: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    refused: list[list[bytes]] = field(default_factory=list)
    kept_at: list[Position] = field(default_factory=list)
    cursor_done: int = 0
    letters: int = 0
    letters_tried: int = 0


def open_journal(disk: MemoryDisk) -> Journal:
    """The journal on that disk."""
    return Journal.open(DIRECTORY, archive=ARCHIVE, disk=as_disk(disk), segment_bytes=SEGMENT_BYTES)


def as_disk(disk: MemoryDisk) -> Any:
    """It has the methods of a `Disk`, not its type."""
    return disk


def work(disk: MemoryDisk, model: Model, dice: random.Random, turns: int) -> None:
    """Take groups in, keep a cursor, write letters, retire old segments; ends with `PowerCut` or all done."""
    journal = open_journal(disk)
    cursor = FileCursor(None, CURSOR, as_disk(disk))  # type: ignore[arg-type]  # only its file is used
    letters = DeadLetters(LETTERS, Health(), disk=as_disk(disk))
    for _ in range(turns):
        _write(journal, model, dice)
        if dice.random() < 0.3:
            _keep(cursor, model, journal.committed)
        if dice.random() < 0.2:
            _bury(letters, model)
        if dice.random() < 0.2:
            retention = Retention(keep_bytes=2 * SEGMENT_BYTES)
            retention.apply(journal, journal.committed, NOW_MS)
    journal.close()


def entries_on(disk: MemoryDisk) -> Any:
    """Everything that can be read back, and what was damaged."""
    return Playback(DIRECTORY, archive=ARCHIVE, disk=as_disk(disk)).read(at_most=10**6)


def _write(journal: Journal, model: Model, dice: random.Random) -> None:
    group = [_entry(len(model.tried) + i + 1, dice) for i in range(dice.choice((1, 1, 2, 5)))]
    model.tried += [entry.payload for entry in group]
    try:
        journal.write(group)
    except JournalUnavailable:
        model.refused.append(model.tried[model.acknowledged :])
        del model.tried[model.acknowledged :]
    else:
        model.acknowledged, model.refused = len(model.tried), []


def _entry(seq: int, dice: random.Random) -> NewEntry:
    payload = b"%06d" % seq + dice.randbytes(dice.choice((10, 300, 700, 1500)))
    return NewEntry(
        received_ms=NOW_MS + seq,
        device="kz-1",
        session="00000000000000aa",
        new=((seq, seq),),
        payload=payload,
    )


def _keep(cursor: FileCursor, model: Model, at: Position) -> None:
    model.kept_at.append(at)
    cursor.save(at)
    model.cursor_done = len(model.kept_at)


def _bury(letters: DeadLetters, model: Model) -> None:
    message = Message("sp/1/13/kz-1/up", b"x" * 100, NOW_MS)
    letters.add_refusal(Refusal(message=message, reason=RefusalReason.NOT_DECODABLE, problem="?"))
    model.letters_tried += 1
    letters.commit()
    model.letters = model.letters_tried
