# SPDX-License-Identifier: Apache-2.0
"""What does judging a country cost: 7,378 schools at one slot a minute, 318 million slots a month?

A month of some schools is put into a file as it would be after the records came: a round a minute, what
modem, latency and portal say beside it, one power cut, outages, lost echoes. Then each school's month is
judged anew from the file, all of it: evidence read, classes, outages with their causes, verdicts written. The
file is in the memory of the machine. What the whole fleet takes is extrapolated from the mean.

Live traffic: one record of each school a minute, in writes of a hundred as the consumer makes them; reading
the journal and decoding batches are not part of it (`make bench ONLY=journal`). Late: one record into the
middle of the month.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from collector.judge.file import FileBook
from collector.judge.schema import open_for_writing
from collector.sinks.schema import transaction
from collector.sla.book import Placed
from collector.sla.ledger import Ledger
from collector.sla.sighting import ALIVE, Basis, Fact, Round, Sighting, Start, Timing, Word
from collector.sla.slot import DAY_SLOTS, SLOT_MS
from collector.sla.touch import Span
from tests.bench.figure import Figure

FLEET = 7378
SCHOOLS = int(os.environ.get("SCHOOLPULSE_BENCH_SCHOOLS", "6"))
LIVE_SCHOOLS = int(os.environ.get("SCHOOLPULSE_BENCH_LIVE_SCHOOLS", "1000"))
MONTH = 30 * DAY_SLOTS
FIRST = 20_000 * DAY_SLOTS
_BATCH = 100
_MINUTES = 5
_LATE = 20
_UP = Round(True, 3, 3, 10, 10, 24, 24, 1, 1, True, True)
_DEAD = _UP._replace(up=False, anchors_up=0, answered=0, dns_answered=0)


def measure() -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        months = _months(Path(folder) / "months.db")
        live = _live(Path(folder) / "live.db")
    return [*months, *live]


def _months(path: Path) -> list[Figure]:
    with contextlib.closing(open_for_writing(path, busy_s=5)) as db:
        book = FileBook(db)
        began_s, sightings = time.process_time(), 0
        for n in range(SCHOOLS):
            with transaction(db):
                for placed in _month(n):
                    book.put(placed)
                    sightings += 1
        filling_s = time.process_time() - began_s
        bytes_per_month = path.stat().st_size / SCHOOLS
        took = [_judge(db, n) for n in range(SCHOOLS)]
        late_ms = _late(db)
        worst_s = _worst(db)
    cpu_s, wall_s = (sum(t[i] for t in took) / SCHOOLS for i in (0, 1))
    note = f"{SCHOOLS} school-months measured, {FLEET} extrapolated"
    return [
        Figure(name="evidence of a school-month", value=sightings / SCHOOLS, unit="records"),
        Figure(name="file, a school-month", value=bytes_per_month / 1e6, unit="MB"),
        Figure(name="putting evidence into the file", value=1e6 * filling_s / sightings, unit="µs/record"),
        Figure(name="judging a school-month, CPU", value=1000 * cpu_s, unit="ms", goal=160),
        Figure(name="judging a school-month, wall", value=1000 * wall_s, unit="ms"),
        Figure(
            name="a month of the fleet, CPU of one core",
            value=FLEET * cpu_s / 60,
            unit="min",
            goal=10,
            note=note,
        ),
        Figure(
            name="a month of the fleet, wall, one process",
            value=FLEET * wall_s / 60,
            unit="min",
            goal=10,
            note=note,
        ),
        Figure(name="the worst school-month, CPU", value=1000 * worst_s, unit="ms", note="dead all month"),
        Figure(name="largest memory, all of this", value=_memory_mb(), unit="MB", goal=1000),
        Figure(name="a late record, mean", value=sum(late_ms) / len(late_ms), unit="ms"),
        Figure(name="a late record, slowest", value=max(late_ms), unit="ms", goal=50),
    ]


def _judge(db: sqlite3.Connection, n: int) -> tuple[float, float]:
    """CPU and wall seconds of one school's month; nothing is remembered of others."""
    ledger = Ledger(FileBook(db))
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    with transaction(db):
        change = ledger.judge({_school(n): [Span(FIRST, FIRST + MONTH - 1)]})
    took = time.process_time() - cpu_s, time.perf_counter() - wall_s
    if not change.come or not change.changed:
        raise RuntimeError("the month was not judged")
    return took


def _worst(db: sqlite3.Connection) -> float:
    """CPU seconds of a month in which no anchor ever answered: no slot can be judged by its kind."""
    book, school = FileBook(db), SCHOOLS
    with transaction(db):
        for slot in range(FIRST, FIRST + MONTH):
            book.put(_placed(school, slot, slot - FIRST + 1, _DEAD, 5000))
    return _judge(db, school)[0]


def _late(db: sqlite3.Connection) -> list[float]:
    """Milliseconds each of some records that come when the month is over."""
    ledger = Ledger(FileBook(db))
    took = []
    for i in range(_LATE):
        slot = FIRST + MONTH // 2 + 97 * i
        began_s = time.perf_counter()
        with transaction(db):
            change = ledger.apply([_placed(0, slot, 900_000 + i, _DEAD, 30_000)])
        took.append(1000 * (time.perf_counter() - began_s))
        if not change.judged:
            raise RuntimeError("a late record touched nothing")
    return took


def _live(path: Path) -> list[Figure]:
    """What a minute of the fleet costs: the rounds alone, and with a word of each modem beside it."""
    alone_s, records = _minutes(path, with_words=False)
    both_s, _ = _minutes(path.with_name("both.db"), with_words=True)
    note = f"{LIVE_SCHOOLS} schools, {records} rounds measured; {FLEET} schools extrapolated"
    share = 100 * FLEET / 60
    return [
        Figure(name="live: one round", value=1e6 * alone_s, unit="µs CPU"),
        Figure(name="live: the fleet's rounds", value=share * alone_s, unit="%", goal=5, note=note),
        Figure(name="live: rounds and modems' words", value=share * both_s, unit="%", note=note),
    ]


def _minutes(path: Path, *, with_words: bool) -> tuple[float, int]:
    """CPU seconds for each round, with what comes beside it, and how many rounds there were."""
    with contextlib.closing(open_for_writing(path, busy_s=5)) as db:
        ledger = Ledger(FileBook(db))
        spent_s, records = 0.0, 0
        for minute in range(_MINUTES + 1):
            slot, seq = FIRST + minute, 2 * minute + 1
            rows = [_placed(n, slot, seq, _UP, 5000) for n in range(LIVE_SCHOOLS)]
            if with_words:
                connected = Word("modem:lte", ("connected",))
                rows += [_placed(n, slot, seq + 1, connected, 20_000) for n in range(LIVE_SCHOOLS)]
            began_s = time.process_time()
            for at in range(0, len(rows), _BATCH):
                with transaction(db):
                    ledger.apply(rows[at : at + _BATCH])
            if minute:  # in the first everything is new
                spent_s += time.process_time() - began_s
                records += LIVE_SCHOOLS
    return spent_s / records, records


def _month(n: int) -> Iterator[Placed]:
    """Rounds, a word of the modem each minute, latency each five, portal each ten, host and others."""
    chance = random.Random(n)
    bad = _bad_slots(chance)
    off = range(FIRST + 9 * DAY_SLOTS, FIRST + 9 * DAY_SLOTS + 55)
    seq = 0
    for slot in range(FIRST, FIRST + MONTH):
        if slot in off:
            continue
        for fact, after_ms in _facts(slot, chance, is_bad=slot in bad):
            seq += 1
            yield _placed(n, slot, seq, fact, after_ms, is_second=slot >= off.stop)
        if slot == off.stop:
            yield _placed(n, slot, 1_000_000, Start("power_cut", 55 * SLOT_MS), 100, is_second=True)


def _bad_slots(chance: random.Random) -> set[int]:
    """Half a percent of the month, in outages of up to an hour."""
    found: set[int] = set()
    while len(found) < MONTH // 200:
        begin = chance.randrange(FIRST, FIRST + MONTH)
        found.update(range(begin, min(begin + chance.randint(1, 60), FIRST + MONTH)))
    return found


def _facts(slot: int, chance: random.Random, *, is_bad: bool) -> Iterator[tuple[Fact, int]]:
    lost = 0 if chance.random() < 0.9 else chance.randint(1, 5)
    yield (_DEAD if is_bad else _UP._replace(answered=10 - lost)), 5000
    yield Word("modem:lte", ("not_registered",) if is_bad else ("connected",)), 20_000
    if slot % 5 == 0:
        yield Timing(round(chance.uniform(40, 80), 1)), 10_000
        yield ALIVE, 12_000
    if slot % 10 == 0:
        yield Word("portal:x", ()), 30_000
        yield Word("host", ()), 40_000


def _placed(n: int, slot: int, seq: int, fact: Fact, after_ms: int, *, is_second: bool = False) -> Placed:
    at_ms = slot * SLOT_MS + after_ms
    until_ms = at_ms + (50_000 if isinstance(fact, Round) else 0)
    device, session = f"pi-{n}", f"{n:015x}{int(is_second)}"
    boot = f"{n:07x}{int(is_second)}"
    mono_ms = at_ms - FIRST * SLOT_MS + 3_600_000
    one = Sighting(slot, at_ms, until_ms, device, session, seq, boot, mono_ms, Basis.CLOCK, fact)
    return Placed(_school(n), one)


def _school(n: int) -> str:
    return f"kz-{n}"


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
