# SPDX-License-Identifier: Apache-2.0
"""How long does a device wait for its acknowledgement while another one sends all it can of what costs most?

Real broker, real collector. The other one's batches hold as many records as a message may, in few bytes; it
sends more of them a second than the collector takes from anybody. What is not acknowledged in time counts as
the whole of it.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.contract import topics
from agent.contract.codec import encode
from agent.contract.kinds import Reach
from agent.contract.record import Batch, ClockState, Record
from collector.admission import MAX_RECORDS
from tests.bench.figure import Figure
from tests.parts.collector import Collector, StandInAgent
from tests.parts.mosquitto import Mosquitto

DURATION_S = float(os.environ.get("SCHOOLPULSE_BENCH_SECONDS", "10"))
PER_S = 60
PAUSE_S = 0.25
MOST_S = 30.0


def measure() -> list[Figure]:
    """One waits beside a quiet device, then beside a heavy one."""
    Path("build").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=Path("build").resolve()) as folder,
        Mosquitto(Path(folder)) as broker,
        Collector(Path(folder), broker.port) as collector,
    ):
        figures = _figures("nobody", _waits(broker.port, 1), collector)
        with _heavy(broker.port):
            waits_s = _waits(broker.port, 2)
            return figures + _figures("a heavy sender", waits_s, collector)


def _figures(beside: str, waits_s: Sequence[float], collector: Collector) -> list[Figure]:
    records = sum(v for name, v in collector.metrics().items() if "records_accepted" in name)
    note = f"{len(waits_s)} acknowledgements; {records:g} records stored by then"
    return [
        Figure(name=f"{name} wait beside {beside}", value=value, unit="s", note=note)
        for name, value in (("median", statistics.median(waits_s)), ("worst", max(waits_s)))
    ]


def _waits(port: int, session_number: int) -> list[float]:
    waits_s: list[float] = []
    end_s = time.monotonic() + DURATION_S
    session = f"{session_number:016x}"
    with StandInAgent(port, "kz-1") as agent:
        while time.monotonic() < end_s:
            began_s = time.monotonic()
            agent.send(_batch("kz-1", session, len(waits_s) + 1, 1))
            agent.heard(MOST_S)
            waits_s.append(time.monotonic() - began_s)
            time.sleep(PAUSE_S)
    return waits_s


@contextlib.contextmanager
def _heavy(port: int) -> Iterator[None]:
    stop = threading.Event()
    firsts = range(1, int(DURATION_S * PER_S) * MAX_RECORDS, MAX_RECORDS)
    payloads = [encode(_batch("kz-2", "00000000000000bb", first, MAX_RECORDS)) for first in firsts]
    with StandInAgent(port, "kz-2") as agent:
        sending = threading.Thread(target=_flood, args=(agent, payloads, stop))
        sending.start()
        yield
        stop.set()
        sending.join()


def _flood(agent: StandInAgent, payloads: Sequence[bytes], stop: threading.Event) -> None:
    for payload in payloads:
        if stop.wait(1 / PER_S):
            break
        agent.client.publish(topics.up("kz-2"), payload, qos=0)


def _batch(device: str, session: str, first_seq: int, count: int) -> Batch:
    clock = ClockState(wall_ms=int(time.time() * 1000), mono_ms=60_000, boot="0badcafe", age_s=5)
    numbers = range(first_seq, first_seq + count)
    records = tuple(
        Record(seq=seq, kind="reach", clock=clock, duration_ms=7, fields=Reach(up=True)) for seq in numbers
    )
    return Batch(device=device, session=session, first_seq=first_seq, clock=clock, records=records)
