# SPDX-License-Identifier: Apache-2.0
"""What do a registry, a batch and a message look like that nothing is wrong with?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agent.contract import topics
from agent.contract.codec import encode
from agent.contract.kinds import Reach
from agent.contract.record import Batch, ClockState, Record
from collector.deadletters import DeadLetters
from collector.entry import NewEntry
from collector.health import Health
from collector.intake import Intake
from collector.journal import Journal
from collector.message import Message
from collector.playback import Playback
from collector.registry import Placement, Registry, School

DEVICE = "kz-1"
SESSION = "00000000000000aa"
SCHOOL = School(id="school-1", name="№ 1")
REGISTRY = Registry.of([SCHOOL], [Placement(device=DEVICE, school="school-1")])
NOW_MS = 1_790_000_000_000


def clock(mono_ms: int = 60_000, **changes: Any) -> ClockState:
    """A good clock, `mono_ms` after the boot."""
    plain = {"wall_ms": NOW_MS + mono_ms, "mono_ms": mono_ms, "boot": "0badcafe", "age_s": 5}
    return ClockState(**{**plain, **changes})


def record(seq: int, **changes: Any) -> Record:
    """One minute's reach."""
    plain = {
        "seq": seq,
        "kind": "reach",
        "clock": clock(seq * 1000),
        "duration_ms": 7,
        "fields": Reach(up=True),
    }
    return Record(**{**plain, **changes})


def batch(seqs: Iterable[int] = (1,), **changes: Any) -> Batch:
    """Records of these numbers, and nothing before the first."""
    records = tuple(record(seq) for seq in seqs)
    first_seq = records[0].seq if records else 1
    plain = {
        "device": DEVICE,
        "session": SESSION,
        "first_seq": first_seq,
        "clock": clock(),
        "records": records,
    }
    return Batch(**{**plain, **changes})


def message(made: Batch | bytes, topic: str | None = None, received_ms: int = NOW_MS) -> Message:
    """A batch, or any bytes, as they come from the broker."""
    payload = made if isinstance(made, bytes) else encode(made)
    return Message(topic or topics.up(DEVICE), payload, received_ms)


def entry(low: int, high: int | None = None, payload: bytes = b"payload", **changes: Any) -> NewEntry:
    """An entry that accounts for `low … high`."""
    new = ((low, low if high is None else high),)
    plain = {"received_ms": NOW_MS, "device": DEVICE, "session": SESSION, "new": new, "payload": payload}
    return NewEntry(**{**plain, **changes})


def batch_entry(made: Batch, received_ms: int = NOW_MS) -> NewEntry:
    """An entry that holds a real batch, all of it new."""
    return NewEntry(
        received_ms=received_ms,
        device=made.device,
        session=made.session,
        new=((made.first_seq, made.last_seq),),
        payload=encode(made),
    )


def intake(directory: Path, registry: Registry = REGISTRY) -> Intake:
    """The way into a new journal; whoever asks closes it."""
    health = Health()
    letters = DeadLetters(directory / "dead", health)
    return Intake(
        journal=Journal.open(directory / "journal"), registry=registry, dead_letters=letters, health=health
    )


def payloads(directory: Path) -> list[bytes]:
    """Payloads of all entries of a journal."""
    return [entry.payload for entry in Playback(directory).read(at_most=10**6).entries]
