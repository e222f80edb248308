# SPDX-License-Identifier: Apache-2.0
"""Does a replay leave nothing out of a sink that the sink did not have before?"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from collector.config import Config, load_config
from collector.journal import Journal
from collector.playback import START, Playback
from collector.replay import replay
from collector.segment import Position
from tests.unit.collector.samples import DEVICE, batch, batch_entry

TOML = """
[mqtt]
host = "127.0.0.1"
[journal]
directory = "{folder}/journal"
[dead_letters]
directory = "{folder}/dead"
[registry]
file = "{folder}/registry.toml"
[sinks.store]
path = "{folder}/store.db"
"""
REGISTRY = f"""
[[school]]
id = "school-1"
[[device]]
id = "{DEVICE}"
school = "school-1"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "registry.toml").write_text(REGISTRY)
    (tmp_path / "collector.toml").write_text(TOML.format(folder=tmp_path))
    journal = Journal.open(tmp_path / "journal")
    for seq in range(1, 4):
        journal.write([batch_entry(batch((seq,)))])
    journal.close()
    return load_config(tmp_path / "collector.toml", {})


def add(folder: Path, *seqs: int) -> Position:
    """More entries; where the last of them begins."""
    journal = Journal.open(folder / "journal")
    at = journal.committed
    for seq in seqs:
        at = journal.committed
        journal.write([batch_entry(batch((seq,)))])
    journal.close()
    return at


def stored(folder: Path) -> list[int]:
    with sqlite3.connect(folder / "store.db") as db:
        return [seq for (seq,) in db.execute("SELECT seq FROM hot ORDER BY seq")]


def test_a_replay_from_behind_the_sinks_own_place_begins_at_that_place(
    tmp_path: Path, config: Config
) -> None:
    asyncio.run(replay(config, "store", START))
    last = add(tmp_path, 4, 5, 6)
    asyncio.run(replay(config, "store", last))

    assert stored(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_replay_into_a_new_sink_begins_where_it_is_told(tmp_path: Path, config: Config) -> None:
    second = Playback(tmp_path / "journal").read().entries[1].at
    asyncio.run(replay(config, "store", second))

    assert stored(tmp_path) == [2, 3]


def test_a_replay_twice_changes_nothing(tmp_path: Path, config: Config) -> None:
    for _ in range(2):
        asyncio.run(replay(config, "store", START))

    assert stored(tmp_path) == [1, 2, 3]
