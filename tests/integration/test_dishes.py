# SPDX-License-Identifier: Apache-2.0
"""Is a satellite terminal read over HTTP/2 from a server that is not ours, and told from one that is none?"""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from agent.contract.devices import Satellite
from agent.contract.reason import Reason
from agent.probes.satellite import SatelliteProbe
from firmware_bridge import satellite
from firmware_bridge.address import parse_address
from firmware_bridge.drivers.starlink import METHOD
from firmware_bridge.links.tcp import TcpPort
from firmware_bridge.protocols.grpc import Call, CallFailed
from firmware_bridge.reading import DeviceFailed, DeviceReading
from tests.drivers.dishes import NAMES, REQUESTS, about, encode, responses
from tests.parts.dish import GrpcDish
from tests.parts.program import free_port
from tests.parts.scripted_tcp import ScriptedTcp


def read(port: int, within_s: float = 10) -> DeviceReading:
    return satellite.read(
        parse_address(f"starlink://127.0.0.1:{port}", satellite.SCHEMES), "dish", within_s=within_s
    )


@pytest.mark.parametrize("name", [name for name in NAMES if about(name)["rung"] != "parsed"])
def test_a_terminal_is_read_as_recorded(name: str) -> None:
    with GrpcDish(responses(name)) as dish:
        reading = read(dish.port)
        assert set(dish.asked) == set(REQUESTS.values())
    (fields,) = reading.fields
    found = dataclasses.asdict(fields)
    assert {k: found[k] for k in about(name)["expected"]} == pytest.approx(about(name)["expected"])
    assert list(reading.meanings) == about(name)["meanings"]


def test_a_whole_history_comes_through_the_windows_of_http2() -> None:
    """Some hundred kilobytes, more than what may be under way at first."""
    ring = [float(n % 100) for n in range(900)]
    history = {2006: {1: 100_000, **dict.fromkeys((1001, 1002, 1003, 1004), [0.5] * 9000), 1010: ring}}
    answers = responses("connected") | {REQUESTS["get_history"]: encode(history)}
    assert len(answers[REQUESTS["get_history"]]) > 140_000
    with GrpcDish(answers) as dish:
        (fields,) = read(dish.port).fields
    assert isinstance(fields, Satellite)
    newest = [ring[(100_000 - back) % 900] for back in range(1, 61)]
    assert fields.power_w == pytest.approx(sum(newest) / 60, abs=0.001)


def test_a_call_that_stalls_is_tried_once_more() -> None:
    with GrpcDish(responses("connected"), stalls=1) as dish:
        (fields,) = read(dish.port).fields
    assert isinstance(fields, Satellite)
    assert fields.state == "connected"


def test_a_terminal_that_hangs_is_left() -> None:
    with GrpcDish(responses("connected"), stalls=99) as dish:
        before_s = time.monotonic()
        with pytest.raises(DeviceFailed) as failed:
            read(dish.port, within_s=1)
        assert time.monotonic() - before_s < 3
    assert failed.value.reason is Reason.TIMEOUT


def test_what_the_server_refuses_is_told() -> None:
    with GrpcDish({}) as dish, pytest.raises(DeviceFailed, match="gRPC status 12") as failed:
        read(dish.port)
    assert failed.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize(
    ("said", "ends", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", True, Reason.BAD_ANSWER),
        (b"SSH-2.0-OpenSSH_9.2\r\n", True, Reason.BAD_ANSWER),
        (b"\0\0\0\4\0\0\0\0\0", True, Reason.GONE),
        (b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\7" + bytes(13), False, Reason.BAD_ANSWER),
        (b"", False, Reason.TIMEOUT),
    ],
)
def test_a_server_that_is_no_terminal_is_told_apart(said: bytes, reason: Reason, *, ends: bool) -> None:
    with ScriptedTcp(said, ends=ends) as server, pytest.raises(DeviceFailed) as failed:
        read(server.port, within_s=1)
    assert failed.value.reason is reason


def test_every_byte_of_a_real_server_may_come_alone() -> None:
    """What grpcio sent, fed again in pieces of every size."""
    with GrpcDish(responses("obstructed")) as dish:
        said = _captured(dish.port)
    for size in (1, 2, 3, 9, len(said)):
        call, answer = Call("127.0.0.1", METHOD, REQUESTS["get_status"]), None
        call.begin()
        for at in range(0, len(said), size):
            answer = call.feed(said[at : at + size])[0] or answer
        assert answer == responses("obstructed")[REQUESTS["get_status"]]
    for at in range(len(said)):
        cut = Call("127.0.0.1", METHOD, REQUESTS["get_status"])
        cut.begin()
        assert cut.feed(said[:at])[0] in {None, responses("obstructed")[REQUESTS["get_status"]]}
        spoiled = Call("127.0.0.1", METHOD, REQUESTS["get_status"])
        spoiled.begin()
        try:
            spoiled.feed(said[:at] + bytes([said[at] ^ 0x55]) + said[at + 1 :])
        except CallFailed:
            continue


def _captured(port: int) -> bytes:
    call, said = Call(f"127.0.0.1:{port}", METHOD, REQUESTS["get_status"]), b""
    with TcpPort("127.0.0.1", port, name="dish", within_s=5) as link:
        link.write(call.begin())
        answer = None
        while answer is None:
            data = link.read()
            said += data
            answer, more = call.feed(data)
            if more and answer is None:
                link.write(more)
    return said


def test_a_hanging_terminal_costs_only_itself() -> None:
    with GrpcDish(responses("data_used_up")) as sound, ScriptedTcp(b"", ends=False) as hanging:
        probe = SatelliteProbe(
            dishes=(
                f"good=starlink://127.0.0.1:{sound.port}",
                f"bad=starlink://127.0.0.1:{hanging.port}",
                f"none=starlink://127.0.0.1:{free_port()}",
            ),
            device_s=1,
        )
        found = asyncio.run(probe.measure())
    assert [f.reason for f in found] == [None, Reason.TIMEOUT, Reason.REFUSED]
    assert probe.board.look().modem == "account"
