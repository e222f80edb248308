# SPDX-License-Identifier: Apache-2.0
"""Does the whole program keep what it acknowledges, whatever is sent to it and whatever else is down?"""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract import topics
from collector.sinks.reader import StoreReader
from tests.parts.collector import Collector, StandInAgent, eventually
from tests.parts.mosquitto import Mosquitto
from tests.parts.program import free_port
from tests.parts.scripted_http import Answer, ScriptedHTTP
from tests.unit.collector.samples import batch

pytestmark = pytest.mark.parts("mosquitto")
INFLUXDB = '[sinks.influxdb]\nenabled = true\nurl = "{url}"\ntimeout_s = 1'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def agent(broker: Mosquitto) -> Iterator[StandInAgent]:
    with StandInAgent(broker.port) as agent:
        yield agent


def store(collector: Collector) -> StoreReader:
    return StoreReader(collector.directory / "store.db")


def test_a_batch_is_kept_acknowledged_and_stored(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    with Collector(tmp_path, broker.port) as collector:
        assert agent.deliver(batch(range(1, 21))).up_to_seq == 20
        eventually(lambda: store(collector).count() == 20)
        eventually(lambda: collector.metrics()["schoolpulse_records_accepted_total"] == 20)

        collector.signal(signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(collector.pid, 0)[1]) == 0
        assert [e.new for e in collector.entries()] == [((1, 20),)]


def test_nothing_a_stranger_sends_stops_it(tmp_path: Path, broker: Mosquitto, agent: StandInAgent) -> None:
    sent = [
        ("sp/1/13/kz-1/up", b"\xff" * 100),
        ("sp/1/13/kz-1/up", b""),
        ("sp/1/13/kz-1/up", b"{" * 100_000),
        ("sp/1/13/kz-1/up", b"x" * 300_000),
        ("sp/1/0/kz-1/up", b"{}"),
        ("sp/1/x/y/up", b"{}"),
        ("sp/1/13/kz-1/status", b"\xff"),
        (topics.up("kz-9"), b"{}"),
    ]
    with Collector(tmp_path, broker.port) as collector:
        eventually(lambda: collector.metrics()["schoolpulse_mqtt_connected"] == 1)
        for topic, payload in sent:
            agent.publish(topic, payload)
        agent.deliver(batch([1]))

        reasons = sorted(letter["reason"] for letter in collector.letters())
        assert reasons == ["bad_topic"] * 2 + ["not_decodable"] * 3 + ["too_large", "unknown_device"]


def test_it_starts_without_a_broker_and_finds_it_later(tmp_path: Path) -> None:
    late = Mosquitto(tmp_path)
    with Collector(tmp_path, late.port) as collector:
        assert not collector.healthz()["parts"]["mqtt"]["ok"]
        with late, StandInAgent(late.port) as agent:
            agent.deliver(batch([1, 2]))


def test_a_dead_sink_holds_up_neither_acknowledgements_nor_the_store(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    extra = INFLUXDB.format(url=f"http://127.0.0.1:{free_port()}")
    with Collector(tmp_path, broker.port, extra=extra) as collector:
        for n in range(5):
            agent.deliver(batch([n + 1]))
        eventually(lambda: store(collector).count() == 5)

        eventually(lambda: collector.metrics()['schoolpulse_sink_lag_entries{sink="influxdb"}'] == 5)
        assert collector.metrics()['schoolpulse_sink_available{sink="influxdb"}'] == 0


def test_a_sink_that_comes_back_gets_everything_and_says_what_it_will_never_take(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    with (
        ScriptedHTTP(lambda _: Answer(status=503, headers={"Retry-After": "1"})) as influxdb,
        Collector(tmp_path, broker.port, extra=INFLUXDB.format(url=influxdb.url)) as collector,
    ):
        cursor = collector.journal / "cursors" / "influxdb"
        agent.deliver(batch([1, 2]))
        eventually(lambda: len(influxdb.requests) >= 1)
        influxdb.answer = lambda _: Answer(status=400, body={"message": "partial write: type conflict"})
        eventually(lambda: len(collector.letters()) == 2)
        influxdb.answer = lambda _: Answer()
        agent.deliver(batch([3]))
        eventually(lambda: cursor.read_text().startswith(f"{collector.entries()[-1].after} "))

        assert [(letter["reason"], letter["seq"]) for letter in collector.letters()] == [
            ("sink", 1),
            ("sink", 2),
        ]
        assert influxdb.requests[-1].body.count(b"reach,") == 1


def test_a_second_collector_on_the_same_journal_is_refused(tmp_path: Path, broker: Mosquitto) -> None:
    with Collector(tmp_path, broker.port) as collector:
        command = [sys.executable, "-m", "collector", "run", "--config", str(collector.config)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert second.returncode == 1
    assert "another collector writes this journal" in second.stderr


def test_a_store_rebuilt_from_the_journal_is_equal(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    with Collector(tmp_path, broker.port) as collector:
        for n in range(10):
            agent.deliver(batch(range(n * 3 + 1, n * 3 + 5)))
        eventually(lambda: store(collector).count() == 31)
        collector.stop()
        before = contents(collector.directory / "store.db")
        for file in collector.directory.glob("store.db*"):
            file.unlink()

        command = [sys.executable, "-m", "collector", "replay", "--sink", "store", "--json"]
        made = subprocess.run(
            [*command, "--config", str(collector.config)], check=True, capture_output=True, timeout=30
        )

        assert json.loads(made.stdout)["written"] == 31
        assert contents(collector.directory / "store.db") == before


def contents(database: Path) -> dict[str, list[object]]:
    """Every row of every table."""
    db = sqlite3.connect(database)
    try:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = ((table, db.execute(f"SELECT * FROM {table}")) for table in tables)  # noqa: S608  # its own names
        return {table: sorted(found, key=repr) for table, found in rows}
    finally:
        db.close()


def test_a_page_whose_port_is_taken_stops_nothing(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    collector = Collector(tmp_path, broker.port)
    collector.port = broker.port
    with collector:
        agent.deliver(batch([1]))
        eventually(lambda: "page.unavailable" in collector.log)


def test_a_full_disk_acknowledges_nothing_and_goes_on_once_there_is_room(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    with Collector(tmp_path, broker.port) as collector:
        agent.deliver(batch([1]))
        size = collector.entries()[-1].after.offset
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
        agent.send(batch([2]))
        assert agent.heard(1) is None
        assert not collector.healthz()["parts"]["journal"]["ok"]

        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, unlimited)
        agent.deliver(batch([2, 3]))
        assert collector.healthz()["parts"]["journal"]["ok"]
        assert [e.new for e in collector.entries()] == [((1, 1),), ((2, 3),)]


def test_an_end_while_the_disk_is_full_comes_soon(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    with Collector(tmp_path, broker.port) as collector:
        agent.deliver(batch([1]))
        size = collector.entries()[-1].after.offset
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
        for n in range(2, 2000):
            agent.send(batch([n]))
        collector.signal(signal.SIGTERM)

        assert os.waitstatus_to_exitcode(os.waitpid(collector.pid, 0)[1]) == 0
        assert [e.new for e in collector.entries()] == [((1, 1),)]


def test_an_end_under_load_acknowledges_what_it_has_taken(
    tmp_path: Path, broker: Mosquitto, agent: StandInAgent
) -> None:
    with Collector(tmp_path, broker.port) as collector:
        agent.deliver(batch([1]))
        for n in range(2, 400):
            agent.send(batch([n]))
        collector.signal(signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(collector.pid, 0)[1]) == 0

        kept = sum(high - low + 1 for entry in collector.entries() for low, high in entry.new)
        acknowledged = 1
        while (ack := agent.heard(0.5)) is not None:
            acknowledged = ack.up_to_seq + sum(high - low + 1 for low, high in ack.ranges)
        assert kept == acknowledged
