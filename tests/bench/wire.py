# SPDX-License-Identifier: Apache-2.0
"""How many bytes a day does reporting take on the wire, with IP, TCP and TLS headers and the
acknowledgements?

A made-up day of the default schedule (`tests.bench.day`) goes through the real spool and publisher, over
mutual TLS and a real broker, to the real collector. Time is compressed: what a report would hold is put into
the spool every half second. Bytes are those of IP packets that crossed the school's link, both directions.
Batches are tagged and signed as by an enrolled device; each is signed where SCHOOLPULSE_SIGN_ALL is set, none
where SCHOOLPULSE_UNSIGNED is.
Part of a day is sent and scaled. What a new connection costs (TCP, TLS handshake, MQTT connect, greeting) is
a figure of its own; probe packets are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.config import MqttOptions
from agent.contract.broker import make_tls
from agent.contract.record import ClockState, Record
from agent.identity.sealing import Sealer
from agent.identity.signing import SigningKey
from agent.publisher.link import Link
from agent.publisher.publisher import Publisher
from agent.spool.spool import Spool
from tests.bench.day import BOOT, records
from tests.bench.figure import Figure
from tests.bench.scene import School, scene

GOALS_KB = {60: 500, 300: 100, 900: 50}
_STEPS = 144
_STEP_S = 0.5
_DAY_S = 86400


def measure() -> list[Figure]:
    """Three schools at once, one per reporting interval."""
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path("build").resolve()) as folder:
        devices = [f"kz-{interval_s:04d}" for interval_s in GOALS_KB]
        with scene(Path(folder), devices) as schools:
            replays = [_start(Path(folder), s, i) for s, i in zip(schools, GOALS_KB, strict=True)]
            results = [json.loads(r.communicate(timeout=400)[0].splitlines()[-1]) for r in replays]
    return [
        f for interval_s, result in zip(GOALS_KB, results, strict=True) for f in _figures(interval_s, result)
    ]


def _figures(interval_s: int, result: dict[str, float]) -> list[Figure]:
    per_report = (result["end"] - result["connected"]) / result["steps"]
    reports = _DAY_S / interval_s
    day_kb = per_report * reports / 1000
    name = f"reports every {interval_s} s"
    note = f"{result['steps']:g} of {reports:g} reports sent, {result['left']:g} records left unacknowledged"
    return [
        Figure(
            name=f"on the wire, {name}", value=day_kb, unit="kB/day", goal=GOALS_KB[interval_s], note=note
        ),
        Figure(
            name=f"of it payload, {name}",
            value=result["payload"] / result["steps"] * reports / 1000,
            unit="kB/day",
        ),
        Figure(name=f"each new connection, {name}", value=result["connected"] / 1000, unit="kB"),
        Figure(
            name=f"records, {name}", value=result["records"] / result["steps"] * reports, unit="records/day"
        ),
    ]


def _start(directory: Path, school: School, interval_s: int) -> subprocess.Popen[str]:
    arguments = [str(directory), school.device, str(school.number), str(interval_s)]
    command = ["ip", "netns", "exec", school.namespace, sys.executable, "-m", "tests.bench.wire", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class Replay:
    """One school's day, played into its spool."""

    def __init__(self, directory: Path, school: School, interval_s: int) -> None:
        self.school = school
        self.interval_s = interval_s
        self.now = ClockState(wall_ms=1_790_000_000_000, mono_ms=1_000_000, boot=BOOT, age_s=0)
        self.spool = Spool(directory / f"spool-{school.device}", lambda: self.now)
        real = MqttOptions(report_every_s=interval_s)
        options = MqttOptions(
            host=school.gateway,
            port=8883,
            ca_file=f"{directory}/ca.crt",
            cert_file=f"{directory}/{school.device}.crt",
            key_file=f"{directory}/{school.device}.key",
            report_every_s=_STEP_S,
            ack_every_s=_STEP_S * real.asks_every_s / interval_s,
            keepalive_s=600,
        )
        self.link = Link(school.device, self.spool.session, options, tls=make_tls(options))
        self.publisher = Publisher(school.device, self.spool, self.link, options, lambda: self.now)
        if "SCHOOLPULSE_UNSIGNED" not in os.environ:
            self.publisher.seal = Sealer(school.device, SigningKey(bytes(32)), _tag_key()).seal

    async def run(self) -> dict[str, float]:
        """Play, and say what crossed the link."""
        task = asyncio.create_task(self.publisher.run())
        await self.link.connected.wait()
        await asyncio.sleep(1.5)
        connected, payload = self.school.ip_bytes(), self.link.wire_bytes
        parts = _by_report(self.interval_s)[:_STEPS]
        made = 0
        for part in parts:
            made += len(part)
            self._put(part)
            await asyncio.sleep(_STEP_S)
        await asyncio.sleep(1.5)
        end = self.school.ip_bytes()
        task.cancel()
        left = self.spool.state().records
        counted: dict[str, float] = {
            "connected": connected,
            "end": end,
            "payload": self.link.wire_bytes - payload,
        }
        return counted | {"steps": len(parts), "records": made, "left": left}

    def _put(self, part: list[Record]) -> None:
        for record in part:
            plain = {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name != "seq"}
            self.spool.append(**plain)
        clock = part[-1].clock
        self.now = dataclasses.replace(clock, wall_ms=clock.wall_ms + 737, mono_ms=clock.mono_ms + 737)


def _tag_key() -> bytes | None:
    """As of a device that knows the authority's key, unless every batch is to be signed."""
    return None if "SCHOOLPULSE_SIGN_ALL" in os.environ else bytes(32)


def _by_report(interval_s: int) -> list[list[Record]]:
    """The day's records, cut into what is finished between two reports."""
    parts: dict[int, list[Record]] = {}
    for record in records(_DAY_S, seed=7):
        ended_s = (record.clock.mono_ms + record.duration_ms) / 1000
        parts.setdefault(int(ended_s // interval_s), []).append(record)
    return [parts[i] for i in sorted(parts)]


def _main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("directory", Path), ("device", str), ("number", int), ("interval_s", int)):
        parser.add_argument(name, type=kind)
    given = parser.parse_args()

    async def replay() -> dict[str, float]:
        return await Replay(given.directory, School(given.device, given.number), given.interval_s).run()

    started_s = time.monotonic()
    result = asyncio.run(replay())
    print(json.dumps(result | {"lasted_s": time.monotonic() - started_s}))


if __name__ == "__main__":
    _main()
