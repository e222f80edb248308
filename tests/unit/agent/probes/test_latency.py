# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agent.contract.kinds import Latency
from agent.contract.reason import Reason
from agent.echo.address import Address, parse
from agent.echo.ask import Answers
from agent.echo.ledger import Outcome
from agent.echo.plan import Ask
from agent.echo.problem import NoAnswer
from agent.probes import latency
from agent.probes.base import Finding
from agent.probes.latency import LatencyProbe

PLACES: dict[str, Address | NoAnswer] = {
    "gateway": parse("192.168.1.1"),
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


@pytest.fixture(autouse=True)
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Ask]]:
    """A network of the hosts above; the plans that were carried out."""
    plans: list[Sequence[Ask]] = []

    async def find(target: str, **_: object) -> Address:
        place = PLACES[target]
        if isinstance(place, NoAnswer):
            raise place
        return place

    async def ask(plan: Sequence[Ask], **_: object) -> Answers:
        plans.append(plan)
        made = (Outcome(address=ask.address, **OUTCOMES[ask.address.host]) for ask in plan)
        return Answers("icmp", tuple(made))

    monkeypatch.setattr(latency, "find", find)
    monkeypatch.setattr(latency, "ask", ask)
    return plans


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
