# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Callable

import pytest

from agent.contract.reason import Reason
from agent.echo import icmp
from agent.echo.address import parse
from agent.echo.icmp import EchoLine, icmp_permission
from agent.echo.ledger import Ledger, Outcome
from agent.echo.plan import Ask
from tests.unit.agent.echo.peers import ScriptedSocket, echo, silence

HOST = parse("127.0.0.9")


def line_over(monkeypatch: pytest.MonkeyPatch, sock: ScriptedSocket) -> tuple[EchoLine, Ledger]:
    ledger = Ledger([Ask(0, HOST)] * 2, 1)
    monkeypatch.setattr(socket, "socket", lambda *_: sock)
    line = EchoLine(socket.AF_INET, ledger)
    monkeypatch.undo()
    return line, ledger


def ask_one(monkeypatch: pytest.MonkeyPatch, sock: ScriptedSocket) -> Outcome:
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    line.read()
    return ledger.outcomes()[0]


def test_answer_of_the_host_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = ask_one(monkeypatch, ScriptedSocket(echo))
    assert outcome.rtt_ms is not None
    assert outcome.reason is None


def test_second_answer_is_a_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_one(monkeypatch, ScriptedSocket(lambda request, _: echo(request) * 3)).duplicates == 2


@pytest.mark.parametrize(
    "network",
    [
        lambda request, _: [b"\0" + request[1:-1] + b"?"],  # another token
        lambda request, _: [b"\0" + request[1:6] + b"\0\1" + request[8:]],  # a place not yet asked
        lambda request, _: [b"\0" + request[1:6] + b"\xff\xff" + request[8:]],  # no place of the plan
        lambda request, _: [request],  # our own request
        lambda _request, _: [b"", b"\0", b"\0" * 500],
    ],
)
def test_foreign_answer_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, network: Callable[[bytes, str], list[bytes]]
) -> None:
    assert ask_one(monkeypatch, ScriptedSocket(network)).reason == Reason.TIMEOUT


def test_answer_of_another_host_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_one(monkeypatch, ScriptedSocket(echo, host="127.0.0.10")).reason == Reason.TIMEOUT


@pytest.mark.parametrize(("change", "answered"), [(b"", True), (b"\xaa\xbb", False)])
def test_raw_socket_looks_behind_the_ip_header_and_at_the_identifier(
    monkeypatch: pytest.MonkeyPatch, change: bytes, *, answered: bool
) -> None:
    def network(request: bytes, _: str) -> list[bytes]:
        ident = bytes(a ^ b for a, b in zip(request[4:6], change or b"\0\0", strict=True))
        return [b"\x45" + bytes(19) + b"\0" + request[1:4] + ident + request[6:]]

    sock = ScriptedSocket(network, kind=socket.SOCK_RAW)
    assert ask_one(monkeypatch, sock).answered is answered


def test_a_datagram_socket_is_not_asked_for_its_identifier_which_the_kernel_chose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def network(request: bytes, _: str) -> list[bytes]:
        return [b"\0" + request[1:4] + bytes([request[4] ^ 1]) + request[5:]]

    assert ask_one(monkeypatch, ScriptedSocket(network)).answered


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_RAW])
def test_answers_by_ipv6_have_no_ip_header(monkeypatch: pytest.MonkeyPatch, kind: socket.SocketKind) -> None:
    host = parse("::9")
    ledger = Ledger([Ask(0, host)], 1)
    sock = ScriptedSocket(lambda request, _: [b"\x81" + request[1:]], family=socket.AF_INET6, kind=kind)
    monkeypatch.setattr(socket, "socket", lambda *_: sock)
    line = EchoLine(socket.AF_INET6, ledger)
    monkeypatch.undo()
    line.send(0, host)
    line.read()
    assert ledger.outcomes()[0].answered


def test_a_closed_line_gives_its_socket_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = ScriptedSocket(silence)
    line_over(monkeypatch, sock)[0].close()
    assert sock.closed


def test_an_error_of_this_host_about_an_earlier_request_is_taken_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until it is asked for, the kernel reports a pending error for whatever is sent next."""
    asked: list[tuple[object, ...]] = []

    class Asked(ScriptedSocket):
        def getsockopt(self, *what: object) -> int:
            asked.append((*what, len(self.sent)))
            return 0

    line_over(monkeypatch, Asked(echo))[0].send(0, HOST)
    assert asked == [(socket.SOL_SOCKET, socket.SO_ERROR, 0)]


def test_kernel_stamps_of_both_ends_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = ScriptedSocket(silence)
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    at = ledger.sent_at(0)
    assert at is not None
    while time.monotonic_ns() < at.mono_ns + 40_000_000:
        pass
    sock.fail(b"frame" + sock.sent[0], "", origin=4)
    sock.errors[0][1].append(stamp_at(at.wall_ns + 5_000_000))
    sock.answers.append((echo(sock.sent[0])[0], [stamp_at(at.wall_ns + 35_000_000)], 0, (HOST.host, 0)))
    line.read()
    assert ledger.outcomes()[0].rtt_ms == pytest.approx(30, abs=0.2)


def test_stamp_of_something_else_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = ScriptedSocket(echo)
    sock.fail(b"whatever frame", "", origin=4)
    sock.fail(b"whatever error", HOST.host, origin=1)
    sock.errors.append((b"", [(0, 0, b"")], 0, ("", 0)))
    assert ask_one(monkeypatch, sock).rtt_ms is not None


def test_icmp_error_about_our_request_makes_it_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = ScriptedSocket(silence)
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    sock.answers.append(OSError(errno.EHOSTUNREACH, "No route to host"))
    sock.fail(sock.sent[0][:8], HOST.host)
    line.read()
    assert ledger.outcomes()[0] == Outcome(address=HOST, reason=Reason.UNREACHABLE)


@pytest.mark.parametrize(
    ("quoted", "host", "kind"),
    [
        (b"\x08\0\0\0\0\0\0\0", "127.0.0.10", socket.SOCK_DGRAM),
        (b"\x08\0\0\0\0\0\0\1", HOST.host, socket.SOCK_DGRAM),
        (b"\x11\0\0\0\0\0\0\0", HOST.host, socket.SOCK_DGRAM),
        (b"\x08", HOST.host, socket.SOCK_DGRAM),
    ],
)
def test_icmp_error_about_something_else_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, quoted: bytes, host: str, kind: socket.SocketKind
) -> None:
    sock = ScriptedSocket(silence, kind=kind)
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    sock.fail(quoted, host)
    line.read()
    assert ledger.outcomes()[0].reason == Reason.TIMEOUT


@pytest.mark.parametrize("origin", [0, 1, 5])
def test_an_error_that_did_not_come_from_the_network_makes_nothing_unreachable(
    monkeypatch: pytest.MonkeyPatch, origin: int
) -> None:
    sock = ScriptedSocket(silence)
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    sock.fail(sock.sent[0][:8], HOST.host, origin=origin)
    line.read()
    assert ledger.outcomes()[0].reason == Reason.TIMEOUT


def test_what_only_looks_like_an_icmp_error_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = ScriptedSocket(silence)
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    error = struct.pack("=IBBBBII", 113, 2, 3, 1, 0, 0, 0)
    for ancillary in ((socket.IPPROTO_IP, 8, error), (socket.SOL_SOCKET, 11, error), (0, 11, error[:8])):
        sock.errors.append((sock.sent[0][:8], [ancillary], 0, (HOST.host, 0)))
    line.read()
    assert ledger.outcomes()[0].reason == Reason.TIMEOUT


def test_icmp_error_for_another_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = ScriptedSocket(silence, kind=socket.SOCK_RAW)
    line, ledger = line_over(monkeypatch, sock)
    line.send(0, HOST)
    ident = sock.sent[0][4] ^ 1
    sock.fail(sock.sent[0][:4] + bytes([ident]) + sock.sent[0][5:], HOST.host)
    line.read()
    assert ledger.outcomes()[0].reason == Reason.TIMEOUT


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENETUNREACH, Reason.NETWORK_DOWN), (errno.EPERM, Reason.NOT_PERMITTED)],
)
def test_request_that_cannot_be_sent_says_why(
    monkeypatch: pytest.MonkeyPatch, number: int, reason: Reason
) -> None:
    def network(_request: bytes, _host: str) -> list[bytes]:
        raise OSError(number, "no")

    assert ask_one(monkeypatch, ScriptedSocket(network)) == Outcome(address=HOST, sent=False, reason=reason)


def test_family_without_sockets_fails_each_of_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "no IPv6 here")

    ledger = Ledger([Ask(0, HOST)], 1)
    monkeypatch.setattr(socket, "socket", no_socket)
    line = EchoLine(socket.AF_INET6, ledger)
    line.send(0, HOST)
    line.read()
    line.close()
    assert ledger.outcomes()[0].reason == Reason.NETWORK_DOWN


def test_raw_socket_lets_only_answers_through() -> None:
    (_, _, answers_4), (_, _, answers_6) = icmp._ONLY_ANSWERS.values()
    (mask,) = struct.unpack("=I", answers_4)
    words = struct.unpack("=8I", answers_6)
    assert [kind for kind in range(32) if not mask >> kind & 1] == [0]
    assert [kind for kind in range(256) if not words[kind >> 5] >> (kind & 31) & 1] == [129]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [({socket.SOCK_DGRAM, socket.SOCK_RAW}, "datagram"), ({socket.SOCK_RAW}, "raw"), (set(), "denied")],
)
def test_permission_is_the_first_kind_of_socket_that_opens(
    monkeypatch: pytest.MonkeyPatch, allowed: set[socket.SocketKind], expected: str
) -> None:
    def opened(_family: int, kind: socket.SocketKind, _protocol: int) -> ScriptedSocket:
        if kind not in allowed:
            raise PermissionError
        return ScriptedSocket(silence)

    monkeypatch.setattr(socket, "socket", opened)
    assert icmp_permission() == expected


def stamp_at(wall_ns: int) -> tuple[int, int, bytes]:
    seconds, nanoseconds = divmod(wall_ns, 10**9)
    return (socket.SOL_SOCKET, 65, struct.pack("=6q", seconds, nanoseconds, 0, 0, 0, 0))
