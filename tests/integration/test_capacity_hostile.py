# SPDX-License-Identifier: Apache-2.0
"""What does the capacity test say where the network or the server does not play along? A reason, in time."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.contract.capacity import message as m
from agent.contract.reason import Reason
from agent.throughput.capacity import Outcome, Wanted, run
from agent.throughput.verdict import Doubt
from collector.checkpoint import public_key
from collector.reflector import token
from collector.reflector.gate import Gate
from collector.reflector.options import CapacityOptions, GateOptions
from collector.reflector.udp import CapacityServer
from tests.parts.udp_relay import UdpRelay

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TOKEN, OTHER = (token.make(KEY, device, expires_s=2**33) for device in ("kz-0001", "kz-0002"))
HOST = "127.0.0.1"


@pytest.fixture
def server() -> Iterator[CapacityServer]:
    gate = Gate(GateOptions(token_public_key=public_key(KEY), tests=1))
    server = CapacityServer(CapacityOptions(host=HOST, port=0), gate)
    server.start()
    yield server
    server.stop()


def measured(port: int, **options: Any) -> list[Outcome]:
    told: dict[str, Any] = {"max_mbps": 20.0, "seconds": 20.0, "token": TOKEN, **options}
    began_s = time.monotonic()
    outcomes = run(Wanted(host=HOST, port=port, **told))
    assert time.monotonic() - began_s < told["seconds"] + 1
    assert [o.fields.direction for o in outcomes] == ["down", "up"]
    assert all((o.reason is None) == (o.fields.mbps is not None) for o in outcomes)
    return outcomes


def reasons(outcomes: list[Outcome]) -> list[Reason | None]:
    return [outcome.reason for outcome in outcomes]


def test_a_link_without_bound_gives_no_more_than_the_pace(server: CapacityServer) -> None:
    for outcome in measured(server.port):
        assert outcome.reason is None
        assert outcome.fields.mbps is not None
        assert outcome.fields.mbps < 22


def test_a_token_of_nobody_is_refused(server: CapacityServer) -> None:
    outcomes = measured(server.port, token="sp1.kz-0001.9999999999." + "A" * 86)
    assert reasons(outcomes) == [Reason.REFUSED] * 2
    assert "token" in (outcomes[0].detail or "")


def test_a_busy_reflector_is_told_with_the_time_to_come_back(server: CapacityServer) -> None:
    with UdpRelay(server.port) as relay:
        first = threading.Thread(target=measured, args=(relay.port,), kwargs={"token": OTHER})
        first.start()
        while relay.carried < 3:
            time.sleep(0.01)
        outcomes = measured(server.port)
        first.join()
    assert reasons(outcomes) == [Reason.BUSY] * 2
    assert "come back in" in (outcomes[0].detail or "")


def test_a_port_nobody_listens_on_is_refused(server: CapacityServer) -> None:
    assert reasons(measured(server.port + 1 if server.port < 65_535 else 9)) == [Reason.REFUSED] * 2


def test_blocked_udp_is_told_from_a_host_that_is_gone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        outcomes = measured(silent.getsockname()[1])
    assert reasons(outcomes) == [Reason.BLOCKED] * 2


def test_a_name_that_does_not_exist_is_said_so() -> None:
    outcomes = run(Wanted(host="reflector.invalid", port=7470, token=TOKEN))
    assert reasons(outcomes) == [Reason.NAME_UNKNOWN] * 2


def test_a_server_that_stops_is_gone(server: CapacityServer) -> None:
    stopper = threading.Timer(0.3, server._stopping.set)
    with UdpRelay(server.port) as relay:
        relay.down = slow
        stopper.start()
        assert Reason.GONE in reasons(measured(relay.port))


def slow(data: bytes) -> bytes:
    time.sleep(0.005)
    return data


def test_a_way_that_dies_in_the_middle_ends_the_test_with_a_reason(server: CapacityServer) -> None:
    with UdpRelay(server.port) as relay:
        relay.up = lambda data: data if relay.carried < 20 else None
        assert Reason.GONE in reasons(measured(relay.port))


def test_a_way_that_dies_never_holds_the_test_beyond_its_time(server: CapacityServer) -> None:
    with UdpRelay(server.port) as relay:
        relay.up = lambda data: data if relay.carried < 12 else None
        assert Reason.OVERRAN in reasons(measured(relay.port, seconds=2.0))


def test_pings_that_are_all_lost_are_sent_once_more(server: CapacityServer) -> None:
    """As by a limit of packets a second, which the dialogue before has used up."""
    with UdpRelay(server.port) as relay:
        relay.up = lambda data: None if 2 < relay.carried <= 10 else data
        assert reasons(measured(relay.port)) == [None, None]


@pytest.mark.parametrize("after", [8, 11, 40])
def test_another_port_in_the_middle_is_told(server: CapacityServer, after: int) -> None:
    with UdpRelay(server.port) as relay:
        relay.rebinds_after = after
        found = reasons(measured(relay.port))
    assert Reason.ADDRESS_CHANGED in found


def lie(data: bytes, **changed: Any) -> bytes:
    """The same message with other figures in it."""
    message = m.read(data)
    return m.write(dataclasses.replace(message, **changed)) if isinstance(message, m.Report) else data


def squeeze(data: bytes) -> bytes:
    message = m.read(data)
    if not isinstance(message, m.Report):
        return data
    return lie(data, entries=tuple((seq, at_us // 100) for seq, at_us in message.entries))


def stretch(data: bytes) -> bytes:
    message = m.read(data)
    if not isinstance(message, m.Report):
        return data
    return lie(data, entries=tuple((seq, at_us + 2**31 * (seq > 0)) for seq, at_us in message.entries))


def invent(data: bytes) -> bytes:
    return lie(data, entries=tuple((65_000 + i, i) for i in range(9)), total=9, start=0)


def contradict(data: bytes) -> bytes:
    return lie(data, total=1, start=3)


@pytest.mark.parametrize("mangle", [squeeze, stretch, invent, contradict])
def test_a_server_that_lies_of_what_came_is_found_out(server: CapacityServer, mangle: Any) -> None:
    with UdpRelay(server.port) as relay:
        relay.down = mangle
        outcomes = measured(relay.port)
    assert reasons(outcomes) == [None, Reason.UNTRUE]


@pytest.mark.parametrize("ratio", [0.85, 1.15])
def test_a_server_whose_seconds_are_not_ours_is_doubted(server: CapacityServer, ratio: float) -> None:
    def scale(data: bytes) -> bytes:
        message = m.read(data)
        if not isinstance(message, m.Report):
            return data
        return lie(data, entries=tuple((seq, int(at_us * ratio)) for seq, at_us in message.entries))

    with UdpRelay(server.port) as relay:
        relay.down = scale
        up = measured(relay.port)[1]
    assert up.reason is Reason.UNTRUE or Doubt.DISAGREES in (up.fields.reasons or "").split(",")


def test_a_server_that_sends_twice_counts_once(server: CapacityServer) -> None:
    with UdpRelay(server.port) as relay:

        def twice(data: bytes) -> bytes:
            relay._near.sendto(data, relay._client)
            return data

        relay.down = twice
        down = measured(relay.port)[0]
    assert down.fields.mbps is not None
    assert down.fields.mbps < 22


def test_rubbish_in_between_is_passed_over(server: CapacityServer) -> None:
    with UdpRelay(server.port) as relay:

        def rubbish(data: bytes) -> bytes:
            for noise in (b"", b"SPC1", b"SPC1\x09", b"SPC1\x0b" + bytes(40), bytes(1400)):
                relay._near.sendto(noise, relay._client)
            return data

        relay.down = rubbish
        assert reasons(measured(relay.port)) == [None, None]
