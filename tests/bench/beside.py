# SPDX-License-Identifier: Apache-2.0
"""What do our measurements and the usual tools say of the same links in the same run, and what do they cost?

Round trips and loss: the agent's probe, ping, fping. Rates: `capacity`, `tcp`, NDT7 against our reflector,
iperf3, speedtest-cli against a stand-in for its servers, one connection of Cubic for ten seconds. Bytes are
those that went into the link, both ways; processor time is the client's, with the start of its program.
"""

from __future__ import annotations

import functools
import json
import math
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.bench.accuracy import write_part
from tests.bench.figure import Figure
from tests.bench.stream import served
from tests.linkbed import capacity
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Link
from tests.linkbed.place import ANCHORS, SERVER
from tests.linkbed.streams import MEASURE

T = TypeVar("T")

_SPEEDTEST_PORT = 8099
_ONLY_CAPACITY = "[tcp]\nport = 0\n[ndt7]\nport = 0\n"
"""The usual ports are taken by `served`."""
_COUNT, _EVERY_MS = 500, 20
_LOSSY = Burst(to_bad_ratio=0.01, to_good_ratio=0.3)
ECHO_LINKS: Mapping[str, Link] = {
    "1 ms": Link(rtt_ms=1),
    "20 ms": Link(rtt_ms=20),
    "20 ms, bursty loss": Link(rtt_ms=20, burst_loss=_LOSSY),
    "600 ms, loss 3 %": Link(rtt_ms=600, loss_ratio=0.015),
    "1500 ms (over the usual time-out)": Link(rtt_ms=1500),
}
RATE_LINKS: Mapping[str, Link] = {
    "2 Mbit/s, 20 ms": Link(rate_bps=2e6, rtt_ms=20),
    "10 Mbit/s, 20 ms": Link(rate_bps=10e6, rtt_ms=20),
    "10 Mbit/s, 20 ms, burst of 1 MB": Link(rate_bps=10e6, rtt_ms=20, burst_bytes=1_000_000),
    "10 Mbit/s, 20 ms, policer": Link(rate_bps=10e6, rtt_ms=20, burst_bytes=30_000, policed=True),
    "10 Mbit/s, 20 ms, loss 1 %": Link(rate_bps=10e6, rtt_ms=20, loss_ratio=0.01),
    "10 Mbit/s, 600 ms": Link(rate_bps=10e6, rtt_ms=600),
    "50 Mbit/s, 20 ms": Link(rate_bps=50e6, rtt_ms=20),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run of a tool took."""

    link_bytes: int
    cpu_s: float
    lasted_s: float

    def __str__(self) -> str:
        return f"{self.link_bytes / 1e6:.3g} MB, CPU {self.cpu_s:.2f} s, {self.lasted_s:.1f} s"


def measure() -> list[Figure]:
    """Both tables."""
    figures = [*_echoes(), *_rates()]
    write_part("beside", as_table(figures))
    return figures


def as_table(figures: Sequence[Figure]) -> str:
    """For docs/accuracy.md: round trips, then rates; a row for each link, a column for each tool."""
    echoes = [f for f in figures if f.name.startswith("RTT by ")]
    rates = [f for f in figures if f not in echoes]
    return _pivot(echoes, "round trips") + "\n\n" + _pivot(rates, "rates")


def _pivot(figures: Sequence[Figure], corner: str) -> str:
    cells: dict[str, dict[str, str]] = {}
    for figure in figures:
        tool, _, link = figure.name.removeprefix("RTT by ").partition(", ")
        tool, *way = re.split(r" (?=down$|up$)", tool)
        cells.setdefault(", ".join([link, *way]), {})[tool] = _cell(figure)
    tools = next(iter(cells.values()), {})
    lines = [f"| {corner} | {' | '.join(tools)} |", "|---" * (len(tools) + 1) + "|"]
    return "\n".join([*lines, *(f"| {link} | {' | '.join(row.values())} |" for link, row in cells.items())])


def _cell(figure: Figure) -> str:
    error = "no figure" if math.isnan(figure.value) else f"**{figure.value:+.3g} {figure.unit}**"
    return f"{error}<br>{figure.note.removeprefix('no figure; ')}"


def _echoes() -> Iterator[Figure]:
    with Bed(serves=False) as bed:
        for name, link in ECHO_LINKS.items():
            bed.apply(link)
            for tool, ask in ECHOES.items():
                lost, (told_ms, told_loss), cost = _echo_cost(bed, ask)
                error_us = None if told_ms is None else 1000 * (told_ms - link.rtt_ms)
                note = f"loss told {100 * told_loss:.1f} %, in truth {100 * lost / _COUNT:.1f} %; {cost}"
                yield _figure(f"RTT by {tool}, {name}", error_us, "µs", note)


def _echo_cost(bed: Bed, ask: Callable[[Bed], _Echoed]) -> tuple[int, _Echoed, Cost]:
    before = _lost(bed)
    told, cost = _with_cost(bed, lambda: ask(bed))
    return _lost(bed) - before, told, cost


_Echoed = tuple[float | None, float]
"""Mean round-trip time in ms, None without one; share lost."""


def _probe(bed: Bed) -> _Echoed:
    plan = {"host": ANCHORS[0], "count": _COUNT, "every_s": _EVERY_MS / 1000, "timeout_s": 2.5}
    told = json.loads(bed.run("school", [sys.executable, "-m", "tests.linkbed.echoes", json.dumps(plan)]))
    came = [o["rtt_ms"] for o in told if o["rtt_ms"] is not None]
    return (statistics.fmean(came) if came else None), 1 - len(came) / _COUNT


def _ping(bed: Bed) -> _Echoed:
    words = ["ping", "-q", "-c", str(_COUNT), "-i", str(_EVERY_MS / 1000), ANCHORS[0]]
    return _read_ping(_output(bed, words))


def _fping(bed: Bed) -> _Echoed:
    # By default it gives up on an answer after one period, here 20 ms.
    words = ["fping", "-q", "-c", str(_COUNT), "-p", str(_EVERY_MS), "-t", "2500", ANCHORS[0]]
    return _read_ping(_output(bed, words))


def _read_ping(output: str) -> _Echoed:
    lost, took = re.search(r"(?:, |/)([\d.]+)%", output), re.search(r"/max[^=]*= [\d.]+/([\d.]+)/", output)
    assert lost, output
    return (float(took[1]) if took else None), float(lost[1]) / 100


ECHOES: Mapping[str, Callable[[Bed], _Echoed]] = {"latency probe": _probe, "ping": _ping, "fping": _fping}


def _rates() -> Iterator[Figure]:
    with (
        Bed(serves=False) as bed,
        served(bed) as token,
        tempfile.TemporaryDirectory() as folder,
        capacity.reflector(bed, Path(folder), _ONLY_CAPACITY),
    ):
        stand_in = [sys.executable, "-m", "tests.parts.speedtest_net", SERVER[0], str(_SPEEDTEST_PORT)]
        bed.start("internet", stand_in)
        for name, link in RATE_LINKS.items():
            bed.apply(link)
            for direction in ("down", "up"):
                for tool, run in RATES.items():
                    task = functools.partial(run, bed, token, direction)
                    yield _rate(bed, link, f"{tool} {direction}, {name}", task)


def _rate(bed: Bed, link: Link, name: str, run: Callable[[], _Rated]) -> Figure:
    bed.apply(link)
    time.sleep(1.0)
    (told_mbps, said), cost = _with_cost(bed, run)
    truth = (link.rate_bps or 0) / 1e6
    error = None if told_mbps is None else 100 * (told_mbps / truth - 1)
    return _figure(name, error, "%", f"{cost}{'; ' if said else ''}{said}")


def _figure(name: str, error: float | None, unit: str, note: str) -> Figure:
    if error is None:
        return Figure(name=name, value=float("nan"), unit=unit, note=f"no figure; {note}")
    return Figure(name=name, value=error, unit=unit, note=note)


_Rated = tuple[float | None, str]
"""Mbit/s, None without a figure; what else it said."""


def _capacity(bed: Bed, _: str, direction: str) -> _Rated:
    told = capacity.measure(bed, directions=(direction,))[0]
    return told["mbps"], told["reasons"] or told["detail"] or ""


def _tcp(bed: Bed, token: str, direction: str, **more: Any) -> _Rated:
    asked = {"token": token, "direction": direction, **more}
    told = json.loads(bed.run("school", [*MEASURE, json.dumps(asked)]))
    return told.get("mbps"), ", ".join(told.get("doubts", ()))


def _iperf3(bed: Bed, _: str, direction: str) -> _Rated:
    words = ["iperf3", "--json", "--client", SERVER[0], "--time", "10"]
    plain = json.loads(_output(bed, words + (["--reverse"] if direction == "down" else [])))
    if "error" in plain:
        return None, plain["error"]
    return plain["end"]["sum_received"]["bits_per_second"] / 1e6, ""


def _speedtest(bed: Bed, _: str, direction: str) -> _Rated:
    proxy = f"http_proxy=http://{SERVER[0]}:{_SPEEDTEST_PORT}"
    other = "--no-upload" if direction == "down" else "--no-download"
    output = _output(bed, ["env", proxy, "speedtest-cli", "--json", "--no-pre-allocate", other])
    bits = float(json.loads(output)["download" if direction == "down" else "upload"])
    return bits / 1e6 or None, ""


RATES: Mapping[str, Callable[[Bed, str, str], _Rated]] = {
    "capacity": _capacity,
    "tcp": _tcp,
    "NDT7": lambda bed, token, direction: _tcp(bed, token, direction, ndt7=True),
    "iperf3": _iperf3,
    "speedtest-cli": _speedtest,
    "ten seconds of TCP": lambda bed, token, direction: _tcp(bed, token, direction, plain_s=10.0),
}


def _output(bed: Bed, words: Sequence[str]) -> str:
    ran = subprocess.run(bed.inside("school", words), capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


def _with_cost(bed: Bed, run: Callable[[], T]) -> tuple[T, Cost]:
    bytes_before, cpu_before, began_s = _moved(bed), _cpu_s(), time.monotonic()
    told = run()
    lasted_s = time.monotonic() - began_s
    return told, Cost(link_bytes=_moved(bed) - bytes_before, cpu_s=_cpu_s() - cpu_before, lasted_s=lasted_s)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _moved(bed: Bed) -> int:
    return sum(counters.in_bytes for counters in bed.link.counters().values())


def _lost(bed: Bed) -> int:
    return sum(counters.lost for counters in bed.link.counters().values())
