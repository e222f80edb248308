# SPDX-License-Identifier: Apache-2.0
"""Several reflectors: the nearest that has room is measured, and the record says which it was."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.echo.address import parse
from agent.probes.base import Probe
from agent.probes.capacity import CapacityProbe
from agent.probes.ndt7 import Ndt7Probe
from agent.probes.tcp import TcpProbe
from agent.throughput import nearest
from collector.reflector.gate import Grant
from collector.reflector.listening import listening_for_ndt7, listening_for_streams
from collector.reflector.options import CapacityOptions, Ndt7Options, TcpOptions
from collector.reflector.udp import CapacityServer
from tests.parts.reflector import Entry, generous_gate

BUSY, FREE, DEAD = "127.0.0.1", "127.0.0.2", "127.0.0.3"
KINDS: dict[str, tuple[Callable[..., Probe], dict[str, Any]]] = {
    "capacity": (CapacityProbe, {"max_bytes": 300_000, "max_mbps": 5.0, "deadline_s": 20.0}),
    "tcp": (
        TcpProbe,
        {
            "max_bytes": 1_000_000_000,
            "directions": ("down",),
            "load_s": 0.0,
            "max_s": 5.0,
            "deadline_s": 60.0,
        },
    ),
    "ndt7": (Ndt7Probe, {"max_bytes": 300_000, "tls": False}),
}


@contextlib.asynccontextmanager
async def listening(kind: str, host: str, port: int, entry: Entry) -> AsyncIterator[int]:
    """A whole reflector for one kind of test; its port."""
    if kind == "tcp":
        async with listening_for_streams(TcpOptions(host=host, port=port), entry.gate) as found:
            yield found
    elif kind == "ndt7":
        async with listening_for_ndt7(Ndt7Options(host=host, port=port), entry.gate) as found:
            yield found
    else:
        server = CapacityServer(CapacityOptions(host=host, port=port), entry.gate)
        server.start()
        try:
            yield server.port
        finally:
            await asyncio.to_thread(server.stop)


def free_port() -> int:
    """Free on every address of the loopback, for both protocols."""
    with socket.socket() as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        one.bind(("", 0))
        other.bind(one.getsockname())
        return int(one.getsockname()[1])


def probe_of(kind: str, entry: Entry, folder: Path, port: int, *servers: str) -> Probe:
    file = folder / "token"
    file.write_text(entry.token)
    file.chmod(0o600)
    make, options = KINDS[kind]
    return make(server=servers[0], more_servers=servers[1:], port=port, token_file=str(file), **options)


async def measured(probe: Probe) -> set[tuple[str | None, Reason | None]]:
    reading = await probe.measure()
    assert reading
    return {(f.fields.server, f.reason) for f in reading if isinstance(f.fields, Throughput)}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_busy_reflector_and_a_dead_one_are_passed_over(kind: str, tmp_path: Path) -> None:
    entry, port = generous_gate(tests=1), free_port()
    busy = Entry(generous_gate(tests=1).gate, entry.token)
    busy.gate._key = entry.gate._key
    async with listening(kind, BUSY, port, busy), listening(kind, FREE, port, entry):
        probe = probe_of(kind, entry, tmp_path, port, DEAD, BUSY, FREE)
        held = busy.gate.admit_guest("192.0.2.1", 1000)
        assert isinstance(held, Grant)

        assert await measured(probe) == {(FREE, None)}
        assert busy.gate.tests == 1

        held.close()
        assert await measured(probe) == {(BUSY, None)}


@pytest.mark.parametrize("kind", KINDS)
async def test_one_that_is_dead_leaves_the_other_and_none_a_reason(kind: str, tmp_path: Path) -> None:
    entry, port = generous_gate(), free_port()
    probe = probe_of(kind, entry, tmp_path, port, DEAD, FREE)
    async with listening(kind, FREE, port, entry):
        assert await measured(probe) == {(FREE, None)}
    assert await measured(probe) == {(DEAD, Reason.REFUSED)}


@pytest.mark.parametrize("kind", KINDS)
async def test_questions_before_the_test_take_nobody_s_place(kind: str) -> None:
    entry = generous_gate(tests=1, device_tests_per_hour=1)
    async with listening(kind, FREE, free_port(), entry) as port:
        for _ in range(4):
            assert 0 < await echo(kind, port) < 5000
        assert entry.gate.tests == 0
        assert isinstance(entry.gate.admit(entry.token, FREE, 1000), Grant)


async def echo(kind: str, port: int) -> float:
    if kind == "capacity":
        return await nearest.echo_udp(parse(FREE), port)
    if kind == "tcp":
        return await nearest.echo_stream(parse(FREE), port)
    return await nearest.echo_http(parse(FREE), port, FREE, None)
