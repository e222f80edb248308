# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agent.contract.kinds import Reach
from agent.contract.reason import Reason
from agent.echo import resolvers
from agent.echo.address import Address, parse
from agent.echo.ask import Answers
from agent.echo.ledger import Outcome
from agent.echo.lookup import Lookup
from agent.echo.message import DnsAnswer
from agent.echo.plan import Ask
from agent.echo.reachability import Surroundings
from agent.echo.route import Route
from agent.probes import reach
from agent.probes.base import Finding
from agent.probes.reach import ReachProbe

GATEWAY = parse("192.168.1.1")
HOME = Surroundings(Route("eth0", GATEWAY), carrier=True, neighbour=True)
ONE, TWO = parse("192.0.2.53"), parse("192.0.2.54")
NAMED = Lookup(attempts=1, answer=DnsAnswer(0, 1, ()), lookup_ms=1)
FAILING = Lookup(attempts=1, answer=DnsAnswer(2, 0, ()), lookup_ms=1, reason=Reason.DNS_SERVER_FAILURE)
SILENT = Lookup(attempts=1, reason=Reason.TIMEOUT)


class World:
    """What the probe finds: who answers, which way out there is, what resolvers say."""

    def __init__(self) -> None:
        self.outcome: dict[str, Any] = {"rtt_ms": 30.0}
        self.gateway_outcome: dict[str, Any] = {"rtt_ms": 1.0}
        self.surroundings = HOME
        self.lookups = {ONE: NAMED, TWO: NAMED}
        self.plan: Sequence[Ask] = ()
        self.in_doubt: Sequence[Ask] = ()
        self.connection: dict[str, Any] = {"reason": Reason.TIMEOUT}
        self.asked: list[Address] = []

    async def ask(
        self, plan: Sequence[Ask], *, near: Sequence[Address], in_doubt: Sequence[Ask], **_: object
    ) -> Answers:
        assert set(near) <= {GATEWAY}
        self.plan, self.in_doubt = plan, in_doubt
        kinds = (self.gateway_outcome if ask.address == GATEWAY else self.outcome for ask in plan)
        outcomes = (Outcome(address=ask.address, **kind) for ask, kind in zip(plan, kinds, strict=True))
        instead = (Outcome(address=ask.address, **self.connection) for ask in in_doubt)
        return Answers("icmp", tuple(outcomes), tuple(instead))

    async def look_up(self, resolver: Address, _name: str, **_: object) -> Lookup:
        self.asked.append(resolver)
        return self.lookups[resolver]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(reach, "ask", world.ask)
    monkeypatch.setattr(reach, "look_up", world.look_up)
    monkeypatch.setattr(reach, "surroundings", lambda: world.surroundings)
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: (ONE, TWO))
    return world


async def measured(probe: ReachProbe | None = None) -> tuple[Finding, Reach]:
    (finding,) = await (probe or ReachProbe()).measure()
    assert isinstance(finding.fields, Reach)
    return finding, finding.fields


async def test_round_asks_anchors_in_rotation_and_the_gateway_more_often(world: World) -> None:
    finding, figures = await measured()
    assert (figures.hint, finding.reason) == ("up", None)
    assert (figures.anchor_asked, figures.anchors, figures.gateway_asked) == (10, 3, 25)
    assert [ask.at_s for ask in world.plan] == sorted(ask.at_s for ask in world.plan)
    assert world.plan[-1].at_s < 50


async def test_anchors_cost_less_than_three_megabytes_a_day(world: World) -> None:
    _, figures = await measured()
    smallest_frame_bytes = 84
    rounds = 86400 / ReachProbe().every_s
    assert (figures.anchor_asked or 0) * rounds * 2 * smallest_frame_bytes < 3_000_000


async def test_dead_internet_is_a_finding_and_no_failure(world: World) -> None:
    world.outcome = {"reason": Reason.TIMEOUT}
    finding, figures = await measured()
    assert (figures.up, figures.hint, finding.reason) == (False, "down_provider", None)


async def test_anchors_that_answer_only_connections_are_up_by_tcp(world: World) -> None:
    world.outcome = {"reason": Reason.TIMEOUT}
    world.connection = {"rtt_ms": 30.0}
    finding, figures = await measured()
    assert (figures.up, figures.method, figures.hint, finding.reason) == (True, "tcp", "up", None)
    assert (figures.anchor_asked, figures.anchor_answered, figures.loss_run_max) == (7, 7, 0)
    assert (figures.anchors, figures.anchors_up) == (3, 3)
    assert (figures.gateway_asked, figures.gateway_answered) == (25, 25)


async def test_anchors_are_asked_by_connections_beside_the_later_echo_requests(world: World) -> None:
    await measured()
    assert [ask.at_s for ask in world.in_doubt] == [15, 20, 25, 30, 35, 40, 45]
    assert {ask.address for ask in world.in_doubt} == {parse(a) for a in ReachProbe().anchors}


@pytest.mark.parametrize("answered", [{"rtt_ms": 900.0}, {"late": True, "reason": Reason.TIMEOUT}])
async def test_echo_that_was_answered_however_late_is_what_counts(
    world: World, answered: dict[str, Any]
) -> None:
    world.outcome = answered
    world.connection = {"rtt_ms": 30.0}
    _, figures = await measured()
    assert (figures.method, figures.anchor_asked, figures.hint) == ("icmp", 10, "up")


async def test_connections_that_needed_a_second_syn_were_answered(world: World) -> None:
    world.outcome = {"reason": Reason.TIMEOUT}
    world.connection = {"late": True, "reason": Reason.TIMEOUT}
    _, figures = await measured()
    assert (figures.anchor_answered, figures.hint) == (7, "up")


async def test_no_route_is_a_failure_to_measure_with_evidence(world: World) -> None:
    world.surroundings = Surroundings(None)
    world.outcome = {"sent": False, "reason": Reason.NETWORK_DOWN}
    finding, figures = await measured()
    assert (figures.up, figures.route, figures.hint) == (None, False, "down_other")
    assert finding.reason == Reason.NETWORK_DOWN
    assert figures.gateway_asked == 0


async def test_second_resolver_is_asked_when_the_first_is_silent(world: World) -> None:
    world.lookups[ONE] = SILENT
    _, figures = await measured()
    assert world.asked == [ONE, TWO]
    assert (figures.dns_asked, figures.dns_answered) == (2, 1)


async def test_resolvers_that_are_all_silent_make_a_link_degraded(world: World) -> None:
    world.lookups = {ONE: SILENT, TWO: SILENT}
    _, figures = await measured()
    assert (figures.dns_asked, figures.dns_answered, figures.hint) == (2, 0, "degraded")


async def test_second_resolver_is_asked_when_the_first_says_that_it_cannot(world: World) -> None:
    world.lookups[ONE] = FAILING
    _, figures = await measured()
    assert world.asked == [ONE, TWO]
    assert (figures.dns_asked, figures.dns_answered, figures.hint) == (2, 2, "up")


async def test_resolvers_that_all_say_that_they_cannot_make_a_link_degraded(world: World) -> None:
    world.lookups = {ONE: FAILING, TWO: FAILING}
    _, figures = await measured()
    assert (figures.dns_asked, figures.dns_answered, figures.hint) == (2, 2, "degraded")


async def test_second_resolver_is_left_alone_when_the_first_answers(world: World) -> None:
    await measured()
    assert world.asked == [ONE]


async def test_no_name_is_looked_up_when_none_is_given(world: World) -> None:
    _, figures = await measured(ReachProbe(dns_name=""))
    assert (world.asked, figures.dns_asked) == ([], None)


async def test_cancellation_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()
    monkeypatch.setattr(reach, "ask", lambda *_, **__: never.wait())
    task = asyncio.create_task(measured())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"anchors": ()}, "anchors must name at least one address"),
        ({"anchors": ("example.org",)}, "anchors must be IP addresses, not 'example.org'"),
        ({"anchors": ("1.1.1.1", "1.1.1.1")}, "anchors must not repeat an address"),
        ({"anchors": ("1.1.1.1%eth0",)}, "anchors must be IP addresses"),
        ({"dns_name": "a b"}, "dns_name 'a b' is not a host name"),
        ({"watch_s": 54}, r"watch_s \+ timeout_s \(59 s\) must be shorter"),
        ({"every_s": 30}, r"watch_s \+ timeout_s \(55 s\) must be shorter"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ReachProbe(**options)
