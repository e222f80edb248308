# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from agent.contract.reason import Reason
from agent.echo import resolvers, route, target
from agent.echo.address import Address, parse
from agent.echo.lookup import Lookup
from agent.echo.message import DnsAnswer, RecordType
from agent.echo.problem import NoAnswer
from agent.echo.route import Route

ONE, TWO = parse("192.0.2.53"), parse("192.0.2.54")
FOUND = Lookup(attempts=1, answer=DnsAnswer(0, 1, ("192.0.2.7",)), lookup_ms=1)
EMPTY = Lookup(attempts=1, answer=DnsAnswer(0, 0, ()), lookup_ms=1)
FOUND_6 = Lookup(attempts=1, answer=DnsAnswer(0, 1, ("2001:db8::7",)), lookup_ms=1)
UNKNOWN = Lookup(
    attempts=1, answer=DnsAnswer(3, 0, ()), lookup_ms=1, reason=Reason.NAME_UNKNOWN, detail="code 3"
)
SILENT = Lookup(attempts=1, reason=Reason.TIMEOUT, detail="no answer")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[Address, RecordType], Lookup]:
    """What each resolver says to each question; two resolvers."""
    answers: dict[tuple[Address, RecordType], Lookup] = {}

    async def look_up(resolver: Address, _name: str, *, timeout_s: float, kind: RecordType) -> Lookup:
        return answers[resolver, kind]

    monkeypatch.setattr(target, "look_up_whole", look_up)
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: (ONE, TWO))
    return answers


async def test_gateway_is_that_of_the_default_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "default_route", lambda: Route("eth0", ONE))
    assert await target.find("gateway", timeout_s=1) == ONE


@pytest.mark.parametrize("found", [None, Route("ppp0", None)])
async def test_gateway_that_is_none_says_so(monkeypatch: pytest.MonkeyPatch, found: Route | None) -> None:
    monkeypatch.setattr(route, "default_route", lambda: found)
    assert await reason_for("gateway") == Reason.NO_GATEWAY


async def test_address_is_itself() -> None:
    assert await target.find("192.0.2.53", timeout_s=1) == ONE


async def test_address_on_a_missing_interface_says_so() -> None:
    assert await reason_for("fe80::1%no-such0") == Reason.NETWORK_DOWN


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({(ONE, RecordType.A): FOUND}, "192.0.2.7"),
        ({(ONE, RecordType.A): EMPTY, (ONE, RecordType.AAAA): FOUND_6}, "2001:db8::7"),
        ({(ONE, RecordType.A): SILENT, (TWO, RecordType.A): FOUND}, "192.0.2.7"),
    ],
)
async def test_name_is_looked_up_at_one_resolver_after_the_other(
    world: dict[tuple[Address, RecordType], Lookup],
    answers: Mapping[tuple[Address, RecordType], Lookup],
    expected: str,
) -> None:
    world.update(answers)
    assert await target.find("example.org", timeout_s=1) == parse(expected)


@pytest.mark.parametrize(
    ("lookup", "reason"),
    [(UNKNOWN, Reason.NAME_UNKNOWN), (EMPTY, Reason.NAME_UNKNOWN), (SILENT, Reason.TIMEOUT)],
)
async def test_name_without_address_says_why(
    world: dict[tuple[Address, RecordType], Lookup], lookup: Lookup, reason: Reason
) -> None:
    world.update({(resolver, kind): lookup for resolver in (ONE, TWO) for kind in RecordType})
    assert await reason_for("example.org") == reason


async def test_name_without_resolvers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: ())
    assert await reason_for("example.org") == Reason.NO_TARGET


async def test_name_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> Lookup:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(target, "look_up_whole", never)
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: (ONE,))
    assert await reason_for("example.org", timeout_s=0.01) == Reason.TIMEOUT


@pytest.mark.parametrize(("text", "yes"), [("gateway", True), ("::1", True), ("a.kz", True), ("a b", False)])
def test_target_is_gateway_address_or_name(text: str, *, yes: bool) -> None:
    assert target.is_target(text) is yes


async def reason_for(text: str, timeout_s: float = 1) -> Reason:
    with pytest.raises(NoAnswer) as caught:
        await target.find(text, timeout_s=timeout_s)
    return caught.value.reason
