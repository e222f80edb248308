# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agent.contract.kinds import Latency
from agent.contract.reason import Reason
from agent.echo import route
from agent.echo.address import Address, parse
from agent.echo.ask import Answers, Method
from agent.echo.ledger import Outcome
from agent.echo.plan import Ask
from agent.echo.problem import NoAnswer
from agent.echo.route import Route
from agent.probes import latency
from agent.probes.base import Finding
from agent.probes.latency import LatencyProbe

GATEWAY = parse("192.168.1.1")
PLACES: dict[str, Address | NoAnswer] = {
    "gateway": GATEWAY,
    "fast.test": parse("192.0.2.1"),
    "same.test": parse("192.0.2.1"),
    "dead.test": parse("192.0.2.9"),
    "unsent.test": parse("192.0.2.10"),
    "nowhere.test": NoAnswer(Reason.NAME_UNKNOWN, "no such name"),
}
OUTCOMES: dict[str, dict[str, Any]] = {
    "192.168.1.1": {"rtt_ms": 0.4},
    "192.0.2.1": {"rtt_ms": 25.0},
    "192.0.2.9": {"reason": Reason.UNREACHABLE},
    "192.0.2.10": {"sent": False, "reason": Reason.NETWORK_DOWN},
}


class World:
    """A network of the hosts above.

    Attributes:
        plans: those carried out, one after the other.
        connected: plans of connections.
        accepting: hosts that accept connections.
        far_by_connection: hosts beyond the LAN are known to answer echoes not at all or not each.
        back: hosts that answer from the second plan on.
        method: by what requests are made.
    """

    def __init__(self) -> None:
        self.plans: list[Sequence[Ask]] = []
        self.connected: list[Sequence[Ask]] = []
        self.accepting: set[str] = set()
        self.back: set[str] = set()
        self.far_by_connection = False
        self.method: Method = "icmp"

    async def find(self, target: str, **_: object) -> Address:
        place = PLACES[target]
        if isinstance(place, NoAnswer):
            raise place
        return place

    async def ask(self, plan: Sequence[Ask], *, near: Sequence[Address] = (), **_: object) -> Answers:
        assert set(near) <= {GATEWAY}
        self.plans.append(plan)
        back = self.back if len(self.plans) > 1 else set()
        kinds = ({"rtt_ms": 9.0} if a.address.host in back else OUTCOMES[a.address.host] for a in plan)
        made = (Outcome(address=ask.address, **kind) for ask, kind in zip(plan, kinds, strict=True))
        outcomes = tuple(made)
        if self.far_by_connection:
            return Answers("icmp", *_split(outcomes, near))
        return Answers(self.method, outcomes)

    async def ask_by_connection(
        self, plan: Sequence[Ask], *, near: Sequence[Address], **_: object
    ) -> list[Outcome]:
        assert near == [GATEWAY]
        self.connected.append(plan)
        return [Outcome(address=ask.address, **self._connection(ask.address)) for ask in plan]

    def _connection(self, address: Address) -> dict[str, Any]:
        return {"rtt_ms": 80.0} if address.host in self.accepting else {"reason": Reason.UNTRUE}


def _split(
    outcomes: Sequence[Outcome], near: Sequence[Address]
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
    return tuple(o for o in outcomes if o.address in near), tuple(
        o for o in outcomes if o.address not in near
    )


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(latency, "find", world.find)
    monkeypatch.setattr(latency, "ask", world.ask)
    monkeypatch.setattr(latency, "ask_by_connection", world.ask_by_connection)
    monkeypatch.setattr(route, "default_route", lambda: Route("eth0", GATEWAY))
    return world


@pytest.fixture
def plans(world: World) -> list[Sequence[Ask]]:
    return world.plans


async def measured(*targets: str) -> dict[str, tuple[Latency, Finding]]:
    findings = await LatencyProbe(targets=targets).measure()
    return {f.fields.target: (f.fields, f) for f in findings if isinstance(f.fields, Latency)}


async def test_each_target_has_a_record_of_its_own() -> None:
    found = await measured("gateway", "fast.test")
    assert [figures.rtt_median_ms for figures, _ in found.values()] == [0.4, 25.0]
    assert all(figures.sent == figures.received == 10 for figures, _ in found.values())
    assert all((finding.reason, finding.detail) == (None, None) for _, finding in found.values())


async def test_requests_to_all_targets_are_interleaved(plans: list[Sequence[Ask]]) -> None:
    await measured("gateway", "dead.test", "fast.test")
    assert len({ask.address for ask in plans[0][:3]}) == 3
    assert len(plans[0]) == 30
    assert len({ask.at_s for ask in plans[0]}) == 30


async def test_silent_target_has_a_reason_and_no_times() -> None:
    figures, finding = (await measured("dead.test", "fast.test"))["dead.test"]
    assert (figures.sent, figures.received, figures.loss_ratio, figures.rtt_min_ms) == (10, 0, 1.0, None)
    assert (finding.reason, finding.detail) == (
        Reason.UNREACHABLE,
        "none of 10 requests was answered in time",
    )


async def test_target_that_answers_only_connections_is_told_by_them(world: World) -> None:
    world.accepting = {"192.0.2.9"}
    found = await measured("dead.test", "fast.test")
    figures, finding = found["dead.test"]
    assert (figures.method, figures.sent, figures.received, figures.loss_ratio) == ("tcp", 10, 10, 0)
    assert (figures.rtt_median_ms, finding.reason, finding.detail) == (80.0, None, None)
    assert figures.rtt_histogram
    assert (found["fast.test"][0].method, found["fast.test"][0].rtt_median_ms) == ("icmp", 25.0)


async def test_only_silent_targets_are_asked_by_connections_at_the_same_pace(world: World) -> None:
    await measured("gateway", "dead.test", "fast.test")
    (plan,) = world.connected
    assert {ask.address.host for ask in plan} == {"192.0.2.9"}
    assert [ask.at_s for ask in plan] == [i * 0.5 for i in range(10)]
    assert world.plans[1] == [Ask(4.5, parse("192.0.2.9"))]


async def test_target_that_has_come_back_meanwhile_keeps_its_loss(world: World) -> None:
    world.accepting = world.back = {"192.0.2.9"}
    figures, finding = (await measured("dead.test"))["dead.test"]
    assert (figures.method, figures.loss_ratio, finding.reason) == ("icmp", 1.0, Reason.UNREACHABLE)


async def test_nobody_is_asked_again_where_all_have_answered(world: World) -> None:
    await measured("gateway", "fast.test")
    assert (len(world.plans), world.connected) == (1, [])


async def test_nobody_is_asked_again_where_connections_were_made_at_once(world: World) -> None:
    world.method = "tcp"
    assert (await measured("dead.test"))["dead.test"][0].method == "tcp"
    assert world.connected == []


async def test_nobody_is_asked_twice_by_connections(world: World) -> None:
    world.far_by_connection = True
    records = await measured("gateway", "fast.test", "dead.test")
    assert world.connected == []
    assert {name: (fields.method, fields.received) for name, (fields, _) in records.items()} == {
        "gateway": ("icmp", 10),
        "fast.test": ("tcp", 10),
        "dead.test": ("tcp", 0),
    }


@pytest.mark.parametrize(("deadline_s", "rounds"), [(36.0, 0), (36.1, 1)])
async def test_nobody_is_asked_again_where_the_deadline_leaves_no_time(
    world: World, deadline_s: float, rounds: int
) -> None:
    await LatencyProbe(targets=("dead.test",), deadline_s=deadline_s).measure()
    assert len(world.connected) == rounds


async def test_target_that_cannot_be_sent_to_has_no_loss() -> None:
    figures, finding = (await measured("unsent.test"))["unsent.test"]
    assert (figures.sent, figures.loss_ratio, finding.reason) == (0, None, Reason.NETWORK_DOWN)


async def test_target_without_address_fails_alone() -> None:
    found = await measured("nowhere.test", "fast.test")
    figures, finding = found["nowhere.test"]
    assert (finding.reason, finding.detail, figures.sent) == (Reason.NAME_UNKNOWN, "no such name", None)
    assert found["fast.test"][0].received == 10


async def test_two_names_of_one_host_share_its_requests(plans: list[Sequence[Ask]]) -> None:
    found = await measured("fast.test", "same.test")
    assert len(plans[0]) == 10
    assert found["same.test"][0].rtt_median_ms == found["fast.test"][0].rtt_median_ms == 25


async def test_nothing_is_sent_when_no_target_has_an_address(plans: list[Sequence[Ask]]) -> None:
    assert (await measured("nowhere.test"))["nowhere.test"][1].reason == Reason.NAME_UNKNOWN
    assert plans == [[]]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"targets": ()}, "targets must name 1 to 32 hosts"),
        ({"targets": ("a b",)}, "target 'a b' is not an address, a host name or `gateway`"),
        ({"targets": ("gateway", "gateway")}, "targets must not repeat a host"),
        ({"count": 100}, r"count x spacing_s \+ 4 x timeout_s \(70 s\) must be shorter"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LatencyProbe(**options)
