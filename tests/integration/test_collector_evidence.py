# SPDX-License-Identifier: Apache-2.0
"""Are the views equal to the evidence whatever befell them, and is what was lost told and counted?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.contract.kinds import Reach
from agent.contract.record import Batch
from agent.spool.spool import Spool
from collector.sinks.reader import StoreReader
from tests.integration.test_collector_run import contents
from tests.parts.collector import Collector, StandInAgent, eventually
from tests.parts.influxdb import InfluxDB
from tests.parts.mosquitto import Mosquitto
from tests.parts.nginx import InfluxShim
from tests.parts.scripted_http import Answer, Request, ScriptedHTTP
from tests.unit.collector.samples import batch, clock, record

pytestmark = [pytest.mark.parts("mosquitto", "influxdb", "nginx"), pytest.mark.timeout(180)]
TOKEN = "secret-token"
INFLUXDB = """\
[sinks.influxdb]
enabled = true
url = "{url}"
bucket = "{bucket}"
token_file = "{token}"
timeout_s = 2
"""
OUTSIDE_ALL_TIME = clock(1000, wall_ms=1 - 2**53, boot="0badf00d")
AGES_LATER = clock(2**53 - 1000, wall_ms=clock().wall_ms, boot="0badf00d")
UNKNOWN_TIME = clock(wall_ms=1000, boot="01dcafe0", age_s=None)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def influx_options(directory: Path, url: str, bucket: str) -> str:
    token = directory / "token"
    token.write_text(TOKEN)
    return INFLUXDB.format(url=url, bucket=bucket, token=token)


def batches() -> Iterator[Batch]:
    """Live, late, repeated, overlapping and dropped records, some no sink can place."""
    for n in range(40):
        first = n * 5 + 1
        made = batch(range(first, first + 5))
        if n % 10 == 3:
            made = batch(range(first, first + 5), records=(record(first), record(first + 4)))
        if n % 10 == 5:
            outside = record(first + 4, clock=OUTSIDE_ALL_TIME)
            made = replace(made, clock=AGES_LATER, records=(*made.records[:-1], outside))
        if n % 10 == 7:
            made = replace(made, records=(record(first, clock=UNKNOWN_TIME), *made.records[1:]))
        yield replace(made, backlog=n % 4 == 2)
        if n % 5 == 4:
            yield batch(range(first - 7, first + 2))


def run_collector(collector: Collector, *arguments: str) -> str:
    """One of its reading commands."""
    command = [sys.executable, "-m", "collector", *arguments, "--config", str(collector.config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_replay_fills_an_empty_influxdb_and_an_empty_store_to_equal_content(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    with InfluxDB(tmp_path) as influxdb, InfluxShim(tmp_path, influxdb.port, token=TOKEN) as shim:
        collector = Collector(tmp_path, broker.port, extra=influx_options(tmp_path, shim.url, "schoolpulse"))
        with collector, StandInAgent(broker.port) as agent:
            for made in batches():
                agent.deliver(made)
            eventually(lambda: caught_up(collector))
        live = points(influxdb, "schoolpulse"), contents(collector.directory / "store.db")

        for file in collector.directory.glob("store.db*"):
            file.unlink()
        influxdb.query('CREATE DATABASE "rebuilt"')
        collector.extra = influx_options(tmp_path, shim.url, "rebuilt")
        collector.command()
        for sink in ("store", "influxdb"):
            run_collector(collector, "replay", "--sink", sink)

        rebuilt = points(influxdb, "rebuilt"), contents(collector.directory / "store.db")
        assert rebuilt == live
        rejected = [letter for letter in collector.letters() if letter.get("sink") == "influxdb"]
        with capsys.disabled():
            rows = sum(map(len, live[1].values()))
            print(f"\nreplay: {len(live[0])} InfluxDB points and {rows} store rows equal", end="")
            print(f", {len(live[1]['gaps'])} gaps, {len(rejected)} letters of refused records")
    assert len(live[0]) > 150
    assert len(live[1]["gaps"]) == 4
    assert len(rejected) == 8, "four refused by InfluxDB, each told live and at the replay"


def points(influxdb: InfluxDB, database: str) -> list[dict[str, Any]]:
    """Every point with all tags and fields."""
    asked, influxdb.database = influxdb.database, database
    try:
        return influxdb.query("SELECT * FROM /.*/ GROUP BY *")
    finally:
        influxdb.database = asked


def caught_up(collector: Collector) -> bool:
    metrics = collector.metrics()
    lags = [value for name, value in metrics.items() if name.startswith("schoolpulse_sink_lag_entries")]
    return metrics["schoolpulse_journal_entries"] > 0 and not any(lags) and written(metrics, "influxdb") > 0


def written(metrics: dict[str, float], sink: str) -> float:
    return metrics[f'schoolpulse_sink_written_records_total{{sink="{sink}"}}']


@dataclass
class Fire:
    """An InfluxDB that does everything an InfluxDB has been seen to do, then works."""

    upstream: InfluxDB
    plan: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        mood = self.plan.pop(0) if self.plan else "works"
        self.seen.append(mood)
        return {
            "500": Answer(status=500, body={"error": "write /data/1.wal: no space left on device"}),
            "503": Answer(status=503, body=b"<html>"),
            "429": Answer(status=429, headers={"Retry-After": "1"}),
            "hangs": Answer(never=True),
            "html": Answer(status=400, body=b"<html>bad gateway"),
        }.get(mood) or self._forward(request)

    def _forward(self, request: Request) -> Answer:
        url = f"{self.upstream.url}/write?db={self.upstream.database}&precision=u"
        try:
            with urllib.request.urlopen(url, request.body, timeout=10) as answer:
                return Answer(status=answer.status)
        except urllib.error.HTTPError as e:
            with e:
                return Answer(status=e.code, body=e.read(), headers={"Content-Type": "application/json"})


def test_a_sink_under_fire_gets_everything_once_and_holds_up_nobody(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ["503", "500", "429", "works", "html", "hangs", "works"]
    with InfluxDB(tmp_path) as influxdb:
        fire = Fire(influxdb, list(plan))
        with (
            ScriptedHTTP(fire) as front,
            Collector(tmp_path, broker.port, extra=influx_options(tmp_path, front.url, "x")) as collector,
            StandInAgent(broker.port) as agent,
        ):
            for made in batches():
                agent.deliver(made)
            store = StoreReader(collector.directory / "store.db")
            eventually(lambda: store.count() == 188)
            eventually(lambda: not fire.plan and caught_up(collector), within_s=60)
            refused = [letter for letter in collector.letters() if letter["reason"] == "sink"]

            stored = sum(row["count_ok"] for row in influxdb.query('SELECT count(*) FROM "reach"'))
            held = 4  # of a boot whose time nobody knows: InfluxDB gets them after six hours (decision 0013)
            assert stored + len(refused) + held == 188
            assert len(refused) == 4
            with capsys.disabled():
                print(f"\nfire: {len(fire.seen)} requests, {stored} points, {len(refused)} dead letters")


def test_what_a_restored_backup_has_lost_is_counted_and_shown(tmp_path: Path, broker: Mosquitto) -> None:
    """The agent forgot what was acknowledged; its next batch says which numbers no longer exist."""
    spool = Spool(tmp_path / "spool", clock)
    with (
        Collector(tmp_path, broker.port, extra="refresh_every_s = 1") as collector,
        StandInAgent(broker.port) as agent,
    ):
        deliver(spool, agent, 10)
        collector.stop()
        shutil.copytree(collector.directory, tmp_path / "backup", ignore=shutil.ignore_patterns("*.log"))
        collector.start()
        deliver(spool, agent, 25)
        collector.stop()
        shutil.rmtree(collector.journal)
        shutil.copytree(tmp_path / "backup", collector.directory, dirs_exist_ok=True)
        for stale in ("store.db-wal", "store.db-shm"):
            (collector.directory / stale).unlink(missing_ok=True)
        collector.start()
        deliver(spool, agent, 5)

        store = StoreReader(collector.directory / "store.db")
        eventually(lambda: store.count() == 15)
        (gap,) = store.gaps("kz-1")
        assert (gap.session, gap.first_seq, gap.last_seq) == (spool.session, 11, 35)
        eventually(
            lambda: collector.metrics().get('schoolpulse_device_records_lost_total{device="kz-1"}') == 25
        )
        with urllib.request.urlopen(f"{collector.url}/school/school-1", timeout=10) as answer:
            page = answer.read().decode()
        assert "Lost before they arrived" in page
    assert '"verified": true' in run_collector(collector, "verify")


def test_anybody_can_keep_the_newest_checkpoint_and_compare_it(tmp_path: Path, broker: Mosquitto) -> None:
    spool, kept = Spool(tmp_path / "spool", clock), tmp_path / "kept"
    with Collector(tmp_path, broker.port) as collector, StandInAgent(broker.port) as agent:
        deliver(spool, agent, 5)
        heard: list[bytes] = []
        eventually(lambda: collector.metrics()["schoolpulse_checkpoints_total"] == 1)
        school = mqtt.Client(CallbackAPIVersion.VERSION2)
        school.on_message = lambda _c, _u, message: heard.append(bytes(message.payload))
        school.connect("127.0.0.1", broker.port)
        school.subscribe("sp/1/checkpoint/+")
        school.loop_start()
        eventually(lambda: bool(heard))
        school.disconnect()
        school.loop_stop()
        with urllib.request.urlopen(f"{collector.url}/checkpoints", timeout=10) as answer:
            kept.write_bytes(answer.read())
    assert kept.read_bytes().strip() == heard[0]
    found = json.loads(run_collector(collector, "verify", "--checkpoint", str(kept)))
    assert (found["verified"], found["kept"]) == (True, 1)


def deliver(spool: Spool, agent: StandInAgent, count: int) -> None:
    """Measure, send, and forget what is acknowledged, as an agent does."""
    for _ in range(count):
        spool.append(kind="reach", clock=clock(), duration_ms=1, fields=Reach(up=True))
    run = spool.next_run(after=None)
    assert run is not None
    made = Batch(
        device="kz-1", session=run.session, first_seq=run.first_seq, clock=clock(), records=run.records
    )
    spool.acknowledge(agent.deliver(made))


def test_an_archived_journal_is_replayed_and_verified_as_one_that_is_whole(
    tmp_path: Path, broker: Mosquitto
) -> None:
    archive = tmp_path / "archive"
    options = f'segment_bytes = 4096\nkeep_bytes = 1\narchive_directory = "{archive}"'
    collector = Collector(tmp_path, broker.port, journal=options)
    with collector, StandInAgent(broker.port) as agent:
        for n in range(60):
            agent.deliver(batch([n + 1]))
        eventually(lambda: StoreReader(collector.directory / "store.db").count() == 60)
        collector.restart()
        eventually(lambda: collector.metrics()["schoolpulse_segments_archived_total"] >= 1)
    store = StoreReader(collector.directory / "store.db")
    before = store.records("school-1", "reach", start_ms=0, end_ms=2**52)
    (collector.directory / "store.db").unlink()
    run_collector(collector, "replay", "--sink", "store")

    assert store.records("school-1", "reach", start_ms=0, end_ms=2**52) == before
    assert len(before) == 60
    found = json.loads(run_collector(collector, "verify"))
    assert (found["verified"], found["entries"], found["checkpoints"]) == (True, 60, 1)
    assert found["archived"] == len(list(archive.iterdir()))


FLOOD_MESSAGES = 40_000
FLOOD = f"""
import time
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from agent.contract import topics
from agent.contract.codec import encode
from tests.unit.collector.samples import batch
client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", {{port}})
client.loop_start()
payload, topic, began_s = encode(batch(range(1, 20))), topics.up("kz-1"), time.monotonic()
for n in range({FLOOD_MESSAGES}):
    info = client.publish(topic, payload)
    time.sleep(max(0, began_s + n / 10_000 - time.monotonic()) if n % 100 == 0 else 0)
info.wait_for_publish(60)
print(f"{{{{n / (time.monotonic() - began_s):.0f}}}} messages/s sent")
"""


def test_a_flood_of_one_device_costs_nobody_else_a_record(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    """How long the others waited is printed; that nothing of theirs was turned away is what passes."""
    broker.stop()
    broker.extra = "max_queued_messages 1000\nlog_type none"
    broker.start()
    with (
        Collector(tmp_path, broker.port) as collector,
        StandInAgent(broker.port, "kz-2") as other,
    ):
        other.deliver(batch([1], device="kz-2"))
        with StandInAgent(broker.port, "kz-1") as agent:
            agent.deliver(batch([1]))
        flood = subprocess.Popen([sys.executable, "-c", FLOOD.format(port=broker.port)])
        waits_s, sent = [], 1
        while flood.poll() is None:
            sent += 1
            began_s = time.monotonic()
            other.deliver(batch([sent], device="kz-2"))
            waits_s.append(time.monotonic() - began_s)
            time.sleep(0.05)
        assert flood.returncode == 0
        metrics = collector.metrics()
        drops = metrics.get('schoolpulse_device_queue_drops_total{device="kz-1"}', 0)
        assert 'schoolpulse_device_queue_drops_total{device="kz-2"}' not in metrics
        eventually(lambda: {e.device for e in collector.entries()} == {"kz-1", "kz-2"})
    ordered = sorted(waits_s)
    with capsys.disabled():
        print(f"\nflood: {FLOOD_MESSAGES} messages, {drops:.0f} over the device's share", end="")
        median_ms, p95_ms = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.95))
        print(f"; {len(ordered)} batches of another device acknowledged after", end="")
        print(f" {median_ms:.0f} ms (median), {p95_ms:.0f} ms (p95)")
    kept = [e.new for e in collector.entries() if e.device == "kz-2"]
    assert kept == [((n, n),) for n in range(1, sent + 1)]
    assert drops > 0
