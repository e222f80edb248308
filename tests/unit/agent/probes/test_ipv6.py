# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agent.contract.kinds import Ipv6
from agent.contract.reason import Reason
from agent.echo import resolvers, route
from agent.echo.address import parse
from agent.echo.ask import Answers
from agent.echo.ledger import Outcome
from agent.echo.lookup import look_up
from agent.probes import ipv6
from agent.probes.ipv6 import Ipv6Probe
from agent.trace import large
from tests.unit.agent.echo.peers import resolving, says, truncates

SIX, FOUR = ("2001:db8::1", "2001:db8::2"), ("192.0.2.1",)


class Home:
    """What the host has, and who answers."""

    address = True
    route = True
    six = True
    four = True
    connects = False
    large: bool | None = True
    plans = 0

    async def comes_back(self, hosts: Any, *, timeout_s: float) -> bool | None:
        assert ([host.host for host in hosts], timeout_s > 0) == (list(SIX), True)
        return self.large

    async def ask(self, plan: Any, *, in_doubt: Any, **_: Any) -> Answers:
        self.plans += 1
        answers = {True: self.six, False: self.four}
        instead = [] if self.six else [self.outcome(item.address, self.connects) for item in in_doubt]
        return Answers(
            "icmp",
            tuple(self.outcome(item.address, answers[":" in item.address.host]) for item in plan),
            tuple(instead),
        )

    def outcome(self, host: Any, answers: bool) -> Outcome:
        return Outcome(address=host, rtt_ms=30.0) if answers else Outcome(address=host, reason=Reason.TIMEOUT)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home()
    monkeypatch.setattr(ipv6, "ask", home.ask)
    monkeypatch.setattr(large, "comes_back", home.comes_back)
    monkeypatch.setattr(route, "has_global_address_6", lambda: home.address)
    monkeypatch.setattr(route, "has_default_route_6", lambda: home.route)
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: ())
    return home


async def measured(**options: Any) -> Ipv6:
    (finding,) = await Ipv6Probe(**{"anchors": SIX, "ipv4_anchors": FOUR, **options}).measure()
    assert isinstance(finding.fields, Ipv6)
    assert finding.reason is None
    return finding.fields


@pytest.mark.parametrize(
    ("state", "verdict", "working", "broken"),
    [
        ({}, "working", True, False),
        ({"four": False}, "working", True, False),
        ({"large": False}, "large_lost", True, False),
        ({"large": None}, "working", True, False),
        ({"six": False}, "broken", False, True),
        # Who drops small echoes drops large ones, too.
        ({"six": False, "connects": True, "large": False}, "working", True, False),
        ({"six": False, "four": False}, "unknown", False, None),
        ({"route": False}, "no_route", False, False),
        ({"address": False}, "absent", False, False),
    ],
)
async def test_verdict_follows_from_what_there_is(
    home: Home, state: dict[str, bool], verdict: str, working: bool, broken: bool | None
) -> None:
    vars(home).update(state)
    figures = await measured()
    assert (figures.verdict, figures.working, figures.broken) == (verdict, working, broken)


async def test_nobody_is_asked_where_there_is_no_way(home: Home) -> None:
    home.route = False
    figures = await measured()
    assert (home.plans, figures.anchor_asked, figures.ipv4_answered) == (0, 0, None)
    assert figures.rtt_median_ms is None


async def test_a_large_one_is_sent_only_where_all_small_ones_came_back(home: Home) -> None:
    assert (await measured()).large_answered is True
    home.six, home.connects = False, True
    assert (await measured()).large_answered is None


async def test_answers_are_counted(home: Home) -> None:
    figures = await measured()
    assert (figures.anchor_asked, figures.anchor_answered, figures.rtt_median_ms) == (2, 2, 30)
    assert (figures.ipv4_answered, figures.aaaa_answers) == (1, None)


async def test_without_anchors_of_ipv4_silence_is_unknown(home: Home) -> None:
    home.six = False
    assert (await measured(ipv4_anchors=())).verdict == "unknown"


@pytest.mark.parametrize(("hosts", "count"), [(("2001:db8::5", "2001:db8::6"), 2), ((), 0)])
async def test_resolver_is_asked_for_ipv6_addresses(
    home: Home, monkeypatch: pytest.MonkeyPatch, hosts: tuple[str, ...], count: int
) -> None:
    async with resolving(says(0, *hosts)) as (_, port):
        monkeypatch.setattr(resolvers, "system_resolvers", lambda: (parse("127.0.0.1"),))
        monkeypatch.setattr(ipv6, "look_up", lambda *args, **more: look_up(*args, **more, port=port))
        assert (await measured()).aaaa_answers == count


@pytest.mark.parametrize("answer", [says(2), says(5), truncates])
async def test_a_resolver_that_does_not_say_gives_no_count(
    home: Home, monkeypatch: pytest.MonkeyPatch, answer: Callable[[bytes], list[bytes]]
) -> None:
    async with resolving(answer) as (_, port):
        monkeypatch.setattr(resolvers, "system_resolvers", lambda: (parse("127.0.0.1"),))
        monkeypatch.setattr(ipv6, "look_up", lambda *args, **more: look_up(*args, **more, port=port))
        assert (await measured()).aaaa_answers is None


async def test_cancellation_passes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def ask(*_: Any, **__: Any) -> Answers:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(ipv6, "ask", ask)
    task = asyncio.create_task(measured())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"anchors": ()}, "anchors must name"),
        ({"anchors": ("1.1.1.1",)}, "is not an IPv6 address"),
        ({"anchors": ("fe80::1%eth0",)}, "is not an IPv6 address"),
        ({"ipv4_anchors": ("::1",)}, "is not an IPv4 address"),
        ({"name": "a b"}, "is not a host name"),
        ({"timeout_s": 30}, "twice timeout_s"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Ipv6Probe(**options)
