# SPDX-License-Identifier: Apache-2.0
"""Does the disk in memory forget what real ones may, keep what they must, and otherwise do what they do?"""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.disk import Disk
from tests.powercut.disk import Fault, MemoryDisk, PowerCut

HERE = Path("/spool")
A = HERE / "a"


def _disk(**options: object) -> MemoryDisk:
    disk = MemoryDisk(**options)  # type: ignore[arg-type]
    disk.make_directory(HERE)
    return disk


def _survivors(disk: MemoryDisk, n: int = 200) -> list[MemoryDisk]:
    return [disk.survivor(random.Random(seed)) for seed in range(n)]


def test_what_was_synced_with_its_name_always_survives() -> None:
    disk = _disk()
    file = disk.open(A, new=True)
    file.append(b"kept" * 300)
    file.sync()
    disk.sync_directory(HERE)
    file.append(b"lost" * 3000)
    images = {s.read(A) for s in _survivors(disk)}

    assert all(image.startswith(b"kept" * 300) for image in images)
    assert {b"kept" * 300, b"kept" * 300 + b"lost" * 3000} < images
    assert len(images) > 50


def test_a_name_that_was_not_synced_may_be_gone() -> None:
    disk = _disk()
    file = disk.open(A, new=True)
    file.append(b"x")
    file.sync()

    assert {tuple(s.names(HERE)) for s in _survivors(disk)} == {(), ("a",)}


def test_a_replaced_file_is_the_old_or_the_new_at_every_cut() -> None:
    for cut_at in range(1, 20):
        for after in (False, True):
            disk = _disk()
            disk.replace(A, b"old" * 1000)
            disk.cut_at, disk.cut_after = disk.operations + cut_at, after
            try:
                disk.replace(A, b"new" * 2000)
            except PowerCut:
                assert {s.read(A) for s in _survivors(disk, 30)} <= {b"old" * 1000, b"new" * 2000}


def test_after_the_cut_nothing_works() -> None:
    disk = _disk()
    disk.cut_at = disk.operations + 1
    with pytest.raises(PowerCut):
        disk.open(A, new=True)
    with pytest.raises(PowerCut):
        disk.names(HERE)


def test_a_failed_sync_may_lose_what_a_later_one_does_not_bring_back() -> None:
    lost = 0
    for seed in range(100):
        disk = _disk(seed=seed)
        file = disk.open(A, new=True)
        disk.sync_directory(HERE)
        file.append(b"z" * 600)
        disk.faults[disk.operations + 1] = Fault(errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            file.sync()
        file.sync()
        assert disk.read(A) == b"z" * 600
        lost += disk.survivor(random.Random(seed)).read(A) != b"z" * 600

    assert 20 < lost < 100


def test_a_full_disk_takes_a_part_and_existing_places_still_take_writes() -> None:
    disk = _disk()
    disk.capacity = 1000
    file = disk.open(A, new=True)
    file.append(b"x" * 900)
    with pytest.raises(OSError, match="No space"):
        file.append(b"y" * 200)
    file.overwrite(0, b"z" * 1000)

    assert disk.read(A) == b"z" * 1000


def test_a_short_write_leaves_its_beginning_and_a_read_only_disk_nothing() -> None:
    disk = _disk()
    file = disk.open(A, new=True)
    disk.faults[disk.operations + 1] = Fault(errno.ENOSPC, short=3)
    with pytest.raises(OSError, match="No space"):
        file.append(b"abcdef")
    disk.refuses = errno.EROFS
    with pytest.raises(OSError, match="Read-only"):
        file.append(b"ghi")

    assert disk.read(A) == b"abc"


def test_a_volatile_directory_is_empty_after_a_cut_and_full_after_a_kill() -> None:
    run = Path("/run/agent")
    disk = _disk(volatile=Path("/run"))
    disk.make_directory(run)
    disk.replace(run / "young", b"1")
    disk.killed()

    assert disk.names(run) == ["young"]
    with pytest.raises(FileNotFoundError):
        disk.survivor(random.Random(1)).names(run)


@given(st.lists(st.tuples(st.sampled_from(["append", "truncate", "replace", "remove", "new"]), st.binary())))
def test_without_faults_it_does_what_the_real_one_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("disk")
    memory = MemoryDisk()
    for disk in (Disk(), memory):
        disk.make_directory(root)
    outcomes = [[_do(disk, root / "f", name, data) for name, data in steps] for disk in (Disk(), memory)]

    assert outcomes[0] == outcomes[1]


def _do(disk: Disk | MemoryDisk, path: Path, name: str, data: bytes) -> object:
    try:
        if name == "replace":
            disk.replace(path, data)
        elif name == "remove":
            disk.remove(path)
        else:
            file = disk.open(path, new=name == "new")
            if name == "append":
                file.append(data)
                file.sync()
            elif name == "truncate":
                file.truncate(len(data) // 2)
            file.close()
    except OSError as e:
        return e.errno
    return disk.names(path.parent), [disk.read(p) for p in [path] if path.name in disk.names(path.parent)]
