# SPDX-License-Identifier: Apache-2.0
"""Does a real collector tell a real receiver of each alert, however often it is killed?

More kills: SCHOOLPULSE_TEST_ALERT_KILLS=100.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Host
from agent.contract.record import Batch, ClockState, Record
from collector.alerts.signature import new_secret
from tests.parts.collector import Collector, StandInAgent, eventually
from tests.parts.mosquitto import Mosquitto
from tests.parts.scripted_http import Answer, Request, ScriptedHTTP

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(240)]

_KILLS = int(os.environ.get("SCHOOLPULSE_TEST_ALERT_KILLS", "4"))
_DEVICES = tuple(f"kz-{n}" for n in range(1, 7))
_TABLES = """
[alerts]
directory = "{directory}/alerts"
look_every_s = 0.3
group_wait_s = 0
[alerts.rules.card_failed]
open_after = 1
[hooks.noc]
url = "{url}"
secret_file = "{directory}/secret"
allow_http = true
allow_private = true
"""


class Fleet(Collector):
    """Some schools with one device each."""

    def command(self) -> list[str]:
        """As it is, with another registry."""
        found = super().command()
        entries = (
            f'[[school]]\nid = "s-{d}"\noperator = "op"\n[[device]]\nid = "{d}"\nschool = "s-{d}"\n'
            for d in _DEVICES
        )
        (self.directory / "registry.toml").write_text("".join(entries))
        return found


def tables(directory: Path, url: str) -> str:
    (directory / "secret").write_text(new_secret())
    (directory / "secret").chmod(0o600)
    return _TABLES.format(directory=directory, url=url)


def card(device: str, seq: int, *, is_well: bool) -> Batch:
    """A device says how its card is."""
    now_ms = int(time.time() * 1000)
    clock = ClockState(wall_ms=now_ms, mono_ms=1000 * seq, boot="0badcafe", age_s=5)
    fields = Host(spool_writable=is_well)
    record = Record(seq=seq, kind="host", clock=clock, duration_ms=1, fields=fields)
    return Batch(device=device, session="00000000000000aa", first_seq=seq, clock=clock, records=(record,))


class Fault(threading.Thread):
    """One device after the other loses its card, then each gets a new one."""

    def __init__(self, broker_port: int) -> None:
        super().__init__(name="fault")
        self._port = broker_port
        self.problem: Exception | None = None

    def run(self) -> None:
        try:
            for seq, is_well in ((1, True), (2, False), (3, True)):
                for device in _DEVICES:
                    with StandInAgent(self._port, device) as agent:
                        agent.deliver(card(device, seq, is_well=is_well), within_s=60)
                    time.sleep(0.3)
        except Exception as e:  # noqa: BLE001  # told by the test, in its own thread
            self.problem = e


def test_killed_at_any_moment_each_alert_is_told_in_order_and_once(tmp_path: Path) -> None:
    chance = random.Random(5)
    taken: list[dict[str, Any]] = []
    tried: set[str] = set()

    def answer(request: Request) -> Answer:
        told = json.loads(request.body)
        is_first, is_odd = told["id"] not in tried, int(told["id"][-1], 16) % 2
        tried.add(told["id"])
        if is_first and is_odd:
            return Answer(status=500)
        taken.append(told)
        return Answer()

    with ScriptedHTTP(answer) as receiver, Mosquitto(tmp_path) as broker:
        extra = tables(tmp_path, receiver.url)
        with Fleet(tmp_path, broker.port, extra=extra) as collector:
            fault = Fault(broker.port)
            fault.start()
            for _ in range(_KILLS):
                time.sleep(chance.uniform(0.1, 2.5))
                collector.kill9()
                collector.start()
            fault.join(120)
            assert fault.problem is None
            eventually(lambda: _count(taken, "resolved") == len(_DEVICES), within_s=60)
    told = list({t["id"]: t for t in taken}.values())
    print(f"\n{_KILLS} kills: {len(taken)} taken, {len(told)} different, of {len(_DEVICES)} devices")
    assert {t["data"]["rule"] for t in told} == {"card_failed"}
    assert len({t["subject"] for t in told}) == len(_DEVICES)
    for device in _DEVICES:
        own = [t for t in told if t["data"]["labels"]["device"] == device]
        assert [t["type"].rpartition(".")[2] for t in own] == ["firing", "resolved"]
        assert len({t["subject"] for t in own}) == 1


def _count(taken: list[dict[str, Any]], state: str) -> int:
    return len({t["id"] for t in taken if t["type"].endswith(state)})
