# SPDX-License-Identifier: Apache-2.0
"""Whatever fails between school and centre: is what was made stored once, or counted as dropped?

`make conservation` runs it with long outages and thirty days offline.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.influxdb import InfluxDB
from tests.parts.mosquitto import Mosquitto
from tests.parts.proxy import Proxy
from tests.parts.relay import Relay
from tests.parts.scripted_http import Answer, Request, ScriptedHTTP
from tests.system.ledger import compare, made, settle
from tests.system.trio import Trio, wait_until

IS_FULL = os.environ.get("SCHOOLPULSE_TEST_CONSERVATION") == "full"
SEED = int(os.environ.get("SCHOOLPULSE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
ROUNDS = 20 if IS_FULL else 3
MOSQUITTO_DEFAULTS = "max_queued_messages 1000\nmax_inflight_messages 20\nmax_queued_bytes 0"

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1800 if IS_FULL else 180)]


@contextlib.contextmanager
def running(trio: Trio, *names: str) -> Iterator[None]:
    with contextlib.closing(trio):
        for name in names or ("broker", "collector", "agent"):
            trio.start(name)
        yield


def grows(trio: Trio, by: int = 10) -> None:
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


class Grudging:
    """An InfluxDB that is asked in vain: phases of errors, of silence, of refusing single lines."""

    def __init__(self, database: InfluxDB) -> None:
        self.database = database
        self.phase = "fine"
        self.answers: Counter[str] = Counter()

    def answer(self, request: Request) -> Answer:
        """What comes back, by phase."""
        self.answers[self.phase] += 1
        if self.phase == "hangs":
            time.sleep(2.5)
            return Answer(status=503)
        if self.phase in ("500", "503", "401"):
            return Answer(status=int(self.phase), body={"message": "not now"})
        if self.phase == "429":
            return Answer(status=429, headers={"Retry-After": "1"}, body={"message": "slow down"})
        if self.phase == "disk full":
            return Answer(status=500, body={"error": "write failed: no space left on device"})
        if self.phase == "picky" and b"spool_bytes" in request.body:
            return Answer(status=400, body={"error": "partial write: field type conflict dropped=1"})
        return self._pass_on(request)

    def _pass_on(self, request: Request) -> Answer:
        import gzip  # noqa: PLC0415
        import urllib.error  # noqa: PLC0415
        import urllib.request  # noqa: PLC0415

        body = request.body
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        url = f"{self.database.url}/write?db={self.database.database}&precision=u"
        try:
            with urllib.request.urlopen(url, body, timeout=10) as answer:
                return Answer(status=answer.status)
        except urllib.error.HTTPError as e:
            with e:
                return Answer(status=e.code, body=e.read())


def test_an_influxdb_that_fails_in_every_way_holds_up_nobody_and_gets_each_record_once(
    tmp_path: Path,
) -> None:
    phases = ("503", "hangs", "429", "500", "401", "disk full")
    with InfluxDB(tmp_path) as database:
        grudging = Grudging(database)
        with ScriptedHTTP(grudging.answer) as server:
            sinks = f'[sinks.influxdb]\nenabled = true\nurl = "{server.url}"\ntimeout_s = 1\n'
            trio = Trio(tmp_path, sinks=sinks)
            with running(trio):
                grows(trio)
                for phase in phases * (4 if IS_FULL else 1):
                    grudging.phase = phase
                    _store_goes_on(trio)
                grudging.phase = "picky"
                grows(trio)
                settle(trio)
                wait_until(
                    lambda: _points(database) + _letters(trio) >= len(made(trio)),
                    150,
                    "InfluxDB has the rest",
                )
                time.sleep(1)
                _compare_points(trio, database, grudging)


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
