# SPDX-License-Identifier: Apache-2.0
"""Does the probe measure against a real reflector, and say why where it cannot?"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.contract.decoder import DecodeError
from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.echo import resolvers, target
from agent.echo.address import parse
from agent.echo.lookup import look_up_whole
from agent.probes.base import Finding, ProbeFailed
from agent.probes.capacity import CapacityProbe
from agent.throughput import nearest, session
from collector.checkpoint import public_key
from collector.reflector import token
from collector.reflector.gate import Gate
from collector.reflector.listening import listening_for_streams
from collector.reflector.options import CapacityOptions, GateOptions, TcpOptions
from collector.reflector.udp import CapacityServer
from tests.parts.reflector import generous_gate
from tests.unit.agent.echo.peers import resolving, says, silence

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def server() -> Iterator[CapacityServer]:
    gate = Gate(GateOptions(token_public_key=public_key(KEY)))
    server = CapacityServer(CapacityOptions(host="127.0.0.1", port=0), gate)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(token.make(KEY, "kz-0001", expires_s=2**33) + "\n")
    return str(file)


def probe(secret: str, port: int, **options: Any) -> CapacityProbe:
    return CapacityProbe(
        enabled=True, server="127.0.0.1", port=port, token_file=secret, max_mbps=10.0, **options
    )


def figures(finding: Finding) -> Throughput:
    assert isinstance(finding.fields, Throughput)
    return finding.fields


@pytest.mark.parametrize(("direction", "found"), [("both", ["down", "up"]), ("up", ["up"])])
async def test_each_direction_is_a_record(
    server: CapacityServer, secret: str, direction: str, found: list[str]
) -> None:
    reading = await probe(secret, server.port, direction=direction).measure()
    assert [figures(finding).direction for finding in reading] == found
    for finding in reading:
        fields = figures(finding)
        assert finding.reason is None
        assert (fields.method, fields.server) == ("capacity", "127.0.0.1")
        assert None not in (
            fields.mbps,
            fields.bytes,
            fields.duration_s,
            fields.rtt_idle_ms,
            fields.cpu_ratio,
        )


async def test_without_a_token_nothing_is_asked(server: CapacityServer) -> None:
    with pytest.raises(ProbeFailed) as failed:
        await probe("/nowhere/token", server.port).measure()
    assert failed.value.reason is Reason.NOT_PRESENT


async def test_a_reflector_that_is_not_there_is_a_reason_for_each_direction(secret: str) -> None:
    reading = await probe(secret, 9).measure()
    assert [finding.reason for finding in reading] == [Reason.REFUSED] * 2


@pytest.fixture
def mute() -> Iterator[int]:
    """A UDP port that swallows everything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


async def test_where_udp_is_blocked_tcp_is_asked_and_both_are_said(
    mute: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_RETRY_S", 0.01)
    entry = generous_gate()
    (tmp_path / "token").write_text(entry.token)
    async with listening_for_streams(TcpOptions(host="127.0.0.1", port=0), entry.gate) as port:
        reading = await probe(str(tmp_path / "token"), mute, tcp_port=port).measure()
    found = [(figures(f).direction, figures(f).method, f.reason) for f in reading]
    assert found[:2] == [("down", "capacity", Reason.BLOCKED), ("up", "capacity", Reason.BLOCKED)]
    assert [(direction, method[:4]) for direction, method, _ in found[2:] if method] == [
        ("down", "tcp_"),
        ("up", "tcp_"),
    ]
    assert all(figures(f).server == "127.0.0.1" for f in reading)
    assert figures(reading[2]).mbps


@pytest.mark.parametrize(("tcp_port", "found"), [(0, 1), (1, 2)])
async def test_where_tcp_is_not_offered_either_there_is_a_reason_for_each_question(
    secret: str, mute: int, monkeypatch: pytest.MonkeyPatch, tcp_port: int, found: int
) -> None:
    monkeypatch.setattr(session, "_RETRY_S", 0.01)
    reading = await probe(secret, mute, tcp_port=tcp_port, direction="up").measure()
    assert [f.reason for f in reading] == [Reason.BLOCKED, Reason.REFUSED][:found]


async def test_dead_resolvers_are_no_unknown_name(
    secret: str, monkeypatch: pytest.MonkeyPatch, server: CapacityServer
) -> None:
    """The C library says EAI_AGAIN after as long as it likes, in a thread that nobody can stop."""
    monkeypatch.setattr(socket, "getaddrinfo", refuse_names(socket.getaddrinfo))
    monkeypatch.setattr(nearest, "LONGEST_S", 0.05)
    async with resolving(silence) as (_, port):
        local(monkeypatch, port)
        reading = await replace(probe(secret, server.port), server="reflector.test").measure()
    assert [finding.reason for finding in reading] == [Reason.TIMEOUT] * 2
    assert [figures(finding).server for finding in reading] == ["reflector.test"] * 2


async def test_a_named_reflector_is_found_and_named(
    secret: str, monkeypatch: pytest.MonkeyPatch, server: CapacityServer
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", refuse_names(socket.getaddrinfo))
    async with resolving(says(0, "127.0.0.1")) as (_, port):
        local(monkeypatch, port)
        (finding,) = await replace(
            probe(secret, server.port, direction="down"), server="reflector.test"
        ).measure()
    assert (finding.reason, figures(finding).server) == (None, "reflector.test")


def local(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """The only resolver of the system listens on this port of loopback."""
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: (parse("127.0.0.1"),))
    monkeypatch.setattr(target, "look_up_whole", partial(look_up_whole, port=port))


def refuse_names(really: Any) -> Any:
    def getaddrinfo(host: str, *args: Any, **more: Any) -> Any:
        assert not host.endswith(".test")
        return really(host, *args, **more)

    return getaddrinfo


async def test_cancelling_ends_the_thread_too(secret: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        task = asyncio.create_task(probe(secret, silent.getsockname()[1]).measure())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().shutdown_default_executor()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"enabled": True}, "server"),
        ({"enabled": True, "server": "a b"}, "server"),
        ({"direction": "sideways"}, "direction"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        CapacityProbe(**options)
