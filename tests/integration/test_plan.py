# SPDX-License-Identifier: Apache-2.0
"""Do the plan's counts agree with the kernel's, and does a real test keep to it beside a real pupil?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.linkbed import capacity, place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc"), pytest.mark.timeout(120)]

RATE_MBPS = 10
RUN = """
import asyncio, json, sys
from pathlib import Path
from agent.clock.clock import Clock
from agent.contract.record import Record, to_plain
from agent.plan.counters import HostCounters
from agent.plan.ledger import Ledger
from agent.plan.options import PlanOptions
from agent.plan.turns import Turns
from agent.probes.capacity import CapacityProbe
from agent.scheduler import Scheduler
told = json.loads(sys.argv[1])
options = PlanOptions(**told["plan"])
probe = CapacityProbe(**told["probe"])
clock, counters = Clock(), HostCounters(options.interface)
ledger = Ledger(Path(told["file"]), options, counters, clock.now)
turns = Turns("kz-1", options, [probe], ledger=ledger, counters=counters, now=clock.now)
class Keeper:
    def append(self, **record):
        print(json.dumps(to_plain(Record(seq=1, **record))))
def counts():
    ledger.look()
    now = counters.read()
    usage = ledger.usage
    return {"line_bytes": usage.line_bytes, "test_bytes": usage.test_bytes, "seen": now.bytes}
scheduler = Scheduler("kz-1", [probe], Keeper(), clock.now, turns=turns)
async def once():
    async with turns.turn(probe) as turn:
        await scheduler.measure(probe, turn)
print(json.dumps(counts()))
asyncio.run(once())
print(json.dumps(counts()))
"""
PUPIL = """
import socket, sys, time
to, bps = (sys.argv[1], 5000), float(sys.argv[2])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("sending", flush=True)
began_s, sent = time.monotonic(), 0
while True:
    while sent * 8 < (time.monotonic() - began_s) * bps:
        sent += sock.sendto(bytes(1200), to)
    time.sleep(0.005)
"""


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with Bed(serves=False) as bed:
        bed.apply(Link(rate_bps=RATE_MBPS * 1_000_000, rtt_ms=40))
        with capacity.reflector(bed, tmp_path_factory.mktemp("reflector")):
            yield bed


Counts = dict[str, int]
Records = list[dict[str, Any]]


def _once(bed: Bed, folder: Path, **plan: Any) -> tuple[Counts, Records, Counts]:
    """The records of one turn, and what was counted before and after it."""
    token = folder / "token"
    token.write_text(capacity.TOKEN)
    told = {
        "file": str(folder / "plan"),
        "plan": {"look_s": 0.5, "wait_s": 1, **plan},
        "probe": {"server": place.SERVER[0], "token_file": str(token), "enabled": True},
    }
    out = bed.run("school", [sys.executable, "-c", RUN, json.dumps(told)])
    before, *records, after = map(json.loads, out.splitlines())
    return before, records, after


def test_a_test_is_counted_as_the_kernel_counts_and_the_next_agent_knows(bed: Bed, tmp_path: Path) -> None:
    before, records, after = _once(bed, tmp_path, month_bytes=1_000_000_000)
    again, refused, then = _once(bed, tmp_path, month_bytes=1_000_000, test_share_ratio=1)
    moved = after["seen"] - before["seen"]
    print(f"tests {after['test_bytes']} bytes, interface {moved}, the line's count {after['line_bytes']}")

    assert [r["fields"]["direction"] for r in records] == ["down", "up"]
    assert all(abs(r["fields"]["mbps"] / RATE_MBPS - 1) < 0.1 for r in records)
    assert after["test_bytes"] == sum(r["fields"]["bytes"] for r in records)
    assert after["line_bytes"] == moved
    assert 0.94 * moved <= after["test_bytes"] <= moved
    assert again["test_bytes"] == after["test_bytes"]
    assert [(r["kind"], r["reason"]) for r in refused] == [("throughput", "plan_exhausted")]
    assert then["line_bytes"] - again["line_bytes"] < 20_000


def test_a_plan_that_is_nearly_used_up_is_not_exceeded(bed: Bed, tmp_path: Path) -> None:
    _, records, after = _once(bed, tmp_path, month_bytes=600_000, test_share_ratio=1)

    print(f"{after} of 600000 bytes, {[r['fields'].get('reasons') for r in records]}")
    assert 50_000 < after["test_bytes"] <= after["line_bytes"] <= 600_000


def test_a_pupil_who_stays_is_waited_for_and_told_of(bed: Bed, tmp_path: Path) -> None:
    pupil = bed.start(
        "internet", [sys.executable, "-c", PUPIL, place.SCHOOL[0], "2000000"], stdout=subprocess.PIPE
    )
    assert pupil.stdout is not None
    assert pupil.stdout.readline() == "sending\n"
    try:
        _, records, _ = _once(bed, tmp_path)
    finally:
        pupil.kill()
    down = records[0]["fields"]
    print(f"down {down['mbps']} Mbit/s, {down['cross_rx_bytes']} bytes of others, {down['reasons']}")

    assert {r["fields"]["validity"] for r in records} == {"suspect"}
    assert all("cross_traffic" in r["fields"]["reasons"] for r in records)
    expected = 2_000_000 / 8 * down["duration_s"]
    assert 0.7 * expected < down["cross_rx_bytes"] < 1.4 * expected
