# SPDX-License-Identifier: Apache-2.0
"""What does the agent take of its machine, with every probe on the default schedule?

The real program for some minutes, over mutual TLS, beside a real broker and collector. What it takes in a
steady state is scaled to the hour or day; the first half minute, in which it starts, is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.figure import Figure
from tests.bench.scene import School, scene

SECONDS = float(os.environ.get("SCHOOLPULSE_BENCH_SECONDS", "600"))
_START_S = 30.0
_DAY_S = 86400.0

_AGENT = """\
device = "{device}"
[mqtt]
host = "{host}"
port = 8883
ca_file = "{directory}/ca.crt"
cert_file = "{directory}/{device}.crt"
key_file = "{directory}/{device}.key"
[spool]
directory = "{directory}/spool"
"""


def measure() -> list[Figure]:
    """Run the agent and look at it from outside."""
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path("build").resolve()) as folder:
        directory = Path(folder)
        with scene(directory, ["kz-0001"]) as schools:
            return _watch(directory, schools[0])


def _watch(directory: Path, school: School) -> list[Figure]:
    config = directory / "agent.toml"
    config.write_text(_AGENT.format(device=school.device, host=school.gateway, directory=directory))
    command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
    log = directory / "agent.log"
    with log.open("wb") as out:
        program = subprocess.Popen(
            ["ip", "netns", "exec", school.namespace, *command], stdout=out, stderr=out
        )
    try:
        time.sleep(_START_S)
        return _figures(psutil.Process(program.pid), directory, SECONDS)
    finally:
        program.terminate()
        program.wait()


def _figures(agent: psutil.Process, directory: Path, seconds: float) -> list[Figure]:
    cpu_s, written = _cpu_s(agent), agent.io_counters().write_bytes
    rss = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        rss.append(agent.memory_info().rss)
        time.sleep(5)
    cpu_s, written = _cpu_s(agent) - cpu_s, agent.io_counters().write_bytes - written
    modules = Path(f"/proc/{agent.pid}/maps").read_text()
    note = f"over {seconds:g} s"
    return [
        Figure(name="agent resident memory, largest", value=max(rss) / 2**20, unit="MiB", goal=40, note=note),
        Figure(name="agent CPU", value=cpu_s / seconds * 3600, unit="s/h", goal=18, note=note),
        Figure(
            name="agent CPU, share of one core", value=cpu_s / seconds * 100, unit="%", goal=0.5, note=note
        ),
        Figure(
            name="agent bytes written to disk",
            value=written / seconds * _DAY_S / 1e6,
            unit="MB/day",
            note=note,
        ),
        Figure(name="scapy in the resident process", value=modules.count("scapy"), unit="files", goal=0),
        Figure(name="agent threads", value=agent.num_threads(), unit="threads"),
    ]


def _cpu_s(agent: psutil.Process) -> float:
    times = agent.cpu_times()
    return float(times.user + times.system)
