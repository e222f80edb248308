# SPDX-License-Identifier: Apache-2.0
"""Whatever the other end of a TCP test does, the answer is a reason or a doubt, and it comes in time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from agent.contract import tcpinfo
from agent.contract.decoder import decode
from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.contract.stream import Joined, Opened, Report, write
from agent.echo.address import parse
from agent.echo.problem import NoAnswer
from agent.probes.iperf3 import Iperf3Probe
from agent.probes.ndt7 import Ndt7Probe
from agent.probes.tcp import TcpProbe
from agent.throughput import ndt7, tcp
from agent.throughput.dialogue import Server, open_session
from agent.throughput.ndt7 import Place
from agent.throughput.responsiveness import under_load
from agent.throughput.steady import Steady
from agent.throughput.verdict import Doubt
from collector.reflector.listening import listening_for_ndt7, listening_for_streams
from collector.reflector.options import Ndt7Options, TcpOptions
from tests.parts.program import free_port
from tests.parts.reflector import DEVICE, Entry, generous_gate

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
HOST = "127.0.0.1"
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<html>Hallo!"
DEADLINE_S = 20.0
CHUNK = bytes(1448 * 20)


@contextlib.asynccontextmanager
async def scripted(talk: Talk) -> AsyncIterator[int]:
    """A server that does as written; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(answer, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def reflector(**gate: Any) -> AsyncIterator[tuple[int, Entry]]:
    entry = generous_gate(**gate)
    async with listening_for_streams(TcpOptions(host=HOST, port=0), entry.gate) as port:
        yield port, entry


async def transfer(port: int, token: str = DEVICE, **changed: Any) -> tcp.Transfer:
    """One test, which must come to an end."""
    whole: dict[str, Any] = {"direction": "down", "streams": 2, "max_bytes": 2_000_000, "max_s": 5.0}
    plan = tcp.Plan(**whole | changed)
    server = Server(address=parse(HOST), port=port, token=token, timeout_s=1.0)
    async with asyncio.timeout(DEADLINE_S), open_session(server, plan.max_bytes) as session:
        return await tcp.transfer(session, plan)


async def reason(port: int, **changed: Any) -> Reason:
    with pytest.raises(NoAnswer) as failed:
        await transfer(port, **changed)
    print(failed.value)
    return failed.value.reason


async def test_a_reflector_is_measured_in_both_directions() -> None:
    async with reflector() as (port, entry):
        for direction in ("down", "up"):
            found = await transfer(port, entry.token, direction=direction, max_bytes=500_000_000)

            assert found.segment is not None
            assert found.mbps(found.segment.rate) > 50
            # Segments of the loopback are not all full, so more is counted than was sent.
            assert not found.doubts - {Doubt.WIDE, Doubt.UNSETTLED, Doubt.UNSATURATED, Doubt.DISAGREES}
            await asyncio.sleep(0.1)
            assert entry.gate.tests == 0


async def test_the_grant_is_kept_to_and_counted() -> None:
    async with reflector(test_bytes=3_000_000) as (port, entry):
        with contextlib.suppress(NoAnswer):
            found = await transfer(port, entry.token, max_bytes=500_000_000, max_s=10.0)
            # Segments of the loopback are not all full, so this counts too much.
            assert found.load_bytes < 9_000_000
        await asyncio.sleep(0.1)

        assert 0 < entry.gate._device_bytes.sum("kz-0001", time.monotonic()) <= 3_000_000


async def test_a_token_that_does_not_hold_is_refused() -> None:
    async with reflector() as (port, _):
        assert await reason(port, token="sp1.kz-0001.1.x") is Reason.NOT_PERMITTED


async def test_a_device_that_measures_already_is_told_that_it_is_busy() -> None:
    async with reflector() as (port, entry):
        server = Server(address=parse(HOST), port=port, token=entry.token, timeout_s=1.0)
        async with open_session(server, 1_000_000):
            assert await reason(port, token=entry.token) is Reason.BUSY


async def test_nobody_joins_a_session_that_is_not_his() -> None:
    async with reflector() as (port, entry):
        server = Server(address=parse(HOST), port=port, token=entry.token, timeout_s=1.0)
        async with open_session(server, 1_000_000) as session:
            session._name = "guessed"
            with pytest.raises(NoAnswer) as failed:
                await session.join("down", "bbr")
            assert failed.value.reason is Reason.REFUSED


async def test_strangers_get_next_to_nothing_for_any_bytes() -> None:
    asked = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 3000,
        b'{"join":"x","direction":"down"}\n',
        b'{"open":"x","bytes":9}\n',
    ]
    async with reflector() as (port, _):
        for line in asked:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(line)
            got = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1):
                    got = await reader.read()
            writer.transport.abort()
            print(line[:30], got)
            assert len(got) < 200


async def html(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(HTML)
    await writer.drain()
    await asyncio.sleep(1)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(DEADLINE_S)


async def carry(come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
    while data := await come.read(65536):
        go.write(data)
        await go.drain()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)


OPENED = write(Opened(session="s", bytes=10**9, seconds=60.0))


def acting(load: Talk, closing: Report | None = None) -> Talk:
    """A reflector that says yes to everything, then loads as written."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if b'"open"' in line:
            writer.write(OPENED)
            while await reader.readline():
                if closing is not None:
                    writer.write(write(dataclasses.replace(closing, last=True)))
            return
        writer.write(write(Joined(ok=True, congestion="cubic")))
        await load(reader, writer)

    return talk


def taking(segments_ratio: float, clock_ratio: float) -> Talk:
    """A reflector that takes 2 MB a second or so, and tells of it as it likes."""
    socks: list[Any] = []
    began_s = time.monotonic()

    def told(*, last: bool) -> bytes:
        at_us = round((time.monotonic() - began_s) * clock_ratio * 1e6)
        taken = sum(tcpinfo.look(sock).bytes_received for sock in socks)
        segments = round(taken * segments_ratio / 1448)
        report = Report(at_us=at_us, segments=segments, segment_bytes=1500, received_bytes=taken, last=last)
        return write(report)

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = asyncio.create_task(reader.readline())
        while not asked.done():
            writer.write(told(last=False))
            await asyncio.sleep(0.04)
        writer.write(told(last=True))
        await reader.read()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if b'"open"' in line:
            writer.write(OPENED)
            await control(reader, writer)
            return
        writer.write(write(Joined(ok=True, congestion="cubic")))
        socks.append(writer.get_extra_info("socket"))
        while await reader.read(20_000):  # noqa: ASYNC110 -- it takes its time
            await asyncio.sleep(0.01)

    return talk


async def steady_load(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(CHUNK)
        await writer.drain()
        await asyncio.sleep(0.01)


async def loads_for_a_while(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(10):
        writer.write(CHUNK)
        await writer.drain()
        await asyncio.sleep(0.02)
    writer.write_eof()
    await asyncio.sleep(1)


async def short_load(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNK)
    await writer.drain()


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (html, Reason.BAD_ANSWER),
        (silent, Reason.TIMEOUT),
        (resets, Reason.GONE),
        (acting(silent), Reason.TIMEOUT),
        (acting(short_load), Reason.GONE),
    ],
    ids=["HTML", "silent", "reset", "stalls before load", "gone in the middle"],
)
async def test_a_bad_reflector_is_a_reason(talk: Talk, expected: Reason) -> None:
    async with scripted(talk) as port:
        began_s = time.monotonic()
        assert await reason(port, max_s=3.0) is expected
        assert time.monotonic() - began_s < DEADLINE_S


async def test_a_reflector_that_claims_more_than_came_is_doubted() -> None:
    async with scripted(acting(steady_load, Report(at_us=1, acked_bytes=10**9))) as port:
        assert Doubt.DISAGREES in (await transfer(port, max_bytes=50_000_000)).doubts


async def test_a_reflector_that_claims_what_came_is_not_doubted_for_it() -> None:
    async with scripted(acting(steady_load, Report(at_us=1, acked_bytes=1000))) as port:
        assert Doubt.DISAGREES not in (await transfer(port, max_bytes=50_000_000)).doubts


@pytest.mark.parametrize(
    ("segments_ratio", "clock_ratio", "doubted"),
    [(1.0, 1.0, False), (1.3, 1.0, True), (1.0, 0.6, True), (1.0, 1.6, True)],
    ids=["honest", "more segments than were sent", "a slow clock", "a fast clock"],
)
async def test_a_reflector_that_lies_of_what_came_up_is_doubted(
    segments_ratio: float, clock_ratio: float, *, doubted: bool
) -> None:
    async with scripted(taking(segments_ratio, clock_ratio)) as port:
        found = await transfer(port, direction="up", max_bytes=10**9, max_s=4.0)
    print(found.doubts)
    assert (Doubt.DISAGREES in found.doubts) == doubted


async def test_a_reflector_that_lies_grossly_gives_no_figure_but_the_reason() -> None:
    steady = Steady(
        name=HOST, directions=("up",), streams=1, congestion="bbr", max_bytes=20_000_000, max_s=3.0
    )
    async with scripted(taking(300.0, 1.0)) as port:
        server = Server(address=parse(HOST), port=port, token=DEVICE, timeout_s=1.0)
        (finding,) = await steady.findings(server)
    made: Any = finding.fields
    assert (finding.reason, made.mbps, made.validity) == (Reason.UNTRUE, None, "invalid")
    assert "implausible" in made.reasons


async def test_a_reflector_that_never_stops_reporting_fills_no_memory() -> None:
    """While load comes down nobody reads its reports."""
    told = asyncio.Event()

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(OPENED)
        for n in range(3000):
            writer.write(write(Report(at_us=n)))
        await writer.drain()
        told.set()
        await reader.read()

    async with scripted(floods) as port:
        server = Server(address=parse(HOST), port=port, token=DEVICE, timeout_s=1.0)
        async with open_session(server, 1000) as session, asyncio.timeout(DEADLINE_S):
            await told.wait()
            while session.report is None or session.report.at_us < 2999:  # noqa: ASYNC110 -- its own pace
                await asyncio.sleep(0.01)
            assert len(session.unread) == 1000
            assert [there_s for _, there_s in session.heard_s] == [0.0, 2999 / 1e6]
            assert [report.at_us for report in session.take_unread()][-1] == 2999
            assert not session.unread


async def test_nobody_there_is_refused() -> None:
    assert await reason(1) is Reason.REFUSED


async def test_reports_that_come_behind_the_load_are_counted() -> None:
    """On a long, fast way all is spent before the first of them is here."""
    async with scripted(telling_late) as port:
        found = await transfer(port, direction="up", streams=1, max_bytes=400_000)
    assert found.segment is not None
    assert found.mbps(found.segment.rate) == pytest.approx(100 * 1500 * 8 / 1e6)
    assert Doubt.UNSETTLED in found.doubts


async def telling_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A hundred segments a second, told of when asked for the end."""
    line = await reader.readline()
    if b'"open"' in line:
        writer.write(OPENED)
        await reader.readline()
        for n in range(12):
            told = Report(at_us=n * 40_000, segments=n * 4, segment_bytes=1500, received_bytes=n * 4 * 1448)
            writer.write(write(told))
        writer.write(write(Report(at_us=9_000_000, segments=48, received_bytes=400_000, last=True)))
        await reader.read()
        return
    writer.write(write(Joined(ok=True, congestion="cubic")))
    while await reader.read(1 << 18):
        pass


async def test_load_on_a_link_that_never_was_full_is_counted_all_the_same() -> None:
    """There is no round trip under load then, but its bytes were spent."""
    async with reflector() as (port, entry):
        plan = tcp.Plan(direction="down", streams=2, max_bytes=3_000_000, max_s=3.0)
        server = Server(address=parse(HOST), port=port, token=entry.token, timeout_s=1.0)
        async with open_session(server, 10_000_000) as session:
            found = await under_load(session, plan, 1e9)
    assert (found.rtt_ms, found.rpm, found.trips) == (None, None, 0)
    assert found.load_bytes > found.payload_bytes > 2_000_000


async def test_load_that_breaks_down_is_counted_as_far_as_it_came() -> None:
    async with scripted(acting(loads_for_a_while)) as port:
        plan = tcp.Plan(direction="down", streams=1, max_bytes=10**9, max_s=5.0)
        server = Server(address=parse(HOST), port=port, token=DEVICE, timeout_s=1.0)
        async with open_session(server, 10**9) as session:
            found = await under_load(session, plan, 1.0)
    assert found.rtt_ms is None
    assert found.payload_bytes >= 10 * len(CHUNK)


# NDT7


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subprocess.run(
        [
            *words.split(),
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            key,
            "-out",
            cert,
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def place(port: int, *, tls: ssl.SSLContext | None = None, token: str = "") -> Place:
    return Place(
        address=parse(HOST), port=port, name="localhost", tls=tls, authorization=token, timeout_s=2.0
    )


async def ndt7_reason(port: int, **changed: Any) -> Reason:
    with pytest.raises(NoAnswer) as failed:
        async with asyncio.timeout(DEADLINE_S):
            await ndt7.run(place(port, **changed), "down", max_bytes=10_000_000)
    print(failed.value)
    return failed.value.reason


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("is_secure", [False, True])
async def test_ndt7_measures_against_the_reflector(
    certificate: tuple[Path, Path], direction: Any, is_secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.contract.ndt7.TRANSFER_S", 1.0)
    files: dict[str, Any] = (
        {"certificate_file": str(certificate[0]), "key_file": str(certificate[1])} if is_secure else {}
    )
    tls = ssl.create_default_context(cafile=certificate[0]) if is_secure else None
    entry = generous_gate()
    async with listening_for_ndt7(Ndt7Options(host=HOST, port=0, **files), entry.gate) as port:
        found = await ndt7.run(place(port, tls=tls, token=entry.token), direction, max_bytes=10**10)

    assert found.mbps is not None
    assert found.mbps > 50
    assert not found.doubts
    assert entry.gate.tests == 0


@pytest.mark.parametrize(("guests", "is_let_in"), [(True, True), (False, False)])
async def test_a_guest_measures_only_where_guests_may(guests: bool, is_let_in: bool) -> None:
    entry = generous_gate(test_bytes=1_000_000)
    async with listening_for_ndt7(Ndt7Options(host=HOST, port=0, guests=guests), entry.gate) as port:
        if is_let_in:
            assert (await ndt7.run(place(port), "down", max_bytes=10**9)).app_bytes <= 1_000_000
        else:
            assert await ndt7_reason(port) is Reason.NOT_PERMITTED


async def test_a_plain_answer_in_place_of_tls_is_said_to_be_that() -> None:
    async with scripted(html) as port:
        assert await ndt7_reason(port, tls=ssl.create_default_context()) is Reason.TLS_FAILED


async def test_a_certificate_that_nobody_knows_is_not_trusted(certificate: tuple[Path, Path]) -> None:
    files: dict[str, Any] = {"certificate_file": str(certificate[0]), "key_file": str(certificate[1])}
    async with listening_for_ndt7(Ndt7Options(host=HOST, port=0, **files), generous_gate().gate) as port:
        assert await ndt7_reason(port, tls=ssl.create_default_context()) is Reason.TLS_FAILED


def answering(status: str) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.5)

    return talk


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (html, Reason.BAD_ANSWER),
        (silent, Reason.TIMEOUT),
        (resets, Reason.GONE),
        (answering("503 Service Unavailable"), Reason.BUSY),
        (answering("403 Forbidden"), Reason.NOT_PERMITTED),
        (answering("302 Found"), Reason.BAD_ANSWER),
    ],
    ids=["HTML", "silent", "reset", "busy", "forbidden", "redirected"],
)
async def test_a_bad_ndt7_server_is_a_reason(talk: Talk, expected: Reason) -> None:
    async with scripted(talk) as port:
        assert await ndt7_reason(port) is expected


def acting_ndt7(act: Callable[[ServerProtocol, asyncio.StreamReader, asyncio.StreamWriter], Any]) -> Talk:
    """A server that shakes hands, then does as written."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol(subprotocols=[Subprotocol("net.measurementlab.ndt.v7")])
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))  # type: ignore[arg-type]
        writer.writelines(protocol.data_to_send())
        await act(protocol, reader, writer)

    return talk


async def chatters(protocol: ServerProtocol, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No load at all, but text without end."""
    while True:
        protocol.send_text(b"[" * 100_000)
        writer.writelines(protocol.data_to_send())
        await writer.drain()


async def hangs_up_early(
    protocol: ServerProtocol, _: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    protocol.send_binary(bytes(200_000))
    protocol.send_close(1000)
    writer.writelines(protocol.data_to_send())
    await writer.drain()
    await asyncio.sleep(1)


def tells(clock_ratio: float) -> Any:
    """Takes what comes and tells of it by a clock of its own."""

    async def act(
        protocol: ServerProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        began_s, sock = time.monotonic(), writer.get_extra_info("socket")
        said_s = 0.0
        while await reader.read(1 << 18):
            elapsed_s = time.monotonic() - began_s
            if elapsed_s > said_s + 0.1:
                said_s = elapsed_s
                info = {
                    "ElapsedTime": round(elapsed_s * clock_ratio * 1e6),
                    "BytesReceived": tcpinfo.look(sock).bytes_received,
                }
                protocol.send_text(json.dumps({"TCPInfo": info}).encode())
                writer.writelines(protocol.data_to_send())
                await writer.drain()

    return act


async def test_an_ndt7_server_that_sends_anything_but_load_is_cut_off_at_the_plans_bytes() -> None:
    async with scripted(acting_ndt7(chatters)) as port:
        began_s = time.monotonic()
        with contextlib.suppress(NoAnswer):
            assert (await ndt7.run(place(port), "down", max_bytes=3_000_000)).mbps is None
        assert time.monotonic() - began_s < 5


async def test_an_ndt7_server_that_hangs_up_early_is_told_as_interrupted() -> None:
    async with scripted(acting_ndt7(hangs_up_early)) as port:
        found = await ndt7.run(place(port), "down", max_bytes=10_000_000)
    assert Doubt.INTERRUPTED in found.doubts


@pytest.mark.parametrize(("clock_ratio", "doubted"), [(1.0, False), (0.4, True), (2.0, True)])
async def test_an_ndt7_server_with_seconds_of_its_own_is_doubted(
    clock_ratio: float, *, doubted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.contract.ndt7.TRANSFER_S", 2.0)
    monkeypatch.setattr("agent.contract.ndt7.LONGEST_S", 2.5)
    async with scripted(acting_ndt7(tells(clock_ratio))) as port:
        found = await ndt7.run(place(port), "up", max_bytes=10**10)
    print(found.mbps, found.doubts)
    assert (Doubt.DISAGREES in found.doubts) == doubted


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_an_ndt7_server_that_is_gone_in_the_middle_is_a_reason(direction: Any) -> None:
    entry = generous_gate()
    far = Ndt7Options(host=HOST, port=free_port(), guests=True)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes a megabyte on in all, then is gone."""
        far_reader, far_writer = await asyncio.open_connection(HOST, far.port)
        left = 1_000_000

        async def pass_on(come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
            nonlocal left
            while left > 0 and (data := await come.read(65536)):
                go.write(data)
                await go.drain()
                left -= len(data)

        ways = [
            asyncio.create_task(pass_on(reader, far_writer)),
            asyncio.create_task(pass_on(far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        far_writer.transport.abort()

    async with listening_for_ndt7(far, entry.gate), scripted(relay) as port:
        with pytest.raises(NoAnswer) as failed:
            async with asyncio.timeout(DEADLINE_S):
                await ndt7.run(place(port), direction, max_bytes=10**9)
    assert failed.value.reason is Reason.GONE


# Probes as the agent runs them.


async def test_the_tcp_probe_makes_a_record_for_each_direction(tmp_path: Path) -> None:
    async with reflector() as (port, entry):
        (tmp_path / "token").write_text(entry.token)
        probe = TcpProbe(
            enabled=True,
            server=HOST,
            port=port,
            token_file=str(tmp_path / "token"),
            load_s=1.0,
            max_bytes=1_900_000_000,
        )
        findings = await probe.measure()

    fields: list[Any] = [finding.fields for finding in findings]
    print(findings)
    assert [made.direction for made in fields] == ["down", "up"]
    assert all(made.method.startswith("tcp_") and made.method.endswith("_4") for made in fields)
    assert all((made.mbps_low or 0) <= made.mbps <= (made.mbps_high or 1e9) for made in fields)
    assert all(made.validity in {"valid", "suspect"} for made in fields)


async def test_the_ndt7_probe_says_why_there_is_no_figure() -> None:
    probe = Ndt7Probe(enabled=True, server=HOST, port=1, tls=False)

    findings = await probe.measure()

    assert [(finding.reason, finding.fields.mbps) for finding in findings] == [(Reason.REFUSED, None)] * 2  # type: ignore[union-attr]


async def test_the_ndt7_probe_keeps_what_it_found_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.contract.ndt7.TRANSFER_S", 0.5)
    entry = generous_gate()
    connections = itertools.count()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The first is served, whoever comes later meets silence."""
        if next(connections) > 0:
            await silent(reader, writer)
        far_reader, far_writer = await asyncio.open_connection(HOST, far)
        await asyncio.wait(
            [
                asyncio.create_task(carry(reader, far_writer)),
                asyncio.create_task(carry(far_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        far_writer.transport.abort()

    options = Ndt7Options(host=HOST, port=0, guests=True)
    async with listening_for_ndt7(options, entry.gate) as far, scripted(answer) as port:
        probe = Ndt7Probe(
            enabled=True, server=HOST, port=port, tls=False, deadline_s=3.0, timeout_s=60.0, max_bytes=10**11
        )
        async with asyncio.timeout(probe.deadline_s):
            down, up = await probe.measure()

    assert isinstance(down.fields, Throughput)
    assert (down.reason, down.fields.mbps is None) == (None, False)
    assert up.reason is Reason.OVERRAN


@pytest.fixture
def iperf3_server() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with serving_iperf3(HOST, port) as server:
        yield port, server


@contextlib.contextmanager
def serving_iperf3(host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen(
        ["iperf3", "--server", "--bind", host, "--port", str(port)], stdout=subprocess.DEVNULL
    )
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    yield server
    server.kill()
    server.wait()


def load_of_somebody_else(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["iperf3", "-c", HOST, "-p", str(port), "-t", "5"], stdout=subprocess.DEVNULL)


def iperf3_probe(port: int, **changed: Any) -> Iperf3Probe:
    plain = {"enabled": True, "server": HOST, "port": port, "seconds": 1, "max_bytes": 10**12} | changed
    return decode(Iperf3Probe, plain, strict=True)


@pytest.mark.parts("iperf3")
async def test_iperf3_measures_against_a_real_server(iperf3_server: tuple[int, Any]) -> None:
    findings = await iperf3_probe(iperf3_server[0]).measure()

    fields: list[Any] = [finding.fields for finding in findings]
    print([(finding.reason, finding.detail) for finding in findings])
    assert all(made.mbps > 50 for made in fields)


@pytest.mark.parts("iperf3")
async def test_a_busy_iperf3_server_is_busy(iperf3_server: tuple[int, Any]) -> None:
    port = iperf3_server[0]
    other = load_of_somebody_else(port)
    await asyncio.sleep(0.5)
    (finding,) = await iperf3_probe(port, directions=["down"]).measure()
    other.kill()
    other.wait()

    assert finding.reason is Reason.BUSY


@pytest.mark.parts("iperf3")
async def test_another_iperf3_server_is_asked_when_the_first_is_busy(iperf3_server: tuple[int, Any]) -> None:
    port = iperf3_server[0]
    with serving_iperf3("127.0.0.2", port):
        other = load_of_somebody_else(port)
        await asyncio.sleep(0.5)
        probe = iperf3_probe(port, more_servers=["127.0.0.3", "127.0.0.2"], directions=["down"])
        (finding,) = await probe.measure()
        other.kill()
        other.wait()

    assert isinstance(finding.fields, Throughput)
    assert (finding.reason, finding.fields.server) == (None, "127.0.0.2")


@pytest.mark.parts("iperf3")
async def test_an_iperf3_server_that_is_killed_is_gone(
    iperf3_server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, server = iperf3_server
    threading.Timer(1.0, server.kill).start()
    (finding,) = await iperf3_probe(port, directions=["down"], seconds=5).measure()

    assert finding.reason is Reason.GONE


@pytest.mark.parts("iperf3")
@pytest.mark.parametrize("direction", ["down", "up"])
async def test_an_iperf3_server_that_falls_silent_is_a_timeout(
    iperf3_server: tuple[int, subprocess.Popen[bytes]], direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.probes.iperf3._SET_UP_S", 1.0)
    port, server = iperf3_server
    threading.Timer(0.7, server.send_signal, [signal.SIGSTOP]).start()
    (finding,) = await iperf3_probe(port, directions=[direction]).measure()

    assert finding.reason is Reason.TIMEOUT
    assert isinstance(finding.fields, Throughput)
    assert finding.fields.mbps is None


@pytest.mark.parts("iperf3")
async def test_iperf3_where_nobody_serves_is_refused() -> None:
    (finding,) = await iperf3_probe(1, directions=["down"]).measure()

    assert finding.reason is Reason.REFUSED


@pytest.mark.parts("iperf3")
async def test_iperf3_is_stopped_at_its_bytes_and_says_down_what_it_found(
    iperf3_server: tuple[int, Any],
) -> None:
    began_s = time.monotonic()
    down, up = await iperf3_probe(iperf3_server[0], seconds=10, max_bytes=1_000_000).measure()

    assert time.monotonic() - began_s < 10
    assert isinstance(down.fields, Throughput)
    assert (down.reason, down.fields.validity) == (None, "suspect")
    assert "interrupted" in (down.fields.reasons or "")
    assert (down.fields.mbps or 0) > 50
    assert up.reason is Reason.OVERRAN


def test_a_tcp_test_needs_no_websockets() -> None:
    code = "import agent.probes.tcp, sys; print('websockets' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
