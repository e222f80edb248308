# SPDX-License-Identifier: Apache-2.0
"""Is everything the journal, its cursors and the dead letters promised there after any power cut?

`SCHOOLPULSE_CUTS` says at how many instants the power is cut; CI takes the default.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections import Counter

import pytest

from collector.cursor import FileCursor
from collector.verify import verify
from tests.powercut.disk import Fault, MemoryDisk, PowerCut
from tests.powercut.journal import (
    ARCHIVE,
    CURSOR,
    DIRECTORY,
    LETTERS,
    Model,
    as_disk,
    entries_on,
    open_journal,
    work,
)

CUTS = int(os.environ.get("SCHOOLPULSE_CUTS", "1500"))
PER_SEED = 50
TURNS = 12


def cut_run(seed: int, at: int, *, after: bool) -> tuple[MemoryDisk, Model, str]:
    """The disk at the cut, what was promised until then, and what was being done."""
    disk, model = MemoryDisk(seed=seed), Model()
    disk.cut_at, disk.cut_after = at, after
    try:
        work(disk, model, random.Random(seed), TURNS)
    except PowerCut:
        return disk, model, disk.log[-1][0]
    raise AssertionError(f"seed {seed} has fewer than {at} operations")


def operations(seed: int) -> int:
    """Operations of a run that nothing happens to."""
    disk = MemoryDisk(seed=seed)
    work(disk, Model(), random.Random(seed), TURNS)
    return disk.operations


def expect_kept(disk: MemoryDisk, model: Model) -> None:
    """The journal starts, has every acknowledged entry once and in order, and nothing it was not given."""
    journal = open_journal(disk)
    page = entries_on(disk)
    read = [entry.payload for entry in page.entries]
    assert len(read) >= model.acknowledged
    promised = model.tried[: model.acknowledged]
    possible = [model.tried, *([*promised, *group] for group in model.refused)]
    assert read in [entries[: len(read)] for entries in possible]
    assert [entry.number for entry in page.entries] == list(range(1, len(read) + 1))
    assert (page.damages, journal.damages, journal.entries) == ([], [], len(read))
    assert journal.seen.new_ranges("kz-1", "00000000000000aa", 1, 1000) == ((len(read) + 1, 1000),)
    journal.close()
    verdict = verify(DIRECTORY, archive=ARCHIVE, disk=as_disk(disk))
    assert (verdict.faults, verdict.entries) == ((), len(read))


async def expect_cursor(disk: MemoryDisk, model: Model) -> None:
    """One of the positions since the last one known to be kept."""
    at = await FileCursor(None, CURSOR, as_disk(disk)).load()  # type: ignore[arg-type]
    possible = model.kept_at[max(0, model.cursor_done - 1) :]
    assert at in possible or (at is None and model.cursor_done == 0)


def expect_letters(disk: MemoryDisk, model: Model) -> None:
    """Every committed letter, and at most one more, which may be torn."""
    content = b""
    if LETTERS in disk._directories:
        content = b"".join(disk.read(LETTERS / name) for name in disk.names(LETTERS))
    whole = 0
    for line in content.split(b"\n"):
        try:
            whole += json.loads(line)["reason"] == "not_decodable"
        except (ValueError, TypeError):
            continue
    assert model.letters <= whole <= model.letters_tried


@pytest.mark.timeout(3600)
async def test_nothing_promised_is_lost_at_any_instant(capsys: pytest.CaptureFixture[str]) -> None:
    kinds: Counter[str] = Counter()
    aside = 0
    for seed in range(-(-CUTS // PER_SEED)):
        dice = random.Random(seed)
        total = operations(seed)
        for _ in range(min(PER_SEED, CUTS - kinds.total())):
            disk, model, kind = cut_run(seed, dice.randint(1, total), after=dice.random() < 0.5)
            kinds[kind] += 1
            survivor = disk.survivor(dice)
            survivor.cut_at = dice.randint(1, 12) if dice.random() < 0.3 else None
            survivor = started(survivor, dice)
            await expect_cursor(survivor, model)
            expect_letters(survivor, model)
            expect_kept(survivor, model)
            aside += sum(name.endswith(".torn") for name in survivor.names(DIRECTORY))
            goes_on(survivor, model)
    with capsys.disabled():
        counts = ", ".join(f"{n} at {kind}" for kind, n in sorted(kinds.items()))
        print(f"\njournal: {kinds.total()} power cuts ({counts}), {aside} torn ends kept aside")
    assert kinds.total() == CUTS


def test_a_cut_soon_after_the_disk_refused_loses_and_invents_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One to three operations in a row are refused, and the power goes within the next twelve."""
    cuts = 0
    for seed in range(-(-CUTS // PER_SEED)):
        dice = random.Random(seed)
        total = operations(seed)
        for _ in range(PER_SEED // 2):
            disk, model = MemoryDisk(seed=seed), Model()
            at = dice.randint(8, total)
            fault = Fault(dice.choice((5, 28, 30)), short=dice.choice((0, 0, 5)))
            disk.faults |= dict.fromkeys(range(at, at + dice.choice((1, 1, 2, 3))), fault)
            disk.cut_at, disk.cut_after = dice.randint(at + 1, at + 12), dice.random() < 0.5
            with contextlib.suppress(PowerCut, OSError):
                work(disk, model, random.Random(seed), TURNS)
            expect_kept(disk.survivor(dice), model)
            cuts += 1
    with capsys.disabled():
        print(f"\njournal: {cuts} power cuts soon after a refusal")


def started(disk: MemoryDisk, dice: random.Random) -> MemoryDisk:
    """The disk after a start, which may itself be cut."""
    try:
        open_journal(disk).close()
    except PowerCut:
        disk = disk.survivor(dice)
    disk.cut_at = None
    return disk


def goes_on(disk: MemoryDisk, model: Model) -> None:
    """What was not acknowledged comes again, once, and more follows."""
    model.tried = [entry.payload for entry in entries_on(disk).entries]
    model.acknowledged = len(model.tried)
    work(disk, model, random.Random(1), 2)
    expect_kept(disk, model)


def test_a_disk_that_refuses_now_and_then_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Every operation in turn fails; what was refused was not acknowledged."""
    refused = 0
    for seed in range(4):
        for at in range(8, operations(seed), 3):
            disk, model = MemoryDisk(seed=seed), Model()
            disk.faults[at] = Fault(5 if at % 2 else 28, short=at % 7)
            try:
                work(disk, model, random.Random(seed), TURNS)
            except OSError:
                refused += 1
            survivor = disk.survivor(random.Random(at))
            expect_kept(survivor, model)
    with capsys.disabled():
        print(f"\njournal: one operation refused at a time, {refused} runs ended by it")
