# SPDX-License-Identifier: Apache-2.0
"""Whatever fails between school and centre: is what was made stored once, or counted as dropped?

`make conservation` runs it with long outages and thirty days offline.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.contract import topics
from agent.contract.codec import decode_batch
from agent.contract.record import Batch, ClockState, Record
from agent.spool.drop import Drop
from agent.spool.session import Session
from agent.spool.spool import Spool, SpoolState
from collector.sinks.base import SinkUnavailable
from collector.sinks.reader import StoreReader
from tests.bench import day
from tests.parts.influxdb import InfluxDB
from tests.parts.mosquitto import Mosquitto, hang_up
from tests.parts.proxy import Proxy
from tests.parts.relay import Relay
from tests.parts.scripted_http import Answer, Request, ScriptedHTTP
from tests.parts.small_disk import fill, small_disk
from tests.system.ledger import compare, lost, made, settle, silence
from tests.system.trio import Trio, wait_until
from tests.system.witness import made_line

IS_FULL = os.environ.get("SCHOOLPULSE_TEST_CONSERVATION") == "full"
SEED = int(os.environ.get("SCHOOLPULSE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
ROUNDS = 20 if IS_FULL else 2
DAYS = 30 if IS_FULL else 1
MOSQUITTO_DEFAULTS = "max_queued_messages 1000\nautosave_interval 1"

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1800 if IS_FULL else 180)]


@contextlib.contextmanager
def running(trio: Trio, *names: str) -> Iterator[None]:
    with contextlib.closing(trio):
        for name in names or ("broker", "collector", "agent"):
            trio.start(name)
        yield


def grows(trio: Trio, by: int = 6) -> None:
    """Let the agent measure."""
    before = len(trio.noted("made"))
    wait_until(lambda: len(trio.noted("made")) >= before + by, 60, "the agent measures")


def test_a_broker_killed_and_wiped_while_the_collector_is_away_loses_nothing(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    trio.broker.extra = MOSQUITTO_DEFAULTS
    wiped = 0
    with running(trio):
        for _ in range(ROUNDS):
            grows(trio)
            trio.kill("collector")
            grows(trio)
            trio.kill("broker")
            for path in trio.broker.directory.glob("mosquitto.db*"):
                path.unlink()
                wiped += 1
            grows(trio)
            trio.start("broker")
            trio.start("collector")
        settle(trio)
        print(f"\nbroker killed {ROUNDS} times, {wiped} files of it wiped; {compare(trio)}")


def test_a_network_that_flaps_loses_nothing(tmp_path: Path) -> None:
    dice, done = random.Random(SEED), Counter[str]()
    with Proxy() as proxy:
        trio = Trio(tmp_path, agent_port=proxy.port)
        proxy.to_port = trio.broker.port
        with running(trio):
            for _ in range(ROUNDS * 3):
                fault = dice.choice(["cut", "stall", "slow", "down"])
                done[fault] += 1
                proxy.delay_s = 0.7 if fault == "slow" else 0.0
                proxy.is_up = fault not in ("stall", "down")
                if fault in ("cut", "down"):
                    proxy.cut()
                time.sleep(dice.uniform(0.2, 3.5))
                proxy.is_up, proxy.delay_s = True, 0.0
                time.sleep(dice.uniform(0, 1.5))
            settle(trio)
        print(f"\nseed {SEED}: {dict(done)}, {proxy.connections} connections; {compare(trio)}")


def test_messages_that_come_late_twice_and_out_of_order_are_stored_once(tmp_path: Path) -> None:
    school = Mosquitto(tmp_path / "school")
    trio = Trio(tmp_path, agent_port=school.port)
    trio.start("broker")
    with school, Relay(school.port, trio.broker.port, SEED) as relay, running(trio, "collector", "agent"):
        relay.copies = 3
        for late_s in (0.5, 3.0, 6.0) * (4 if IS_FULL else 1):
            relay.up_s, relay.ack_s = late_s, min(late_s, 1.5)
            grows(trio, 20)
        relay.up_s, relay.ack_s, relay.copies = 0.0, 0.0, 2
        settle(trio)
        print(f"\nseed {SEED}: {dict(relay.counts)}; {compare(trio)}")
    assert relay.counts["copies"] > 0
    assert relay.counts["out of order"] > 0


def _back_up(trio: Trio) -> None:
    """Copy what the collector has while it runs, as an operator's cron would."""
    for name in ("store.sqlite", "store.sqlite-wal", "journal", "dead-letters"):
        source, target = trio.directory / name, trio.directory / "backup" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy2(source, target)


def _restore(trio: Trio) -> None:
    """What was there goes, the backup comes."""
    trio.kill("collector")
    for path in trio.directory.glob("store.sqlite*"):
        path.unlink()
    for name in ("journal", "dead-letters"):
        shutil.rmtree(trio.directory / name, ignore_errors=True)
    shutil.copytree(trio.directory / "backup", trio.directory, dirs_exist_ok=True)
    trio.start("collector")


def test_a_collector_restored_from_a_backup_gets_again_what_the_agent_still_has(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    with running(trio):
        grows(trio, 12)
        wait_until(lambda: len(trio.stored()) >= 6, 30, "something is stored")
        _back_up(trio)
        for _ in range(ROUNDS):
            grows(trio, 18)
        before, known = len(trio.stored()), set(made(trio))
        _restore(trio)
        assert len(trio.stored()) < before
        grows(trio, 18)
        # What was acknowledged is told again from memory alone: an agent stopped before has lost it, counted.
        wait_until(lambda: known <= _stored(trio), 120, "what was forgotten is there again")
        settle(trio)
        print(f"\nbackup taken while running, {before} stored before it was restored; {compare(trio)}")
    assert "collector.forgot" in trio.log("agent")
    assert lost(trio) == set()


def test_a_collector_restored_from_a_backup_counts_what_nobody_has_any_more(tmp_path: Path) -> None:
    """Two whole sessions came and went since; of the third the beginning was forgotten by both sides."""
    trio = Trio(tmp_path)
    with running(trio):
        grows(trio, 12)
        _back_up(trio)
        for _ in range(2):
            grows(trio, 24)
            assert trio.stop("agent") == 0
            trio.start("agent")
        grows(trio, 24)
        assert trio.stop("agent") == 0
        _restore(trio)
        silence(trio)
        trio.start("agent")
        wait_until(lambda: _is_accounted_for(trio), 60, "what is not stored is counted as lost")
        trio.kill("agent")
        wait_until(lambda: _is_accounted_for(trio), 60, "what is not stored is counted as lost")
        stored, counted = trio.stored(), lost(trio)
        metric = 'schoolpulse_device_records_lost_total{device="kz-1"}'
        wait_until(lambda: trio.metrics().get(metric) == len(counted), 20, "the figure says how many")
    sessions = len({session for session, _ in counted})
    print(f"\nmade {len(made(trio))} = stored {len(stored)} + lost {len(counted)}, of {sessions} sessions")
    assert len(stored) == len({(r.session, r.seq) for r in stored})
    assert len(made(trio)) == len(stored) + len(counted)
    assert {(r.session, r.seq) for r in stored} | counted == set(made(trio))
    assert sessions >= 3
    assert trio.verdict().faults == ()


def _is_accounted_for(trio: Trio) -> bool:
    return set(made(trio)) - _stored(trio) <= lost(trio)


def _stored(trio: Trio) -> set[tuple[str, int]]:
    return {(r.session, r.seq) for r in trio.stored()}


def test_a_collector_whose_disk_is_full_acknowledges_nothing_says_so_and_goes_on(tmp_path: Path) -> None:
    trio = Trio(tmp_path, journal="min_free_bytes = 0")
    with small_disk(tmp_path / "journal"), running(trio):
        grows(trio, 12)
        wait_until(lambda: len(trio.stored()) > 0, 30, "something is stored")
        fill(tmp_path / "journal/filler")
        wait_until(lambda: trio.metrics()["schoolpulse_journal_writable"] == 0, 30, "the figures say so")
        stored = len(trio.stored())
        grows(trio, 18)
        assert "No space left" in trio.healthz()["parts"]["journal"]["detail"]
        assert len(trio.stored()) == stored
        (tmp_path / "journal/filler").unlink()
        wait_until(lambda: trio.metrics()["schoolpulse_journal_writable"] == 1, 60, "it goes on")
        settle(trio)
        # What is stored may be acknowledged again meanwhile; anything else would be missing now.
        print(f"\nnothing new acknowledged while the disk was full; {compare(trio)}")


class Grudging:
    """An InfluxDB that fails in the ways of a list, one request each, and works in between."""

    def __init__(self, database: InfluxDB, faults: list[str]) -> None:
        self.database = database
        self.faults = faults
        self.answers: Counter[str] = Counter()
        self.is_picky = False

    def answer(self, request: Request) -> Answer:
        """What comes back."""
        fault = self.faults.pop(0) if self.faults else "fine"
        self.answers[fault] += 1
        if fault in _SLOW_S:
            time.sleep(_SLOW_S[fault])
        elif fault != "fine":
            return _FAULTS[fault]
        if self.is_picky and b"spool_bytes" in request.body:
            self.answers["refused for a line"] += 1
            return Answer(status=400, body={"error": "partial write: field type conflict dropped=1"})
        return self._pass_on(request.body)

    def _pass_on(self, body: bytes) -> Answer:
        url = f"{self.database.url}/write?db={self.database.database}&precision=u"
        try:
            with urllib.request.urlopen(url, body, timeout=10) as answer:
                return Answer(status=answer.status)
        except urllib.error.HTTPError as e:
            with e:
                return Answer(status=e.code, body=e.read())


_FAULTS = {
    "hangs": Answer(never=True),
    "overloaded": Answer(status=429, headers={"Retry-After": "1"}, body={"message": "slow down"}),
    "disk full": Answer(status=500, body={"error": "write failed: no space left on device"}),
    "starting": Answer(status=503, body={"message": "not now"}),
    "token revoked": Answer(status=401, body={"message": "unauthorized"}),
    "proxy": Answer(status=400, body=b"<html>Bad Request</html>"),
}


_SLOW_S = {"slow": 0.7, "stored, but answered too late": 1.4}
"""Below and above the sink's time-out."""


def test_an_influxdb_that_fails_in_every_way_holds_up_nobody_and_gets_each_record_once(
    tmp_path: Path,
) -> None:
    faults = [step for fault in (*_FAULTS, *_SLOW_S) for step in (*[fault] * (6 if IS_FULL else 1), "fine")]
    with InfluxDB(tmp_path) as database:
        grudging = Grudging(database, faults)
        with ScriptedHTTP(grudging.answer) as server:
            sinks = f'[sinks.influxdb]\nenabled = true\nurl = "{server.url}"\ntimeout_s = 1\n'
            trio = Trio(tmp_path, sinks=sinks)
            with running(trio):
                while grudging.faults:
                    _store_goes_on(trio)
                grudging.is_picky = True
                grows(trio)
                database.kill9()
                grows(trio)
                database.start()
                settle(trio)
                wait_until(lambda: _accounted(trio, database) >= len(made(trio)), 60, "InfluxDB has the rest")
                _compare_points(trio, database, grudging)


def _accounted(trio: Trio, database: InfluxDB) -> int:
    return _points(database) + _letters(trio)


def _store_goes_on(trio: Trio) -> None:
    before = len(trio.stored())
    wait_until(lambda: len(trio.stored()) >= before + 10, 30, "the store goes on")


def _points(database: InfluxDB) -> int:
    return sum(row["count"] for row in database.query("SELECT count(ok) FROM /.*/"))


def _letters(trio: Trio) -> int:
    files = (trio.directory / "dead-letters").glob("*.jsonl")
    return sum(len(path.read_text().splitlines()) for path in files)


def _compare_points(trio: Trio, database: InfluxDB, grudging: Grudging) -> None:
    points, letters = _points(database), _letters(trio)
    print(f"\nanswers {dict(grudging.answers)}; made {len(made(trio))} = points {points} + letters {letters}")
    assert letters > 0
    assert points + letters == len(made(trio)) == len(trio.stored())
    assert len({(r.session, r.seq) for r in trio.stored()}) == len(trio.stored())


def test_a_month_offline_drains_beside_live_data_and_within_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog_bps = 20_000
    trio = Trio(tmp_path, backlog_bps=backlog_bps, spool_bytes=DAYS * 1_000_000)
    state = _offline(trio, monkeypatch)
    trio.start("broker")
    with Listener(trio.broker.port) as listener, running(trio, "collector", "agent"):
        reader = StoreReader(trio.directory / "store.sqlite")
        wait_until(lambda: _count(reader) >= state.records, 600, "the backlog is stored")
        grows(trio)
        settle(trio, 120)
        balance = compare(trio)
    live, backlog_bytes, lasted_s = listener.figures()
    bps = backlog_bytes * 8 / lasted_s
    print(f"\n{DAYS} days offline: {balance}; backlog of {backlog_bytes} bytes in {lasted_s:.0f} s,", end=" ")
    print(f"{bps:.0f} of {backlog_bps} bit/s, {live} live reports meanwhile")
    assert balance.dropped > 0
    assert bps <= backlog_bps * 1.05
    assert live >= lasted_s / 2


def _offline(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> SpoolState:
    """What an agent would have measured with nobody to send it to, without waiting for it."""
    start_ms = int(time.time() * 1000) - (DAYS + 1) * 86_400_000
    append, done = Spool.append, Session.done
    with trio.oracle.open("wb") as oracle, monkeypatch.context() as patch:

        def observed(spool: Spool, **record: Any) -> Record:
            made_record = append(spool, **record)
            oracle.write(made_line(spool.session, made_record))
            return made_record

        def counted(session: Session, drop: Drop, records: Sequence[Record]) -> None:
            done(session, drop, records)
            oracle.writelines(made_line(session.name, record) for record in records)

        patch.setattr(Spool, "append", observed)
        patch.setattr(Session, "done", counted)
        clock = ClockState(wall_ms=start_ms, mono_ms=0, boot=day.BOOT, age_s=0)
        spool = Spool(trio.directory / "spool", lambda: clock, max_bytes=DAYS * 120_000, segment_bytes=16_384)
        for made_record in day.records(DAYS * 86_400.0):
            clock = dataclasses.replace(made_record.clock, wall_ms=start_ms + made_record.clock.mono_ms)
            spool.append(
                kind=made_record.kind,
                clock=clock,
                duration_ms=made_record.duration_ms,
                fields=made_record.fields,
            )
            spool.commit_if_due()
        state = spool.state()
        spool.close()
    return state


def _count(reader: StoreReader) -> int:
    try:
        return reader.count()
    except SinkUnavailable:
        return 0


class Listener:
    """Everything a device publishes, as the broker passes it on."""

    def __init__(self, port: int) -> None:
        self.batches: list[tuple[int, Batch]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(topics.UP_FILTER)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        hang_up(self._client)

    def _take(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        self.batches.append((len(message.payload), decode_batch(bytes(message.payload)).batch))

    def figures(self) -> tuple[int, int, float]:
        """Live reports during the drain, bytes of the backlog but its last batch, and how long it took.

        By the device's own clock, so that a slow machine changes nothing.
        """
        at = [i for i, (_, b) in enumerate(self.batches) if b.backlog and b.records]
        drain = self.batches[at[0] : at[-1] + 1]
        live = sum(not b.backlog and bool(b.records) for _, b in drain)
        sent = sum(size for size, b in drain[:-1] if b.backlog)
        return live, sent, (drain[-1][1].clock.mono_ms - drain[0][1].clock.mono_ms) / 1000
