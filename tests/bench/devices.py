# SPDX-License-Identifier: Apache-2.0
"""What does it cost to ask routers by SNMP: one, five, twenty of them, and one with fifty ports?

Agents that replay recordings over UDP run in a process of their own. What is measured is this process: CPU of
a poll, and resident memory once all devices have been asked some times.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Self

import psutil

from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.router import Router
from tests.bench.figure import Figure
from tests.drivers.snmp_recording import recording
from tests.parts.snmp_agent import Item, Oid, SnmpReplay, number, oid, text

_ROUNDS = int(os.environ.get("SCHOOLPULSE_BENCH_ROUNDS", "10"))
_PORTS = 50
_IF, _IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
_KINDS = ("mikrotik_ltap", "teltonika_rutx11", "openwrt_router", "unifi_uap", "airos_litebeam")


def measure() -> list[Figure]:
    """Ask them, each some times."""
    process = psutil.Process()
    empty = process.memory_info().rss
    figures = [_many(count, empty) for count in (1, 5, 20)]
    return [figure for pair in figures for figure in pair] + _wide_router()


def _many(count: int, empty: int) -> tuple[Figure, Figure]:
    recordings = [recording(_KINDS[at % len(_KINDS)]).values for at in range(count)]
    with ExitStack() as stack:
        hosts = stack.enter_context(_Served(recordings)).hosts
        routers = [stack.enter_context(Router(host, SnmpAccess(), f"r{at}")) for at, host in enumerate(hosts)]
        pool = stack.enter_context(ThreadPoolExecutor(count))
        cpu_ms = []
        for _ in range(_ROUNDS):
            began = time.process_time()
            list(pool.map(lambda router: router.read(within_s=60), routers))
            cpu_ms.append((time.process_time() - began) * 1000)
        grown = psutil.Process().memory_info().rss - empty
    note = f"median of {_ROUNDS - 1} rounds after the first"
    return (
        Figure(
            name=f"devices: CPU of a poll, {count} asked",
            value=statistics.median(cpu_ms[1:]),
            unit="ms",
            note=note,
        ),
        Figure(name=f"devices: resident memory more, {count} asked", value=grown / 2**20, unit="MiB"),
    )


def _wide_router() -> list[Figure]:
    with ExitStack() as stack:
        (host,) = stack.enter_context(_Served([_wide()])).hosts
        router = stack.enter_context(Router(host, SnmpAccess(), "wide"))
        cpu_ms, wall_ms, ports = [], [], 0
        for _ in range(_ROUNDS):
            began, began_cpu = time.monotonic(), time.process_time()
            reading = router.read(within_s=60)
            wall_ms.append((time.monotonic() - began) * 1000)
            cpu_ms.append((time.process_time() - began_cpu) * 1000)
            ports = len(reading.fields) - 1
    assert ports == _PORTS
    return [
        Figure(
            name=f"devices: CPU of a full poll, {_PORTS} ports",
            value=statistics.median(cpu_ms[1:]),
            unit="ms",
            goal=250,
            note=f"median of {_ROUNDS - 1} after the first, which took {cpu_ms[0]:.0f} ms",
        ),
        Figure(
            name=f"devices: time of a full poll, {_PORTS} ports",
            value=statistics.median(wall_ms[1:]),
            unit="ms",
        ),
    ]


def _wide() -> dict[Oid, Item]:
    """A switching router: each port with all that is asked of ports."""
    values = {
        oid("1.3.6.1.2.1.1.1.0"): text("RouterOS CRS354"),
        oid("1.3.6.1.2.1.1.2.0"): Item(0x06, bytes([43, 6, 1, 4, 1, 0xF5, 0x0C, 1])),
        oid("1.3.6.1.2.1.1.3.0"): number(8_640_000, 0x43),
        oid("1.3.6.1.2.1.25.3.3.1.2.1"): number(7),
    }
    for port in range(1, _PORTS + 1):
        numbers = {3: 6, 4: 1500, 5: 10**9, 7: 1, 8: 1, 10: port, 13: 0, 14: 0, 16: port, 19: 0, 20: 0}
        wide = {6: 10**12 + port, 10: 10**11 + port, 15: 1000, 19: 0}
        values |= {oid(f"{_IF}.{column}.{port}"): number(value) for column, value in numbers.items()}
        values |= {oid(f"{_IFX}.{column}.{port}"): number(value) for column, value in wide.items()}
        values[oid(f"{_IF}.2.{port}")] = values[oid(f"{_IFX}.1.{port}")] = text(f"ether{port}")
    return values


class _Served:
    """Agents in another process, whose CPU is not ours."""

    def __init__(self, recordings: list[dict[Oid, Item]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(recordings, theirs), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.hosts: list[str] = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send(None)
        self._process.join()


def _serve(recordings: list[dict[Oid, Item]], told: Connection) -> None:
    with ExitStack() as stack:
        told.send([stack.enter_context(SnmpReplay(values)).host for values in recordings])
        told.recv()
