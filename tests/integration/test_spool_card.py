# SPDX-License-Identifier: Apache-2.0
"""A real file system that is full or read-only: does the spool go on, say so, and come back by itself?"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract.kinds import Event, Reach
from agent.contract.record import ClockState, Record
from agent.spool.spool import Spool
from tests.parts.card import Card, card, is_possible, run

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not is_possible(), reason="needs root and loop devices: full and read-only cards"),
]


UNIT = Path(__file__).resolve().parents[2] / "systemd" / "school-agent.service"


class Clock:
    """Time that passes by the second, one with each look."""

    def __init__(self) -> None:
        self.mono_ms = 0

    def __call__(self) -> ClockState:
        self.mono_ms += 1000
        return ClockState(wall_ms=self.mono_ms, mono_ms=self.mono_ms, boot="0badcafe", age_s=0)


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[Card]:
    with card(tmp_path, size_mb=16) as made:
        yield made


def _spool(medium: Card, tmp_path: Path, max_memory_bytes: int = 2**20) -> Spool:
    return Spool(medium.mount / "spool", Clock(), early=tmp_path / "run", max_memory_bytes=max_memory_bytes)


def _measure(spool: Spool, n: int) -> list[Record]:
    """Measure and let the service's second pass."""
    made = []
    for i in range(n):
        made.append(spool.append(kind="reach", clock=spool._now(), duration_ms=i, fields=Reach(anchors=i)))
        spool.commit_if_due()
    return made


def _fill_up(path: Path) -> None:
    """Take every last byte."""
    for size in (65536, 4096, 1):
        with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
            while file.write(bytes(size)):
                pass


def _pending(spool: Spool) -> list[Record]:
    found: list[Record] = []
    after = None
    while run := spool.next_run(after=after):
        found += run.records
        after = run.end
    return found


def _words(spool: Spool) -> list[str]:
    return [r.fields.event for r in _pending(spool) if isinstance(r.fields, Event)]


def test_a_card_that_becomes_read_only_and_writable_again_loses_nothing(medium: Card, tmp_path: Path) -> None:
    spool = _spool(medium, tmp_path)
    made = _measure(spool, 100)
    spool._card.close()
    medium.remount("ro")
    made += _measure(spool, 300)
    problem = spool.state().problem or ""
    medium.remount("rw")
    made += _measure(spool, 100)
    spool.close()

    assert "Read-only" in problem
    assert spool.state().problem is None
    assert _words(spool) == ["spool_unwritable", "spool_writable"]
    assert {r.seq for r in made} <= {r.seq for r in _pending(spool)}
    again = _spool(medium, tmp_path)
    assert _pending(again) == _pending(spool)
    again.close()


def test_a_full_card_degrades_to_memory_and_recovers_by_itself(medium: Card, tmp_path: Path) -> None:
    filler = medium.mount / "filler"
    _fill_up(filler)
    spool = _spool(medium, tmp_path)
    made = _measure(spool, 200)
    problem = spool.state().problem or ""
    filler.unlink()
    medium.sync()
    made += _measure(spool, 100)
    spool.close()

    assert "No space" in problem
    assert _words(spool) == ["spool_unwritable", "spool_writable"]
    again = _spool(medium, tmp_path)
    assert {r.seq for r in made} <= {r.seq for r in _pending(again)}
    again.close()


def test_memory_stays_bounded_and_every_drop_is_counted(medium: Card, tmp_path: Path) -> None:
    medium.remount("ro")
    spool = _spool(medium, tmp_path, max_memory_bytes=65536)
    _measure(spool, 30_000)
    pending = _pending(spool)
    drops = [r.fields for r in pending if isinstance(r.fields, Event) and r.fields.event == "spool_dropped"]

    assert spool.state().bytes <= 65536 + 100 * 2000
    assert sum(d.count or 0 for d in drops) == spool._own.next_seq - 1 - len(pending) > 0
    assert {r.detail for r in pending if isinstance(r.fields, Event) and r.fields in drops} == {"spool full"}
    spool.close()


def test_the_unit_itself_makes_the_card_spare_changed_times(medium: Card) -> None:
    (command,) = re.findall(r"^ExecStartPre=-\+/bin/sh -c '(.*)'$", UNIT.read_text(), re.MULTILINE)
    (medium.mount / "schoolpulse").mkdir()
    command = command.replace("$$", "$").replace("/var/lib/schoolpulse", f"{medium.mount}/schoolpulse")
    before = run("findmnt", "-no", "OPTIONS", str(medium.mount))
    run("/bin/sh", "-c", command)
    after = run("findmnt", "-no", "OPTIONS", str(medium.mount))

    assert "commit=600" not in before
    assert {*after.split(",")} - {*before.split(",")} == {"commit=600"}
