# SPDX-License-Identifier: Apache-2.0
"""Are verdicts there while the collector runs, the same when it was killed in between, and explained?"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.contract.kinds import Reach
from agent.contract.record import Batch
from collector.judge.reader import VerdictReader
from collector.sinks.base import SinkUnavailable
from collector.sla.slot import SLOT_MS, slot_of
from tests.parts.collector import Collector, StandInAgent, eventually
from tests.parts.mosquitto import Mosquitto
from tests.unit.collector.samples import NOW_MS, SCHOOL, batch, clock, record

pytestmark = pytest.mark.parts("mosquitto")

UP = Reach(up=True, anchor_asked=10, anchor_answered=10, gateway_asked=24, gateway_answered=24)
DEAD = Reach(up=False, anchor_asked=10, anchor_answered=0, gateway_asked=24, gateway_answered=24)
MINUTES = [UP] * 4 + [DEAD] * 5 + [UP] * 4
FIRST = slot_of(NOW_MS + SLOT_MS + 25_000)


def minute(number: int) -> Batch:
    """What a device says of one minute, from 1."""
    said = record(number, clock=clock(number * SLOT_MS), duration_ms=50_000, fields=MINUTES[number - 1])
    return batch(records=(said,), first_seq=number, clock=clock(number * SLOT_MS + 55_000))


def test_verdicts_follow_what_comes_through_a_kill_and_are_explained_meanwhile(tmp_path: Path) -> None:
    extra = f'[sinks.judge]\nenabled = true\npath = "{tmp_path}/verdicts.db"'
    reader = VerdictReader(tmp_path / "verdicts.db")
    expected = bytes([1] * 4 + [3] * 5 + [1] * 4)

    def classes() -> bytes:
        try:
            return reader.verdicts(SCHOOL.id, FIRST, FIRST + len(MINUTES) - 1).classes
        except SinkUnavailable:
            return b""

    with (
        Mosquitto(tmp_path) as broker,
        StandInAgent(broker.port) as agent,
        Collector(tmp_path, broker.port, extra=extra) as collector,
    ):
        for number in range(1, 8):
            agent.deliver(minute(number))
        collector.kill9()
        collector.start()
        for number in range(8, 14):
            agent.deliver(minute(number))
        eventually(lambda: classes() == expected)
        at = datetime.fromtimestamp((FIRST + 5) * SLOT_MS / 1000, UTC).isoformat()
        command = [sys.executable, "-m", "collector", "explain", SCHOOL.id, "--json", "--at", at]
        said = subprocess.run(
            [*command, "--config", str(collector.config)], capture_output=True, timeout=30, check=True
        )

    found = json.loads(said.stdout)
    assert (found["class"], found["rule"], found["cause"]) == ("down_provider", "anchors_dead", "operator")
    assert found["outage"]["first_slot"] == FIRST + 4
    assert found["outage"]["last_slot"] == FIRST + 8
