# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from agent.contract.reason import Reason
from agent.echo import ask as asking
from agent.echo import icmp
from agent.echo import knock as knocking
from agent.echo.address import Address, parse
from agent.echo.ask import Answers, ask
from agent.echo.ledger import Outcome
from agent.echo.plan import Ask, evenly
from agent.echo.way import FAR
from tests.unit.agent.echo.peers import free_port, listening

ONE, TWO, NOBODY = parse("127.0.0.1"), parse("127.0.0.2"), parse("127.0.0.9")


@pytest.fixture(autouse=True)
def _nobody_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(knocking.NOBODY, socket.AF_INET, NOBODY)


@pytest.fixture
def everybody_port() -> Iterator[int]:
    """Each address accepts connections there, as an accelerator does."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def echoing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """ICMP sockets are UDP sockets, answered after the delays of the list; without one, never."""
    delays: list[float] = []
    opened: list[socket.socket] = []

    def open_pair(_family: Address) -> tuple[socket.socket, Reason]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)
        theirs.setblocking(False)
        opened.extend((ours, theirs))
        asyncio.get_running_loop().add_reader(theirs, answer, theirs)
        return PairSocket(ours), Reason.INTERNAL

    def answer(theirs: socket.socket) -> None:
        request = theirs.recv(512)
        if delays:
            asyncio.get_running_loop().call_later(delays.pop(0), theirs.send, b"\0" + request[1:])

    monkeypatch.setattr(icmp, "_opened", open_pair)
    monkeypatch.setattr(asking, "icmp_permission", lambda: "datagram")
    yield delays
    assert all(sock.fileno() == -1 for sock in opened[::2])
    for sock in opened:
        sock.close()


class PairSocket(socket.socket):
    """One end of a socket pair that takes and gives addresses like an ICMP socket."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(fileno=sock.detach())
        self.hosts: list[str] = []

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:  # type: ignore[override]
        self.hosts.append(address[0])
        return self.send(data)

    def recvmsg(
        self, size: int, _ancillary: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, object]:
        if flags:
            raise BlockingIOError
        data = super().recv(size)
        return data, [], 0, (self.hosts[int.from_bytes(data[6:8], "big")], 0)


async def test_round_ends_as_soon_as_all_have_answered(echoing: list[float]) -> None:
    echoing.extend([0.0] * 4)
    async with asyncio.timeout(5):
        answers = await ask(evenly([ONE, TWO], every_s=0.005, count=4), timeout_s=1000, tcp_port=1)
    assert answers.method == "icmp"
    assert [outcome.address for outcome in answers.outcomes] == [ONE, TWO, ONE, TWO]
    assert all(outcome.rtt_ms is not None for outcome in answers.outcomes)


async def test_missing_answer_ends_the_round_at_the_timeout(echoing: list[float]) -> None:
    echoing.append(0.0)
    answers = await ask(evenly([ONE], every_s=0.005, count=2), timeout_s=0.05, tcp_port=1)
    assert [outcome.answered for outcome in answers.outcomes] == [True, False]
    assert answers.outcomes[1].reason == Reason.TIMEOUT


async def test_answer_after_the_timeout_is_late_while_the_round_is_open(echoing: list[float]) -> None:
    echoing.extend([0.12, 0.0])
    answers = await ask(evenly([ONE], every_s=0.1, count=2), timeout_s=0.06, tcp_port=1)
    assert (answers.outcomes[0].late, answers.outcomes[0].rtt_ms) == (True, None)


async def test_answer_after_the_timeout_is_late_for_the_last_request_too(echoing: list[float]) -> None:
    echoing.append(0.12)
    answers = await ask(evenly([ONE], every_s=0.1, count=1), timeout_s=0.06, tcp_port=1, patience_s=1000)
    assert (answers.outcomes[0].late, answers.outcomes[0].rtt_ms) == (True, None)


async def test_further_answer_to_the_last_request_is_counted(
    echoing: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = icmp.EchoLine.send

    def send_twice(line: icmp.EchoLine, index: int, address: Address) -> None:
        send(line, index, address)
        send(line, index, address)

    monkeypatch.setattr(icmp.EchoLine, "send", send_twice)
    echoing.extend([0.0, 0.05])
    answers = await ask(evenly([ONE], every_s=0.005, count=1), timeout_s=1000, tcp_port=1)
    assert answers.outcomes[0].duplicates == 1


async def test_cancelled_round_closes_its_sockets(echoing: list[float]) -> None:
    task = asyncio.create_task(ask(evenly([ONE], every_s=1, count=1), timeout_s=1000, tcp_port=1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nobody_is_waited_for_when_nothing_could_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "icmp_permission", lambda: "datagram")
    monkeypatch.setattr(icmp, "_opened", lambda _: (None, Reason.NETWORK_DOWN))
    async with asyncio.timeout(5):
        answers = await ask(evenly([ONE], every_s=1, count=1), timeout_s=1000, tcp_port=1)
    assert answers.outcomes[0].reason == Reason.NETWORK_DOWN


async def test_tcp_is_used_where_icmp_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "icmp_permission", lambda: "denied")
    with listening() as port:
        answers = await ask(evenly([ONE], every_s=1, count=1), timeout_s=5, tcp_port=port)
    assert answers.method == "tcp"
    assert answers.to([ONE])[0].rtt_ms is not None
    assert answers.to([TWO]) == []


@pytest.mark.parametrize(("near", "reason"), [([], Reason.UNTRUE), ([ONE], None)])
async def test_connection_is_doubted_only_beyond_the_lan(
    near: list[Address], reason: Reason | None, everybody_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "icmp_permission", lambda: "denied")
    answers = await ask([Ask(0, ONE)], timeout_s=5, tcp_port=everybody_port, near=near)
    assert answers.outcomes[0].reason == reason


@pytest.mark.parametrize(("near", "answered"), [([], False), ([ONE], True)])
async def test_refusal_is_an_answer_only_on_the_lan(
    near: list[Address], answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "icmp_permission", lambda: "denied")
    (outcome,) = (await ask([Ask(0, ONE)], timeout_s=5, tcp_port=free_port(), near=near)).outcomes
    assert (outcome.answered, outcome.refused) == (answered, True)
    assert outcome.reason == (None if answered else Reason.REFUSED)


async def test_connections_tell_of_hosts_that_answer_no_echo(echoing: list[float]) -> None:
    plan = evenly([ONE, TWO], every_s=0.05, count=4)
    with listening() as port:
        answers = await ask(plan, timeout_s=0.6, tcp_port=port, in_doubt=[Ask(0.1, ONE), Ask(0.15, ONE)])
    assert len(answers.outcomes) == 4
    method, outcomes = answers.of([ONE])
    assert (method, len(outcomes)) == ("tcp", 2)
    assert all(outcome.rtt_ms is not None for outcome in outcomes)
    assert answers.of([TWO]) == ("icmp", answers.to([TWO]))


async def test_where_echoes_are_known_to_be_rationed_only_the_lan_is_asked_by_them(
    echoing: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FAR, "now", "connection")
    echoing.extend([0.0] * 4)
    with listening() as port:
        plan = evenly([ONE, TWO], every_s=0.01, count=4)
        answers = await ask(plan, timeout_s=5, tcp_port=port, near=[TWO])
    assert answers.of([TWO]) == ("icmp", answers.to([TWO]))
    method, outcomes = answers.of([ONE])
    assert (method, [o.address for o in outcomes], [o.answered for o in outcomes]) == (
        "tcp",
        [ONE, ONE],
        [True, True],
    )
    assert len(echoing) == 2


async def test_there_silence_is_told_of_the_connections(
    echoing: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FAR, "now", "connection")
    knocks(monkeypatch, Outcome(address=ONE, reason=Reason.TIMEOUT))
    answers = await ask(evenly([ONE], every_s=0.01, count=3), timeout_s=0.1, tcp_port=1)
    assert answers.of([ONE]) == ("tcp", [Outcome(address=ONE, reason=Reason.TIMEOUT)] * 3)


async def test_no_connection_is_made_where_echo_is_answered(
    echoing: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    knocked = knocks(monkeypatch, Outcome(address=ONE, rtt_ms=1))
    echoing.append(0.0)
    answers = await ask([Ask(0, ONE)], timeout_s=1000, tcp_port=1, in_doubt=[Ask(0.1, ONE)])
    assert (answers.instead, knocked) == ((), [])


async def test_connections_end_when_echo_is_answered_and_do_not_count(
    echoing: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    knocked = knocks(monkeypatch, Outcome(address=ONE, rtt_ms=1))
    echoing.append(0.1)
    in_doubt = [Ask(0, ONE), Ask(0.3, ONE), Ask(1000, ONE)]
    async with asyncio.timeout(5):
        answers = await ask([Ask(0, ONE)], timeout_s=1000, tcp_port=1, in_doubt=in_doubt)
    assert knocked == [ONE]
    assert answers.of([ONE]) == ("icmp", list(answers.outcomes))


async def test_echo_to_a_host_that_is_not_in_doubt_ends_no_connections(
    echoing: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    knocks(monkeypatch, Outcome(address=TWO, rtt_ms=1))
    echoing.append(0.0)
    plan = [Ask(0, ONE), Ask(0.01, TWO)]
    answers = await ask(plan, timeout_s=0.3, tcp_port=1, in_doubt=[Ask(0.1, TWO)])
    assert answers.of([ONE])[0] == "icmp"
    assert answers.of([TWO])[0] == "tcp"


@pytest.mark.parametrize(
    ("made_at_s", "outcome", "method"),
    [
        (0.1, Outcome(address=ONE, late=True), "tcp"),
        (0.4, Outcome(address=ONE, late=True), "icmp"),
        (0.4, Outcome(address=ONE, rtt_ms=1), "tcp"),
        (0.1, Outcome(address=ONE, reason=Reason.UNTRUE), "icmp"),
    ],
)
async def test_second_syn_that_is_answered_when_the_last_echo_was_sent_may_be_a_line_that_came_back(
    made_at_s: float,
    outcome: Outcome,
    method: str,
    echoing: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knocks(monkeypatch, outcome)
    plan = evenly([ONE], every_s=0.1, count=5)
    answers = await ask(plan, timeout_s=0.2, tcp_port=1, in_doubt=[Ask(made_at_s, ONE)])
    assert answers.of([ONE])[0] == method


def knocks(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> list[Address]:
    """Each connection ends like this; to whom they went."""
    knocked: list[Address] = []

    async def knock(address: Address, **_: object) -> Outcome:
        knocked.append(address)
        return outcome

    monkeypatch.setattr(asking, "knock", knock)
    return knocked


async def test_empty_plan_has_no_outcomes(echoing: list[float]) -> None:
    assert await ask([], timeout_s=1000, tcp_port=1) == Answers("icmp", ())
