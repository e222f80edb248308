# SPDX-License-Identifier: Apache-2.0
"""From which well-formed inputs does a fuzzer begin? Beside these it has what `corpus/` keeps."""

from __future__ import annotations

import socket
import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import h2.config
import h2.connection
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.clock.offset import Offset
from agent.clock.saved import Saved, SavedClock
from agent.contract import ndt7, tcpinfo, topics
from agent.contract.capacity import message as messages
from agent.contract.capacity.legs import Leg
from agent.contract.codec import encode_ack
from agent.contract.dictionary import DICTIONARIES
from agent.contract.enrolment import (
    EnrolmentFile,
    EnrolmentRequest,
    Issued,
    RenewalRequest,
    encode,
    write_file,
)
from agent.contract.envelope import CHAIN_BYTES, KEY_ID_BYTES, TAG_BYTES, Chained, Envelope, Tagged, seal
from agent.contract.record import Ack, ClockState, Record
from agent.contract.stream import Join, Joined, Open, Opened, Report, write
from agent.echo import message, packet
from agent.plan.counters import HostCounters
from agent.plan.ledger import Ledger
from agent.plan.options import PlanOptions
from agent.spool.block import frame, pack
from agent.spool.disk import Disk
from agent.spool.early import EarlyLog
from agent.trace import told
from agent.trace.told import Hop, Told
from collector.checkpoint import Checkpoints
from collector.contracts.ledger import add
from collector.cursor import FileCursor
from collector.entry import Header, NewEntry, entry_body, header_body
from collector.evidence.manifest import Extent, Manifest, line_of, written
from collector.segment import MAGIC, End, Position, make_frame
from collector.sla.exclusion import Verb
from firmware_bridge.drivers.starlink import GET_STATUS, METHOD
from firmware_bridge.protocols.grpc import Call, framed
from tests.contract.vectors import BATCHES
from tests.drivers import dishes, snmp_recording, talks, transcript, upses
from tests.fuzz.targets import TRACES
from tests.parts import tls_site
from tests.unit.collector.contracts.acts import act, proposal

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
CORPUS = HERE / "corpus"


def seeds(target: str) -> list[bytes]:
    """Inputs of a target, its corpus included."""
    return [*_MADE[target](), *(p.read_bytes() for p in sorted((CORPUS / target).glob("*")))]


def _vectors(suffix: str, prefix: int) -> list[bytes]:
    paths = sorted((TREE / "tests" / "contract" / "vectors").glob(f"*.{suffix}"))
    return [p.read_bytes()[prefix:] for p in paths]


def _bodies() -> list[bytes]:
    """Packed batches, inflated."""
    return [
        zlib.decompressobj(-15, DICTIONARIES[data[0]]).decompress(data[1:]) for data in _vectors("packed", 1)
    ]


def _acks() -> list[bytes]:
    made = Ack(session="00000000000000aa", up_to_seq=7, wall_ms=1_790_000_000_000, ranges=((9, 12),))
    return [encode_ack(made)]


def _topics() -> list[bytes]:
    return [f("kz-1").encode() for f in (topics.up, topics.ack, topics.status, topics.config, topics.cmd)]


def _spool() -> list[bytes]:
    data = frame(pack("00000000000000aa", sorted(_records(), key=lambda r: r.seq)))
    return [data, data[:-7], data[:100] + data[103:]]


def _records() -> Iterable[Record]:
    """One of each number, as a session has them."""
    return {record.seq: record for batch in BATCHES.values() for record in batch.records}.values()


def _bodies_of_entries() -> list[bytes]:
    entry = NewEntry(
        received_ms=1_790_000_000_000,
        device="kz-1",
        session="00000000000000aa",
        new=((1, 5), (9, 9)),
        payload=b"\x01\x01payload",
    )
    header = Header(next_number=3, began_ms=1, seen={"kz-1": {"00000000000000aa": ((1, 5),)}})
    return [entry_body(entry, 3), header_body(header)]


def _journal() -> list[bytes]:
    at, chain, frames = Position(1, len(MAGIC)), b"\0" * 32, []
    for body in reversed(_bodies_of_entries() * 2):
        frame, chain = make_frame(body, at, chain)
        at = Position(1, at.offset + len(frame))
        frames.append(frame)
    data = MAGIC + b"".join(frames)
    return [data, data[:-9], data[:60] + b"?" + data[61:]]


def _files(*patterns: str) -> list[bytes]:
    return [p.read_bytes() for pattern in patterns for p in sorted(TREE.glob(pattern))]


def _manifest() -> list[bytes]:
    extent = Extent(first_segment=1, entries_before=0, entries=9, end="000001:77", root="00" * 32)
    made = Manifest(
        month="2026-11",
        revision=2,
        previous="aa" * 32,
        data_sha256="bb" * 32,
        configuration_sha256="cc" * 32,
        code="0.1.0+0123456789ab",
        journal=extent,
        key="dd" * 32,
        files=(line_of("csv/schools.csv", b"id"),),
    )
    return [written(made)]


def _csv() -> list[bytes]:
    schools = b"id,name,country,region,operator,technology,contract\ns-1,One,kz,east,op,lte,c1\n"
    devices = b"id,school,from,to\nkz-1,s-1,2026-01-01,2026-09-01T00:00:00+05:00\nkz-1,s-1,2026-09-02,\n"
    return [schools + b"\0" + devices]


def _enrolment() -> EnrolmentFile:
    return EnrolmentFile(
        device="kz-1",
        token="t" * 43,
        enrol_url="https://centre.test:8884/enrol",
        broker_host="centre.test",
        broker_port=8883,
        expires_at="2026-12-01",
        ca=tls_site.issuer("Root").certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def _enrolment_messages() -> list[bytes]:
    csr, signature = "-----BEGIN CERTIFICATE REQUEST-----", "ab" * 64
    first = EnrolmentRequest(
        device="kz-1", token="t" * 43, csr=csr, signing_key="cd" * 32, signature=signature
    )
    certificate = Issued(certificate="-----BEGIN CERTIFICATE-----", not_before_s=1, not_after_s=9)
    said = (first, RenewalRequest(csr=csr, signature=signature), certificate, Issued(refused="no"))
    return [encode(each) for each in said]


def _envelopes() -> list[bytes]:
    return [
        seal(Envelope(bytes(KEY_ID_BYTES), bytes(64), b"{}")),
        seal(Tagged(bytes(TAG_BYTES), b"{}")),
        seal(Chained(3, bytes(CHAIN_BYTES), bytes(64), b"{}")),
    ]


def _early() -> list[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        log = EarlyLog(Disk(), Path(directory), "0badcafe")
        log.recover()
        for record in list(_records())[:3]:
            log.add("00000000000000aa", record)
        log.close()
        return _files_in(directory)


def _checkpoints() -> list[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        made = Checkpoints(Path(directory), Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
        for day in (1, 2):
            made.make_if_due(End(Position(1, 100 * day), bytes(32), day), f"2026-11-0{day}")
        return _files_in(directory)


def _cursor() -> list[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        cursor = FileCursor(None, Path(directory, "sink"))  # type: ignore[arg-type]  # only its file is used
        cursor.save(Position(3, 4096))
        return _files_in(directory)


def _files_in(directory: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(directory).iterdir())]


def _ledger() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger"
        add(file, proposal("E-1", "A"), "a")
        add(file, act(Verb.APPROVE, "B", "E-1"), "b")
        return [file.read_bytes(), file.read_bytes()[:-20]]


def _dns() -> list[bytes]:
    question = message.write_question("example.org", ident=7)
    head = question[:2] + b"\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00" + question[12:]
    address = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04"
    alias = b"\x03www\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c"
    return [head + address + address, head + alias + address, head[:2] + b"\x81\x83" + head[4:]]


def _icmp() -> list[bytes]:
    token = b"12345678"
    request = packet.write_request(socket.AF_INET, ident=5, seq=6, token=token)
    answer = b"\0" + request[1:]
    return [request, answer, b"\x45" + b"\0" * 19 + answer, b"\x81" + request[1:]]


def _responses() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    away = b"HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n"
    return [head + b"Content-Length: 5\r\n\r\nhello", head + chunks, away, head + b"\r\nuntil the end"]


def _traces() -> list[bytes]:
    """Errors that quote a packet of each flow, and the target's own answers."""
    import socket  # noqa: PLC0415

    us, them, router = map(socket.inet_aton, ("192.168.77.10", TRACES[0].target, "100.64.0.1"))
    bodies = {
        1: b"\x08\0\0\0\x9c\x40\0\7",
        17: b"\x9c\x40\x01\xbb\0\x0a\0\0",
        6: b"\x9c\x40\x01\xbb\x9c\x40\0\7",
    }

    def packet(protocol: int, source: bytes, to: bytes, body: bytes) -> bytes:
        return b"\x45\0\0\x1c\0\7\x40\0\x01" + bytes([protocol]) + b"\0\0" + source + to + body

    quotes = [packet(protocol, us, them, body) for protocol, body in bodies.items()]
    kinds = (b"\x0b\0\0\0\0\0\0\0", b"\3\4\0\0\0\0\5\x78", b"\3\3\0\0\0\0\0\0")
    errors = [packet(1, router, us, kind + quote) for kind in kinds for quote in quotes]
    syn_ack = b"\x01\xbb\x9c\x40" + bytes(4) + b"\x9c\x40\0\x08\x50\x12" + bytes(6)
    own = [packet(1, them, us, b"\0\0\0\0\x9c\x40\0\7"), packet(6, them, us, syn_ack)]
    return errors + own


def _told() -> list[bytes]:
    first = Hop(ttl=1, asked=3, answered=3, address="192.168.77.1", rtt_ms=0.3)
    hops = (first, Hop(ttl=2, asked=3, answered=0))
    return [
        told.write(Told(method="icmp", reached=True, hops=hops, mtu_bytes=1400, operator_rtts_ms=(1.0, 2.5)))
    ]


def _certificates() -> list[bytes]:
    return [tls_site.issuer("Root of Tests").certificate.public_bytes(serialization.Encoding.DER)]


def _clock() -> list[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "clock")
        file = SavedClock(path)
        file.save(Saved("0badcafe", 10, 1_790_000_000_000, None))
        file.save(Saved("0badcafe", 20, 1_790_000_000_000, Offset(5, 6, 7, "kernel")))
        return [path.read_bytes()]


def _lines() -> list[bytes]:
    said = (
        Open(open="sp1.kz-1.1.x", bytes=5),
        Opened(session="abc", bytes=5, seconds=1.0),
        Join(join="abc", direction="up"),
        Joined(ok=True, congestion="bbr"),
        Report(at_us=5, segments=7, segment_bytes=1500, received_bytes=10_000),
    )
    return [write(message) for message in said]


def _ndt7() -> list[bytes]:
    info = tcpinfo.parse(bytes(232), socket.AF_INET)
    return [
        ndt7.write(
            test="upload", elapsed_s=1.0, app_bytes=5, info=info, ends=("[::1]:5", "1.2.3.4:5")
        ).encode()
    ]


_IPERF3 = b"""{"start":{},"end":{"streams":[{"sender":{"mean_rtt":20000}}],"sum_sent":{"bits_per_second":1e7},
"sum_received":{"seconds":10.0,"bytes":12000000,"bits_per_second":9600000.0}}}"""
_SPEEDTEST = b"""{"download":9600000.5,"upload":4800000.1,"ping":20.1,"server":{"id":"7"},
"bytes_sent":6000000,"bytes_received":12000000,"timestamp":"2026-01-01T00:00:00Z"}"""


def _plan() -> list[bytes]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "plan")
        clock = ClockState(wall_ms=1_790_000_000_000, mono_ms=10, boot="0badcafe", age_s=0)
        ledger = Ledger(path, PlanOptions(), HostCounters("lo"), lambda: clock)
        ledger.look()
        ledger.begin(1000)
        ledger.end(500)
        return [path.read_bytes()]


def _capacity() -> list[bytes]:
    session = bytes(range(8))
    made: list[messages.Message] = [
        messages.Hello(session),
        messages.Cookie(session, bytes(16)),
        messages.Open(session, bytes(16), 10**6, "sp1.kz-1.9999999999." + "A" * 86),
        messages.Opened(session, session, 10**6, 60_000, 10**6),
        messages.Refused(session, 30, "busy"),
        messages.Ping(session, 3),
        messages.Send(session, 1, (Leg(8, 400, 1000), Leg(9, 1400, 0))),
        messages.Ask(session, 1, 0, 4),
        messages.Report(session, 1, 2, 0, 0, ((0, 0), (1, 1120))),
        messages.Bye(session),
    ]
    return [messages.write(message) for message in made]


def _reflector() -> list[bytes]:
    return [b"".join(bytes([12]) + data.ljust(72, b"\0")[:72] for data in _capacity())]


def _modems() -> list[bytes]:
    """Answers of every recorded modem, without prefixes."""
    lines = [line for name in transcript.NAMES for a in transcript.load(name).answers.values() for line in a]
    return [line.partition(": ")[2].encode() for line in lines if ": " in line]


def _managed() -> list[bytes]:
    return [p.read_bytes() for p in sorted((TREE / "tests/drivers/fixtures/mmcli").glob("*.json"))]


def _talks(scheme: str) -> list[bytes]:
    """One round of every recorded device that talks by itself."""
    return [talks.bytes_of(name) for name in talks.NAMES if name.startswith(scheme)]


def _upses(scheme: str) -> list[bytes]:
    """What the server of every recorded UPS answers."""
    return [upses.bytes_of(name) for name in upses.NAMES if name.startswith(scheme)]


def _dishes() -> list[bytes]:
    """Statuses and histories, each without its envelope."""
    told = [dishes.responses(name) for name in dishes.NAMES]
    return [b"\0\0\0".join(_inner(answer) for answer in answers.values()) for answers in told]


def _inner(answer: bytes) -> bytes:
    """Behind two bytes of a number of field, and its length."""
    return answer[3:] if answer[2] < 0x80 else answer[4:]


def _http2() -> list[bytes]:
    """What a server answers: its settings, headers, a message, trailers."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    call = Call("127.0.0.1:9200", METHOD, GET_STATUS)
    server.receive_data(call.begin())
    server.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    server.send_data(1, framed(b"\x08\1"))
    server.send_headers(1, [("grpc-status", "0")], end_stream=True)
    return [server.data_to_send()]


_MADE: dict[str, Callable[[], list[bytes]]] = {
    "at_reply": lambda: [b"\r\n+CSQ: 18,99\r\n\r\nOK\r\n", b"AT+CGMM\r\r\nEC25\r\n+CREG: 1\r\nOK\r\n"],
    "modem": _modems,
    "snmp": lambda: [file.read_bytes() for file in sorted(snmp_recording.FOLDER.glob("*.snmprec"))],
    "modem_manager": _managed,
    "starlink": _dishes,
    "grpc": _http2,
    "nut": lambda: [*_upses("nut"), b"ERR DATA-STALE\n"],
    "apcupsd": lambda: _upses("apcupsd"),
    "vedirect": lambda: _talks("vedirect"),
    "vedirect_block": lambda: [data.rpartition(b"\r\n")[0] for data in _talks("vedirect")],
    "nmea": lambda: _talks("nmea"),
    "nmea_body": lambda: [data.replace(b"$", b"") for data in _talks("nmea")],
    "batch_json": lambda: [v.partition(b",")[2] for v in _vectors("json", 0)],
    "batch_packed": lambda: _vectors("packed", 1),
    "packed_columns": _bodies,
    "ack": _acks,
    "topic": _topics,
    "spool": _spool,
    "journal": _journal,
    "journal_entry": _bodies_of_entries,
    "agent_config": lambda: _files("deploy/agent.example.toml", "tests/unit/agent/invalid/*.toml"),
    "collector_config": lambda: _files(
        "deploy/collector.example.toml", "tests/unit/collector/invalid/*.toml"
    ),
    "registry_toml": lambda: _files("deploy/collector/registry.toml"),
    "registry_csv": _csv,
    "enrolment_file": lambda: [write_file(_enrolment()).encode()],
    "enrolment_message": _enrolment_messages,
    "envelope": _envelopes,
    "early_log": _early,
    "checkpoints": _checkpoints,
    "cursor": _cursor,
    "contracts": lambda: _files(
        "deploy/contracts.example.toml", "tests/unit/collector/contracts/invalid/*.toml"
    ),
    "exclusions": _ledger,
    "bundle_manifest": _manifest,
    "dns": _dns,
    "icmp": _icmp,
    "http_response": _responses,
    "web_address": lambda: [b"/login?a=b#c", b"//portal.test:81/x", b"https://[2001:db8::1]/", b"../up"],
    "certificate_issuer": _certificates,
    "trace_answer": _traces,
    "trace_told": _told,
    "clock": _clock,
    "stream_line": _lines,
    "tcp_info": lambda: [bytes(range(232)), bytes(104)],
    "ndt7_measurement": _ndt7,
    "iperf3_output": lambda: [_IPERF3, b'{"error":"error - the server is busy running a test"}'],
    "speedtest_output": lambda: [_SPEEDTEST],
    "plan": _plan,
    "capacity": _capacity,
    "reflector": _reflector,
}
