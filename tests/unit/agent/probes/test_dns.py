# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import dataclasses
import errno
import socket
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from agent.contract.kinds import Dns
from agent.contract.reason import Reason
from agent.echo import resolvers, route
from agent.echo.address import parse
from agent.echo.lookup import Lookup, look_up
from agent.echo.message import RecordType
from agent.probes import dns
from agent.probes.base import Finding, ProbeFailed
from agent.probes.dns import DnsProbe
from tests.unit.agent.echo.peers import Resolver, resolving, resolving_by_tcp, says, silence, truncates

Answer = Callable[[bytes], list[bytes]]
LOCAL = ("127.0.0.1",)


async def measured(**options: Any) -> tuple[Finding, Dns]:
    (finding,) = await DnsProbe(**{"resolvers": LOCAL, **options}).measure()
    assert isinstance(finding.fields, Dns)
    return finding, finding.fields


async def test_answer_is_timed() -> None:
    async with resolving(says(0, "192.0.2.1", "192.0.2.2")) as (_, port):
        finding, figures = await measured(port=port, absent_zone="")
    assert finding.reason is None
    assert figures.lookup_ms is not None
    assert figures == Dns(
        target="127.0.0.1",
        name="example.org",
        lookup_ms=figures.lookup_ms,
        answers=2,
        rcode=0,
        attempts=1,
        verdict="honest",
        poisoned=False,
        truncated=False,
        slow=False,
    )


@pytest.mark.parametrize("answer", [says(0), says(0, "2001:db8::7")])
async def test_answer_without_an_address_of_the_name_is_a_failure(answer: Answer) -> None:
    async with resolving(by_name(wanted=answer, absent=says(3))) as (_, port):
        finding, figures = await measured(port=port)
    assert (finding.reason, figures.rcode, figures.lookup_ms) == (Reason.NAME_UNKNOWN, 0, None)
    assert figures.verdict is None


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [(2, Reason.DNS_SERVER_FAILURE), (3, Reason.NAME_UNKNOWN), (5, Reason.REFUSED), (4, Reason.BAD_ANSWER)],
)
async def test_failure_has_a_reason_and_no_time(rcode: int, reason: Reason) -> None:
    async with resolving(says(rcode)) as (_, port):
        finding, figures = await measured(port=port)
    assert (finding.reason, figures.lookup_ms, figures.rcode) == (reason, None, rcode)
    assert figures.verdict is None


async def test_a_resolver_that_fails_for_one_name_and_invents_another_is_hijacked() -> None:
    async with resolving(by_name(wanted=says(2), absent=says(0, "203.0.113.9"))) as (_, port):
        finding, figures = await measured(port=port)
    assert (finding.reason, figures.verdict) == (Reason.DNS_SERVER_FAILURE, "hijacked")


@pytest.mark.parametrize("has_6", [True, False])
@pytest.mark.parametrize("lies_by", [RecordType.A, RecordType.AAAA])
async def test_a_resolver_that_invents_addresses_of_one_version_is_found_where_that_is_used(
    monkeypatch: pytest.MonkeyPatch, lies_by: RecordType, has_6: bool
) -> None:
    def absent(query: bytes) -> list[bytes]:
        lie = {RecordType.A: "203.0.113.9", RecordType.AAAA: "2001:db8::9"}[lies_by]
        asked = int.from_bytes(query[-4:-2])
        return says(0, lie)(query) if asked == lies_by else says(3)(query)

    monkeypatch.setattr(route, "has_default_route_6", lambda: has_6)
    async with resolving(by_name(wanted=says(0, "93.184.215.14"), absent=absent)) as (server, port):
        _, figures = await measured(port=port)
    assert figures.hijacked is (has_6 or lies_by is RecordType.A)
    assert len(server.queries) == (3 if has_6 else 2)


async def test_silence_is_a_timeout() -> None:
    async with resolving(silence) as (_, port):
        finding, figures = await measured(port=port, timeout_s=0.02, attempts=2)
    assert (finding.reason, figures.attempts, figures.rcode) == (Reason.TIMEOUT, 2, None)


async def test_dead_network_is_a_record_for_each_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: (parse("192.0.2.1"), parse("192.0.2.2")))
    with mock.patch.object(socket.socket, "connect", side_effect=OSError(errno.ENETUNREACH, "no")):
        findings = await DnsProbe().measure()
    assert [finding.reason for finding in findings] == [Reason.NETWORK_DOWN] * 2
    assert [finding.fields.target for finding in findings if isinstance(finding.fields, Dns)] == [
        "192.0.2.1",
        "192.0.2.2",
    ]


async def test_resolver_on_a_missing_interface_says_so() -> None:
    finding, _ = await measured(resolvers=("fe80::1%no-such0",))
    assert finding.reason == Reason.NETWORK_DOWN


async def test_no_resolver_at_all_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "system_resolvers", lambda: ())
    with pytest.raises(ProbeFailed, match="no_target: no resolver is configured"):
        await DnsProbe().measure()


async def test_cancellation_passes() -> None:
    async with resolving(silence) as (server, port):
        task = asyncio.create_task(measured(port=port))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"name": "a b"}, "name 'a b' is not a host name"),
        ({"resolvers": ("dns.test",)}, "resolvers must be IP addresses, not 'dns.test'"),
        ({"resolvers": LOCAL * 2}, "resolvers must not repeat an address"),
        ({"absent_zone": "a b"}, "absent_zone 'a b' is not a domain name"),
        ({"expected": ("10.0.0.1/8",)}, "host bits set"),
        ({"attempts": 10, "timeout_s": 10}, r"\(attempts \+ 2\) x timeout_s \(120 s\) must be shorter"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DnsProbe(**options)


def by_name(*, wanted: Answer, absent: Answer) -> Answer:
    """One answer for the name, another for the random one."""
    return lambda query: (absent if b"invalid" in query else wanted)(query)


@pytest.mark.parametrize(
    ("wanted", "absent", "verdict", "flags"),
    [
        (says(0, "93.184.215.14"), says(3), "honest", (False, False, False)),
        (says(0, "93.184.215.14"), says(0, "203.0.113.9"), "hijacked", (True, False, False)),
        (says(0, "93.184.215.14"), silence, "honest", (None, False, False)),
    ],
)
async def test_verdict_is_the_worst_that_holds(
    wanted: Answer, absent: Answer, verdict: str, flags: tuple[bool | None, ...]
) -> None:
    async with resolving(by_name(wanted=wanted, absent=absent)) as (server, port):
        finding, figures = await measured(port=port, timeout_s=0.1)
    assert (finding.reason, figures.verdict) == (None, verdict)
    assert (figures.hijacked, figures.poisoned, figures.truncated) == flags
    assert len(server.queries) >= 2


@pytest.mark.parametrize(("host", "verdict"), [("93.184.215.14", "truncated"), ("10.10.34.36", "poisoned")])
async def test_what_does_not_fit_a_datagram_is_judged_by_what_comes_over_tcp(host: str, verdict: str) -> None:
    async with (
        resolving(by_name(wanted=truncates, absent=says(3))) as (_, port),
        resolving_by_tcp(port, says(0, host)),
    ):
        finding, figures = await measured(port=port)
    assert (figures.verdict, figures.truncated, figures.hijacked) == (verdict, True, False)
    assert (finding.reason is None, figures.lookup_ms is None) == (
        verdict != "poisoned",
        verdict == "poisoned",
    )


async def test_where_tcp_is_blocked_an_answer_that_does_not_fit_a_datagram_is_none() -> None:
    async with resolving(by_name(wanted=truncates, absent=says(3))) as (_, port):
        finding, figures = await measured(port=port)
    assert (finding.reason, figures.lookup_ms, figures.truncated) == (Reason.REFUSED, None, True)
    assert "over TCP" in (finding.detail or "")


@pytest.mark.parametrize(("host", "expected"), [("10.10.34.36", ()), ("8.8.8.8", ("93.184.0.0/16",))])
async def test_poisoned_answer_is_a_failure_without_a_time(host: str, expected: tuple[str, ...]) -> None:
    async with resolving(by_name(wanted=says(0, host), absent=says(3))) as (_, port):
        finding, figures = await measured(port=port, expected=expected)
    assert (finding.reason, figures.verdict, figures.poisoned) == (Reason.BAD_ANSWER, "poisoned", True)
    assert figures.lookup_ms is None
    assert host not in (finding.detail or "")


async def test_answer_is_slow_beyond_the_limit() -> None:
    async with resolving(by_name(wanted=says(0, "93.184.215.14"), absent=says(3))) as (_, port):
        with mock.patch.object(dns, "look_up", side_effect=slowed):
            finding, figures = await measured(port=port, slow_ms=100)
    assert (finding.reason, figures.slow, figures.verdict) == (None, True, "slow")


async def slowed(*args: Any, **options: Any) -> Lookup:
    return dataclasses.replace(await look_up(*args, **options), lookup_ms=100.01)


async def test_resolver_that_alone_gives_another_address_differs() -> None:
    def other(query: bytes) -> list[bytes]:
        return says(3)(query) if b"invalid" in query else says(0, "93.184.215.99")(query)

    async with resolving(by_name(wanted=says(0, "93.184.215.14"), absent=says(3))) as (_, port):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Resolver(other), local_addr=("127.0.0.2", port)
        )
        findings = await DnsProbe(resolvers=("127.0.0.1", "127.0.0.2"), port=port).measure()
        transport.close()
    assert [f.fields.verdict for f in findings if isinstance(f.fields, Dns)] == ["differs", "differs"]
    assert [f.reason for f in findings] == [None, None]
