# SPDX-License-Identifier: Apache-2.0
"""Does the program come up and down with whatever it was told to do?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from collector import pipeline
from collector.authority.desk import Desk
from collector.backoff import Backoff
from collector.config import Config, load_config
from collector.entry import NewEntry
from collector.errors import ConfigError, JournalLocked, JournalUnavailable
from collector.growth import Growth
from collector.inbox import Inbox
from collector.journal import Journal
from collector.receiver import Receiver
from tests.parts.program import accepts, free_port
from tests.unit.collector import samples
from tests.unit.collector.test_cursor import Recorder

TOML = """
[mqtt]
host = "127.0.0.1"
port = {port}
[journal]
directory = "{folder}/journal"
[dead_letters]
directory = "{folder}/dead"
[registry]
file = "{folder}/registry.toml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "registry.toml").write_text("")
    return tmp_path


def config(folder: Path, extra: str) -> Config:
    (folder / "collector.toml").write_text(TOML.format(folder=folder, port=free_port()) + extra)
    return load_config(folder / "collector.toml", {})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # files and ports ring no bell
            await asyncio.sleep(0.01)


async def test_it_runs_without_any_sink_or_page(folder: Path) -> None:
    stop = asyncio.Event()
    made = config(folder, "[sinks.store]\nenabled = false\n[web]\nenabled = false\n")
    running = asyncio.create_task(pipeline.run(made, stop))
    await until((folder / "journal" / "000001.journal").exists)
    stop.set()

    await asyncio.wait_for(running, 20)


async def test_an_error_in_the_page_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        failed.set()
        raise ZeroDivisionError

    failed, stop = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(pipeline, "serve", fail)
    made = config(folder, f'[sinks.store]\npath = "{folder}/store.db"\n')
    running = asyncio.create_task(pipeline.run(made, stop))
    await asyncio.wait_for(failed.wait(), 20)
    stop.set()
    await asyncio.wait_for(running, 20)

    assert "page.failed" in caplog.text


async def test_a_store_that_cannot_be_made_does_not_hold_up_the_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_STORE_S", 0.1)
    port, stop = free_port(), asyncio.Event()
    made = config(folder, f'[sinks.store]\npath = "/dev/null/store.db"\n[web]\nport = {port}\n')
    running = asyncio.create_task(pipeline.run(made, stop))
    await until(lambda: accepts(port))
    stop.set()

    await asyncio.wait_for(running, 20)


async def test_a_journal_in_use_ends_it_at_once(folder: Path) -> None:
    journal = Journal.open(folder / "journal")
    with pytest.raises(JournalLocked):
        await pipeline.run(config(folder, ""), asyncio.Event())
    journal.close()


async def test_a_sink_that_cannot_be_made_is_refused_before_anything_is(folder: Path) -> None:
    token = folder / "token"
    token.write_text("secret")
    store = f'[sinks.store]\npath = "{folder}/store.db"\n'
    where = 'enabled = true\nurl = "http://127.0.0.1:1"\norg = "o"\nbucket = "b"\n'
    influxdb = f'[sinks.influxdb]\n{where}token_file = "{token}"\n'
    made = config(folder, store + influxdb)
    token.unlink()
    before = _names(folder)
    with pytest.raises(ConfigError, match=r"sinks\.influxdb"):
        await pipeline.run(made, asyncio.Event())

    assert _names(folder) == before


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_sink_that_cannot_tidy_up_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Untidy(Recorder):
        asked = 0

        async def tidy(self, _now_ms: int) -> None:
            self.asked += 1
            raise OSError("full")

    monkeypatch.setattr(pipeline, "_TIDY_EVERY_S", 0)
    sink = Untidy()
    tidying = asyncio.create_task(pipeline._tidy(sink))
    await until(lambda: sink.asked >= 3)
    tidying.cancel()

    assert "sink.not_tidied" in caplog.text


async def test_a_journal_that_failed_is_well_again_when_it_was_written_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registry.toml").write_text("")
    intake = samples.intake(tmp_path)
    health, stop = intake.health, asyncio.Event()
    made = pipeline._Pipeline(
        config=config(tmp_path, ""), health=health, journal=intake.journal, sinks=[], desk=Desk()
    )
    made.inbox, made.growth = Inbox(), Growth(intake.journal.committed)
    made.receiver = Receiver(made.config.broker, made.inbox, health)
    made.consumers, made.damages = [], set()
    monkeypatch.setattr(pipeline, "Backoff", lambda **_: Backoff(first_s=0, most_s=0))
    entering = asyncio.create_task(made._enter(intake, stop))
    known, new = samples.message(samples.batch([1])), samples.message(samples.batch([2]))
    made.inbox.offer(known)
    await until(lambda: health.records_accepted == 1)

    monkeypatch.setattr(intake.journal, "write", _unavailable_for(intake.journal.write))
    made.inbox.offer(new)
    await until(lambda: health.messages_unstored == 1)
    made.inbox.offer(known)
    await until(lambda: health.records_duplicate == 1)
    await asyncio.sleep(0.05)
    told = [health.journal_problem]

    monkeypatch.undo()
    made.inbox.offer(new)
    await until(lambda: health.records_accepted == 2)
    made.inbox.close()
    await entering
    assert [*told, health.journal_problem] == ["full", None]
    intake.journal.close()


def _unavailable_for(write: Callable[[Sequence[NewEntry]], None]) -> Callable[[Sequence[NewEntry]], None]:
    """A journal's `write` on a disk that is full."""

    def fail(entries: Sequence[NewEntry]) -> None:
        if entries:
            raise JournalUnavailable("full")
        write(entries)

    return fail
