# SPDX-License-Identifier: Apache-2.0
"""Which readers of bytes from outside are there, and what may each of them answer?

A target takes any bytes. It returns when the reader read or refused them as it says; all else is a fault.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

from agent.clock.saved import SavedClock
from agent.config import load_config as load_agent
from agent.contract import ndt7, tcpinfo, topics
from agent.contract.capacity import message as messages
from agent.contract.codec import OWN_ERROR, decode_ack, decode_batch, encode, encode_ack
from agent.contract.decoder import DecodeError, decode
from agent.contract.dictionary import DICTIONARIES, NEWEST
from agent.contract.enrolment import EnrolmentRequest, Issued, RenewalRequest, read_message
from agent.contract.envelope import open_envelope, seal
from agent.contract.kinds import Fields, NetworkPath
from agent.contract.packed import FORMAT
from agent.contract.record import ClockState, Record, to_plain
from agent.contract.stream import Joined, Opened, Report, read, read_first
from agent.echo import message, packet
from agent.echo.problem import NoAnswer
from agent.errors import ConfigError as AgentConfigError
from agent.identity.enrolment import EnrolmentFailed
from agent.identity.enrolment import load as load_enrolment
from agent.plan.counters import HostCounters
from agent.plan.ledger import Ledger
from agent.plan.options import PlanOptions
from agent.probes.path import finding_of
from agent.spool.block import scan as spool_blocks
from agent.spool.block import unpack
from agent.spool.disk import Disk
from agent.spool.early import EarlyLog
from agent.throughput import iperf3, speedtest
from agent.trace import answer
from agent.trace.told import Method, read_told
from agent.web import certificate
from agent.web.response import BadResponse, Response
from agent.web.url import led_to, parse_url
from collector.checkpoint import check as check_checkpoints
from collector.config import load_config as load_collector
from collector.contracts.ledger import parse as parse_ledger
from collector.contracts.reader import read_contracts
from collector.cursor import read_file as read_cursor
from collector.disk import Disk as CollectorDisk
from collector.enrolment import load_csv_registry, load_registry
from collector.entry import read_frame
from collector.errors import ConfigError
from collector.evidence import manifest
from collector.reflector.capacity import Sessions
from collector.reflector.gate import Gate
from collector.reflector.options import GateOptions
from collector.registry import Registry, School
from collector.segment import MAGIC, Frame, Position, scan
from collector.sla.availability import Classes
from collector.sla.figures import Seen
from collector.sla.month import judge_month
from collector.sla.period import Month
from firmware_bridge.drivers import of_scheme
from firmware_bridge.drivers.apcupsd import reading as apcupsd_reading
from firmware_bridge.drivers.modem_manager import reading as managed_reading
from firmware_bridge.drivers.nmea import Nmea
from firmware_bridge.drivers.nut import reading as nut_reading
from firmware_bridge.drivers.starlink import GET_STATUS, METHOD
from firmware_bridge.drivers.starlink import reading as starlink_reading
from firmware_bridge.drivers.vedirect import reading as vedirect_reading
from firmware_bridge.protocols.apcupsd import Answer as ApcupsdAnswer
from firmware_bridge.protocols.apcupsd import NoStatus
from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.protocols.grpc import Call, CallFailed
from firmware_bridge.protocols.nmea import Sentences, checksum
from firmware_bridge.protocols.nut import Answer as NutAnswer
from firmware_bridge.protocols.nut import NoListing
from firmware_bridge.protocols.protobuf import BadMessage, Message
from firmware_bridge.protocols.vedirect import Blocks as VedirectBlocks
from firmware_bridge.reading import DeviceFailed, Identity
from tests.drivers import snmp_recording
from tests.parts import snmp_agent

Target = Callable[[bytes], None]

_SHM = "/dev/shm"
"""In memory; a disk would be asked a million times."""
_PAGE = parse_url("http://example.org/a/b?c")
TRACES = [answer.Flow(target="203.0.113.9", method=m, ident=40_000, port=443) for m in get_args(Method)]
"""One flow of each method."""
_SCHOOLS = Registry.of([School(id=f"kz-000{n}", operator="op1") for n in (1, 2, 3)], [])
_NOVEMBER = Month.parse("2026-11")
_QUESTION = message.write_question("example.org", ident=7)


def batch(data: bytes) -> None:
    """What is read of a batch is written and read again as the same, in both forms."""
    with contextlib.suppress(DecodeError):
        decoded = decode_batch(data)
        assert not any(r.problem.startswith(OWN_ERROR) for r in decoded.refused)
        read = decoded.batch
        assert decode_batch(encode(read, "json")).batch == read
        assert decode_batch(encode(read, "packed")).batch == read


def batch_json(data: bytes) -> None:
    """The readable form."""
    batch(b'{"v":1,' + data)


def batch_packed(data: bytes) -> None:
    """The packed form."""
    batch(b"\x01" + data)


def packed_columns(data: bytes) -> None:
    """The packed form without its compression, which hides every structure from a fuzzer."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[NEWEST])
    batch(bytes([FORMAT, NEWEST]) + squeeze.compress(data) + squeeze.flush())


def ack(data: bytes) -> None:
    """An acknowledgement is written and read again as the same."""
    with contextlib.suppress(DecodeError):
        read = decode_ack(data)
        assert decode_ack(encode_ack(read)) == read


def topic(data: bytes) -> None:
    """A topic that is accepted is the one its device would make."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(DecodeError):
        read = topics.parse(text)
        made = {"up": topics.up, "ack": topics.ack, "status": topics.status}
        assert read.leaf not in made or made[read.leaf](read.device) == text


def spool(data: bytes) -> None:
    """Blocks lie in the file; what is in one is whole records of one session, or refused."""
    for found in spool_blocks(data):
        if found.payload is not None:
            with contextlib.suppress(DecodeError):
                session, records = unpack(found.payload)
                assert session
                assert all(record.seq > 0 for record in records)


def journal(data: bytes) -> None:
    """Frames and damages stand one behind the other, up to the end."""
    at = len(MAGIC)
    for found in scan(lambda o, n: data[o : o + n], Position(1, at), len(data), None):
        assert found.at.offset == at
        assert found.end > at
        at = found.end
        if isinstance(found, Frame):
            _read_body(found)
    assert at >= len(data) or len(data) <= len(MAGIC)


def journal_entry(data: bytes) -> None:
    """The body of a frame whose check sum is right."""
    _read_body(Frame(Position(1, 8), 8 + len(data), b"", data))


def agent_config(data: bytes) -> None:
    """The agent's configuration."""
    with _file(data) as path, contextlib.suppress(AgentConfigError):
        load_agent(path, {})


def collector_config(data: bytes) -> None:
    """The collector's configuration."""
    with _file(data) as path, contextlib.suppress(ConfigError):
        load_collector(path, {})


def registry_toml(data: bytes) -> None:
    """Schools and devices in one file."""
    with _file(data) as path, contextlib.suppress(ConfigError):
        load_registry(path)


def registry_csv(data: bytes) -> None:
    """Schools and devices in two files; a NUL parts them."""
    schools, _, devices = data.partition(b"\0")
    with _file(schools) as first, _file(devices) as second, contextlib.suppress(ConfigError):
        load_csv_registry(first, second)


def enrolment_file(data: bytes) -> None:
    """What a technician brings is taken, or refused with a sentence."""
    with _file(data) as path, contextlib.suppress(EnrolmentFailed):
        given = load_enrolment(path)
        assert given.ca.startswith("-----BEGIN ")


def enrolment_message(data: bytes) -> None:
    """A request for a certificate, the first or the next, and the answer."""
    for kind in (EnrolmentRequest, RenewalRequest, Issued):
        with contextlib.suppress(DecodeError):
            read_message(kind, data)


def envelope(data: bytes) -> None:
    """A signed, tagged or chained payload is the one that is made of its parts."""
    with contextlib.suppress(DecodeError):
        assert seal(open_envelope(data)) == data


def early_log(data: bytes) -> None:
    """What an agent that was killed left in memory."""
    with _file(data) as path:
        log = EarlyLog(_Renamed(path), Path("/run/agent"), "0badcafe")
        assert all(record.seq > 0 for _, record in log.recover().records)


class _Renamed(Disk):
    """Another file in place of every one that is read, and nowhere to write."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, _path: Path, offset: int = 0, size: int | None = None) -> bytes:
        return super().read(self._file, offset, size)

    def make_directory(self, directory: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(directory))

    def remove(self, path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def checkpoints(data: bytes) -> None:
    """The journal's checkpoints, as somebody kept or changed them."""
    good, problem = check_checkpoints(data, key=None)
    assert problem is not None or len(good) == data.count(b"\n")


def cursor(data: bytes) -> None:
    """Up to where a sink was fed."""
    with _file(data) as path:
        at = read_cursor(path, CollectorDisk())
        assert at is None or str(at).encode() in data


def contracts(data: bytes) -> None:
    """Calendars and contracts; what is read has service time that can be counted."""
    with _file(data) as path, contextlib.suppress(ConfigError):
        for school, found in read_contracts([path], _SCHOOLS).by_school.items():
            for contract in found:
                judge_month(_NOVEMBER, Seen(classes=Classes(first=0, data=b"")), contract)
                assert contract.school == school


def exclusions(data: bytes) -> None:
    """The ledger of exclusions; whoever approved one did not propose it."""
    with contextlib.suppress(ConfigError):
        for exclusion in parse_ledger(data, "ledger").exclusions:
            assert exclusion.approved_by != exclusion.declared_by


def bundle_manifest(data: bytes) -> None:
    """Who signed a closed month, and what is in it."""
    with contextlib.suppress(ValueError, RecursionError):
        signed = manifest.parse(data)
        assert manifest.parse(manifest.written(signed)) == signed
    manifest.signature_problem(data, data, "00" * 32)


def dns(data: bytes) -> None:
    """A resolver's answer."""
    for kind in message.RecordType:
        with contextlib.suppress(message.BadMessage):
            read = message.read_answer(data, question=_QUESTION, kind=kind)
            assert len(read.addresses) <= max(read.answers, 0)


def icmp(data: bytes) -> None:
    """Whatever a raw socket may bring."""
    for family in (socket.AF_INET, socket.AF_INET6):
        for has_ip_header in (False, True):
            packet.read_answer(data, family, has_ip_header=has_ip_header)
        packet.quoted_request(data, family)


def http_response(data: bytes) -> None:
    """What a web server, or whoever sits before it, sends; cut anywhere, it says the same."""
    read = [_response(data, pieces) for pieces in (1 + len(data) // 7, 1 + len(data))]
    assert read[0] == read[1]


def web_address(data: bytes) -> None:
    """Where a redirect leads can be asked for, without a break in the request."""
    with contextlib.suppress(ValueError):
        there = led_to(_PAGE, data.decode("latin-1"))
        assert parse_url(str(there)) == there
        assert not set("\r\n ") & set(str(there))


def certificate_issuer(data: bytes) -> None:
    """Any certificate that a stranger shows."""
    issuer = certificate.issuer_of(data)
    assert issuer is None or len(issuer) <= 100


def trace_answer(data: bytes) -> None:
    """Whatever a raw socket may bring while a path is looked for."""
    for flow in TRACES:
        found = answer.read(flow, data)
        assert found is None or 0 <= found.number <= answer.NUMBERS


def trace_told(data: bytes) -> None:
    """What the child of the path probe says becomes a record that a receiver takes."""
    with contextlib.suppress(ValueError):
        fields = finding_of("203.0.113.9", read_told(data), 1500).fields
        decode(NetworkPath, to_plain(fields))


def capacity(data: bytes) -> None:
    """A message of the capacity test is written and read again as the same."""
    with contextlib.suppress(messages.BadDatagram):
        read = messages.read(data)
        if not isinstance(read, messages.Open | messages.Refused):
            assert messages.read(messages.write(read)) == read


def reflector(data: bytes) -> None:
    """Strangers' datagrams, each with its length before it: none is sent more than came, nobody is let in."""
    gate = Gate(GateOptions(token_public_key="00" * 32))
    sessions = Sessions(gate, max_mbps=100.0, now_s=lambda: 0.0)
    sent = at = 0
    while at < len(data):
        datagram = data[at + 1 : at + 1 + data[at] * 6]
        at += 1 + data[at] * 6
        answers = [*sessions.receive(datagram, ("203.0.113.7", 5000), 0, 0), *sessions.due(0)]
        sent += sum(len(answer.data) for answer in answers)
    assert sent <= len(data)
    assert gate.tests == 0


def clock(data: bytes) -> None:
    """What the agent knew of the time before a power cut."""
    with _file(data) as path:
        SavedClock(path).load()


def stream_line(data: bytes) -> None:
    """A line of a TCP test, whichever it is to be."""
    with contextlib.suppress(DecodeError):
        read_first(data)
    for kind in (Opened, Joined, Report):
        with contextlib.suppress(DecodeError):
            read(kind, data)


def tcp_info(data: bytes) -> None:
    """What a kernel tells of a connection."""
    for family in (socket.AF_INET, socket.AF_INET6):
        assert tcpinfo.parse(data, family).header_bytes >= 40


def ndt7_measurement(data: bytes) -> None:
    """What an NDT7 server tells."""
    found = ndt7.read(data)
    assert found.elapsed_us is None or found.elapsed_us >= 0


def iperf3_output(data: bytes) -> None:
    """What iperf3 writes."""
    with contextlib.suppress(NoAnswer):
        assert iperf3.read(data).mbps >= 0


def speedtest_output(data: bytes) -> None:
    """What speedtest-cli writes."""
    with contextlib.suppress(NoAnswer):
        found = speedtest.parse(data)
        assert found.down_mbps or found.up_mbps


def plan(data: bytes) -> None:
    """What was used of the month's data plan before a power cut."""
    with _file(data) as path:
        clock_state = ClockState(wall_ms=0, mono_ms=0, boot="0badcafe")
        Ledger(path, PlanOptions(), HostCounters("none"), lambda: clock_state)


def at_reply(data: bytes) -> None:
    """What comes from a serial port says the same whole and one byte at a time."""
    for command in ("AT+CSQ", "AT+CGMM"):
        whole, piecewise = Exchange(command), Exchange(command)
        read = next((r for at in range(len(data)) if (r := piecewise.feed(data[at : at + 1]))), None)
        assert whole.feed(data) == read


def modem(data: bytes) -> None:
    """Whatever a modem answers, to every question, each driver makes a record of that a receiver takes."""
    for driver in of_scheme("serial"):
        known = Identity(maker=driver.maker, model="RM500Q-GL")
        fields = driver.read(_Parrot(data), "modem", known).fields[0]
        plain = to_plain(Record(seq=1, kind="modem", clock=_CLOCK, duration_ms=0, fields=fields))
        assert plain["kind"] == "modem"


class _Parrot:
    """Says the same to every question."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def ask(self, command: str) -> Reply:
        prefix = command.removeprefix("AT").partition("=")[0].rstrip("?").encode()
        lines = [b"\r\n" + prefix + b": " + line for line in self._data.split(b"\n")]
        return Exchange(command).feed(b"".join(lines) + b"\r\nOK\r\n") or Reply(())


_CLOCK = ClockState(wall_ms=0, mono_ms=0, boot="00000000", age_s=None)


def snmp(data: bytes) -> None:
    """Whatever an SNMP agent has, as lines of a recording, becomes records that a receiver takes."""
    values = {}
    for line in data.split(b"\n"):
        with contextlib.suppress(ValueError, IndexError, KeyError):
            name, item = snmp_agent.line_of(line.decode())
            values[name] = snmp_recording.told(item)
    with contextlib.suppress(DeviceFailed):
        for fields in snmp_recording.read_values(values).fields:
            _keep(fields)


def modem_manager(data: bytes) -> None:
    """Whatever mmcli writes."""
    with contextlib.suppress(ValueError, RecursionError):
        told = json.loads(data)
        if isinstance(told, dict):
            managed_reading(told, "modem")


def vedirect(data: bytes) -> None:
    """Whatever a Victron device says is the same whole and one byte at a time, and can be kept."""
    blocks, whole = VedirectBlocks(), VedirectBlocks().feed(data)
    assert [b for at in range(len(data)) for b in blocks.feed(data[at : at + 1])] == whole
    for block in whole:
        _keep(vedirect_reading(block, "solar").fields[0])


def vedirect_block(data: bytes) -> None:
    """Any block whose sum is right, of any fields and values."""
    pairs = [line.split("\t", 1) for line in data.decode("latin-1").splitlines() if "\t" in line]
    _keep(vedirect_reading(dict(pairs), "solar").fields[0])


def nmea(data: bytes) -> None:
    """Whatever a receiver says is the same whole and one byte at a time, and can be kept."""
    sentences = Sentences()
    pieces = [repr(s) for at in range(len(data)) for s in sentences.feed(data[at : at + 1])]
    assert pieces == [repr(s) for s in Sentences().feed(data)]
    with contextlib.suppress(DeviceFailed):
        _keep(Nmea(lambda: 0).read(_Talk((data,)), "gps").fields[0])


def nmea_body(data: bytes) -> None:
    """Any sentences whose sums are right."""
    summed = [b"$%s*%02X\r\n" % (body, checksum(body)) for body in data.split(b"\n")]
    nmea(b"".join(summed))


def nut(data: bytes) -> None:
    """Whatever an upsd answers, whole and one byte at a time."""
    with contextlib.suppress(NoListing):
        answer = NutAnswer()
        listing = next((a for at in range(len(data)) if (a := answer.feed(data[at : at + 1]))), None)
        assert listing == NutAnswer().feed(data)
        if listing is not None:
            _keep(nut_reading(listing.rows, "ups").fields[0])


def apcupsd(data: bytes) -> None:
    """Whatever an apcupsd answers, whole and one byte at a time."""
    with contextlib.suppress(NoStatus):
        answer = ApcupsdAnswer()
        lines = next((a for at in range(len(data)) if (a := answer.feed(data[at : at + 1]))), None)
        assert lines == ApcupsdAnswer().feed(data)
        if lines is not None:
            _keep(apcupsd_reading(lines, "ups").fields[0])


def starlink(data: bytes) -> None:
    """Whatever a satellite terminal answers; a NUL parts status and history."""
    parts = data.split(b"\0\0\0", 1)
    with contextlib.suppress(BadMessage):
        status, history = Message(parts[0]), Message(parts[-1])
        _keep(starlink_reading(status, history, "dish").fields[0])


def grpc(data: bytes) -> None:
    """Whatever an HTTP/2 server sends, whole and one byte at a time."""
    told = [_called([data]), _called([data[at : at + 1] for at in range(len(data))])]
    assert told[0] == told[1]


def _called(pieces: list[bytes]) -> bytes | None:
    call, found = Call("127.0.0.1:9200", METHOD, GET_STATUS), None
    call.begin()
    for piece in pieces:
        try:
            answer, _ = call.feed(piece)
        except CallFailed:
            return found
        found = answer if found is None else found
    return found


class _Talk:
    """A device that says this."""

    path = "/dev/talk"

    def __init__(self, chunks: tuple[bytes, ...]) -> None:
        self._chunks = chunks

    def pieces(self) -> Iterator[bytes]:
        return iter(self._chunks)


def _keep(fields: Fields) -> None:
    """It becomes a record that a receiver takes."""
    assert decode(type(fields), to_plain(fields)) == fields


TARGETS: dict[str, Target] = {
    f.__name__: f
    for f in (
        batch_json,
        batch_packed,
        packed_columns,
        ack,
        topic,
        spool,
        journal,
        journal_entry,
        agent_config,
        collector_config,
        registry_toml,
        registry_csv,
        enrolment_file,
        enrolment_message,
        envelope,
        early_log,
        checkpoints,
        cursor,
        contracts,
        exclusions,
        bundle_manifest,
        dns,
        icmp,
        http_response,
        web_address,
        certificate_issuer,
        trace_answer,
        trace_told,
        clock,
        stream_line,
        tcp_info,
        ndt7_measurement,
        iperf3_output,
        speedtest_output,
        plan,
        capacity,
        reflector,
        at_reply,
        modem,
        snmp,
        modem_manager,
        starlink,
        grpc,
        nut,
        apcupsd,
        vedirect,
        vedirect_block,
        nmea,
        nmea_body,
    )
}


def _response(data: bytes, pieces: int) -> object:
    response = Response(keep_bytes=100)
    try:
        for at in range(0, len(data), pieces):
            response.feed(data[at : at + pieces])
    except BadResponse:
        return None
    assert len(response.body) <= min(100, response.body_bytes)
    return response.status, response.headers, response.body, response.body_bytes, response.is_complete


def _read_body(frame: Frame) -> None:
    with contextlib.suppress(DecodeError):
        read_frame(frame)


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[Path]:
    """The bytes as a file."""
    fd, name = tempfile.mkstemp(dir=_SHM if os.path.isdir(_SHM) else None)  # noqa: PTH112
    try:
        os.write(fd, data)
        os.close(fd)
        yield Path(name)
    finally:
        os.unlink(name)  # noqa: PTH108
