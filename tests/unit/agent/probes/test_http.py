# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Http
from agent.contract.reason import Reason
from agent.probes.base import Finding
from agent.probes.http import HttpProbe, Page
from tests.parts import tls_site
from tests.unit.agent.echo.peers import (
    free_port,
    open_sockets,
    resolving,
    resolving_by_tcp,
    says,
    silence,
    truncates,
)
from tests.unit.agent.web.pages import page, serving

LOCAL: dict[str, Any] = {"resolvers": ("127.0.0.1",)}
WHOLE = page(200, b"hello school")


Figures = tuple[Finding, Http]


async def measured(url: str, page_options: dict[str, Any] | None = None, **options: Any) -> Figures:
    probe = HttpProbe(targets=(Page(url=url, **(page_options or {})),), **options)
    (finding,) = await probe.measure()
    assert isinstance(finding.fields, Http)
    return finding, finding.fields


async def test_each_phase_is_timed() -> None:
    async with serving(WHOLE) as pages, resolving(says(0, "127.0.0.1")) as (_, port):
        url = f"http://school.test:{pages.port}/x?y"
        finding, figures = await measured(url, dns_port=port, **LOCAL)
    assert finding.reason is None
    assert None not in (figures.dns_ms, figures.connect_ms, figures.first_byte_ms, figures.total_ms)
    assert (figures.tls_ms, figures.tls_ok, figures.tls_error, figures.content_ok) == (None,) * 4
    assert (figures.status, figures.rx_bytes, figures.redirects, figures.family) == (200, len(WHOLE), 0, "4")
    assert pages.requests[0].startswith(b"GET /x?y HTTP/1.1\r\nHost: school.test:")


async def test_a_name_with_more_addresses_than_fit_a_datagram_is_no_unknown_name() -> None:
    async with serving(WHOLE) as pages, resolving(truncates) as (_, port):
        async with resolving_by_tcp(port, says(0, *["127.0.0.1"] * 40)):
            finding, _ = await measured(f"http://school.test:{pages.port}/", dns_port=port, **LOCAL)
        assert finding.reason is None
        finding, _ = await measured(f"http://school.test:{pages.port}/", dns_port=port, **LOCAL)
    assert finding.reason == Reason.REFUSED
    assert "does not fit a datagram" in (finding.detail or "")


async def test_number_needs_no_name() -> None:
    async with serving(WHOLE) as pages:
        _, figures = await measured(pages.url)
    assert (figures.dns_ms, figures.status) == (None, 200)


@pytest.mark.parametrize(
    ("wanted", "is_right"),
    [
        ({"contains": "school"}, True),
        ({"contains": "portal"}, False),
        ({"sha256": hashlib.sha256(b"hello school").hexdigest().upper()}, True),
        ({"sha256": "0" * 64}, False),
    ],
)
async def test_page_must_be_the_expected_one(wanted: dict[str, str], is_right: bool) -> None:
    async with serving(WHOLE) as pages:
        finding, figures = await measured(pages.url, wanted)
    assert figures.content_ok is is_right
    assert finding.reason == (None if is_right else Reason.BAD_ANSWER)
    assert "hello" not in repr(finding)


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "kz1048"])
async def test_a_text_is_found_in_whatever_the_page_is_written(encoding: str) -> None:
    async with serving(page(200, "<p>Мектеп ашық".encode(encoding, "replace"))) as pages:
        finding, figures = await measured(pages.url, {"contains": "Мектеп"})
    assert (finding.reason, figures.content_ok) == (None, True)


async def test_page_that_is_too_long_is_not_read_to_its_end() -> None:
    async with serving(page(200, b"x" * 3_000_000)) as pages:
        finding, figures = await measured(pages.url, max_bytes=100_000)
    assert finding.reason is None
    assert figures.rx_bytes is not None
    assert 100_000 < figures.rx_bytes < 300_000


async def test_too_long_a_page_has_no_right_sha256() -> None:
    digest = hashlib.sha256(b"x" * 200_000).hexdigest()
    async with serving(page(200, b"x" * 200_000)) as pages:
        finding, _ = await measured(pages.url, {"sha256": digest}, max_bytes=1000)
    assert finding.reason == Reason.BAD_ANSWER


@pytest.mark.parametrize(("status", "expected"), [(404, None), (500, None), (200, 204)])
async def test_other_status_is_a_failure_with_its_number(status: int, expected: int | None) -> None:
    async with serving(page(status)) as pages:
        finding, figures = await measured(pages.url, {"status": expected})
    assert (finding.reason, figures.status) == (Reason.BAD_ANSWER, status)


async def test_redirect_on_the_same_host_is_followed() -> None:
    def answer(request: bytes) -> bytes:
        return WHOLE if request.startswith(b"GET /b ") else page(301, location="/b")

    async with serving(answer) as pages:
        finding, figures = await measured(pages.url)
    assert (finding.reason, figures.status, figures.redirects) == (None, 200, 1)
    assert figures.redirect_host == "127.0.0.1"


@pytest.mark.parametrize(("follows", "status"), [(False, 302), (True, 200)])
async def test_redirect_to_another_host_is_followed_only_if_set(follows: bool, status: int) -> None:
    async with serving(WHOLE) as there, resolving(says(0, "127.0.0.1")) as (_, port):
        location = f"http://portal.test:{there.port}/secret?user=7"
        async with serving(page(302, location=location)) as pages:
            finding, figures = await measured(pages.url, other_hosts=follows, dns_port=port, **LOCAL)
    assert (figures.status, figures.redirects, figures.redirect_host) == (status, 1, "portal.test")
    assert len(there.requests) == follows
    assert "secret" not in repr(finding)


async def test_redirects_in_a_circle_come_to_an_end() -> None:
    async with serving(page(302, location="/")) as pages:
        finding, figures = await measured(pages.url, redirects_max=2)
    assert (finding.reason, figures.redirects, len(pages.requests)) == (Reason.BAD_ANSWER, 3, 3)


async def test_redirect_that_leads_nowhere_is_a_bad_answer() -> None:
    async with serving(page(302, location="gopher://x")) as pages:
        finding, _ = await measured(pages.url)
    assert finding.reason == Reason.BAD_ANSWER


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"\x16\x03\x01" * 9]
)
async def test_what_is_no_whole_response_is_a_bad_answer(said: bytes) -> None:
    async with serving(said) as pages:
        finding, figures = await measured(pages.url)
    assert (finding.reason, figures.total_ms) == (Reason.BAD_ANSWER, None)
    assert figures.connect_ms is not None


async def test_silence_is_a_timeout_that_says_where() -> None:
    async with serving(None) as pages:
        finding, figures = await measured(pages.url, timeout_s=0.1)
    assert (finding.reason, finding.detail) == (Reason.TIMEOUT, "the first byte took too long")
    assert (figures.first_byte_ms, figures.status) == (None, None)


async def test_silence_while_tls_begins_is_a_timeout_of_tls() -> None:
    async with serving(None) as pages:
        finding, _ = await measured(f"https://127.0.0.1:{pages.port}/", timeout_s=0.2)
    assert (finding.reason, finding.detail) == (Reason.TIMEOUT, "TLS took too long")


async def test_what_is_no_tls_is_a_tls_failure() -> None:
    async with serving(b"HTTP/1.1 400 no\r\n\r\n") as pages:
        finding, figures = await measured(f"https://127.0.0.1:{pages.port}/")
    assert (finding.reason, figures.tls_error) == (Reason.TLS_FAILED, "no_tls")
    assert (figures.tls_ms, figures.tls_ok) == (None, False)


async def test_tls_that_breaks_under_way_is_a_tls_failure_and_no_question_of_rights(tmp_path: Path) -> None:
    trusted = tls_site.issuer("Trusted Root")
    (tmp_path / "ca.pem").write_bytes(trusted.pem)
    tls_site.write_certificates(tmp_path, "school.test", trusted, tls_site.issuer("Filter Ltd"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "good.crt", tmp_path / "good.key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A middlebox that speaks up in the middle, in plain text."""
        await reader.read(1000)
        os.write(writer.get_extra_info("socket").fileno(), b"HTTP/1.1 403 Forbidden\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server, resolving(says(0, "127.0.0.1")) as (_, port):
        url = f"https://school.test:{server.sockets[0].getsockname()[1]}/"
        finding, figures = await measured(url, ca_file=str(tmp_path / "ca.pem"), dns_port=port, **LOCAL)
    assert (finding.reason, figures.tls_ok, figures.status) == (Reason.TLS_FAILED, True, None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"", Reason.REFUSED), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Reason.GONE)],
)
async def test_a_reset_is_a_refusal_only_before_the_response(said: bytes, reason: Reason) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(said)
        await asyncio.sleep(0.05)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        finding, figures = await measured(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (finding.reason, figures.total_ms) == (reason, None)


async def test_closed_port_is_a_refusal() -> None:
    finding, figures = await measured(f"http://127.0.0.1:{free_port()}/")
    assert (finding.reason, figures.connect_ms, figures.rx_bytes) == (Reason.REFUSED, None, None)


@pytest.mark.parametrize(
    ("resolver", "reason"),
    [(says(3), Reason.NAME_UNKNOWN), (says(2), Reason.DNS_SERVER_FAILURE), (says(0), Reason.NAME_UNKNOWN)],
)
async def test_name_without_address_says_why(resolver: Any, reason: Reason) -> None:
    async with resolving(resolver) as (_, port):
        finding, figures = await measured("http://school.test/", dns_port=port, **LOCAL)
    assert (finding.reason, figures.dns_ms) == (reason, None)


async def test_dead_resolver_is_a_timeout_of_the_name() -> None:
    async with resolving(silence) as (_, port):
        finding, _ = await measured("http://school.test/", dns_port=port, timeout_s=0.2, **LOCAL)
    assert finding.reason == Reason.TIMEOUT
    assert "looking" in (finding.detail or "")


async def test_proxy_is_asked_instead_if_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with serving(WHOLE) as proxy:
        finding, _ = await measured("http://school.test/a", proxy=proxy.url)
    assert finding.reason is None
    assert proxy.requests[0].startswith(b"GET http://school.test/a HTTP/1.1\r\nHost: school.test\r\n")


@pytest.mark.parametrize(("more", "cached"), [({"age": "7"}, True), ({"via": "1.1 squid"}, False)])
async def test_right_page_out_of_a_cache_says_so(more: dict[str, str], cached: bool) -> None:
    async with serving(page(200, b"hello school", **more)) as pages:
        finding, figures = await measured(pages.url, {"contains": "school"})
    assert (finding.reason, figures.content_ok, figures.cached) == (None, True, cached)


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    async with serving(WHOLE) as pages:
        finding, _ = await measured(pages.url)
    assert finding.reason is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (405, Reason.REFUSED),
        (403, Reason.NOT_PERMITTED),
        (407, Reason.NOT_PERMITTED),
        (503, Reason.UNREACHABLE),
        (504, Reason.TIMEOUT),
    ],
)
async def test_proxy_that_will_not_connect_says_why(status: int, reason: Reason) -> None:
    async with serving(page(status)) as proxy:
        finding, figures = await measured("https://school.test/", proxy=proxy.url)
    assert (finding.reason, finding.detail) == (reason, f"the proxy answered CONNECT with {status}")
    assert proxy.requests[0].startswith(b"CONNECT school.test:443 HTTP/1.1\r\n")
    assert (figures.status, figures.tls_ok) == (None, None)


async def test_proxy_that_wants_a_password_is_no_answer_of_the_server() -> None:
    async with serving(page(407)) as proxy:
        finding, figures = await measured("http://school.test/", proxy=proxy.url)
    assert (finding.reason, figures.status) == (Reason.NOT_PERMITTED, 407)
    assert "proxy" in (finding.detail or "")


async def test_what_a_proxy_refuses_is_not_told_as_the_servers_word() -> None:
    async with serving(page(501)) as proxy:
        finding, _ = await measured("http://school.test/", proxy=proxy.url)
    assert (finding.reason, finding.detail) == (
        Reason.BAD_ANSWER,
        "the server or the proxy answered with 501",
    )


async def test_dead_proxy_is_not_told_as_a_dead_server() -> None:
    finding, _ = await measured("http://school.test/", proxy=f"http://127.0.0.1:{free_port()}")
    assert finding.reason == Reason.REFUSED
    assert "connecting to the proxy" in (finding.detail or "")


async def test_both_families_are_asked_and_a_number_by_its_own() -> None:
    async with serving(WHOLE) as pages, resolving(says(0, "127.0.0.1")) as (_, port):
        targets = (Page(url=f"http://school.test:{pages.port}/"), Page(url=pages.url))
        probe = HttpProbe(targets=targets, families=(4, 6), dns_port=port, **LOCAL)
        findings = await probe.measure()
    found = [(f.fields.family, f.reason) for f in findings if isinstance(f.fields, Http)]
    assert found == [("4", None), ("6", Reason.NAME_UNKNOWN), ("4", None)]


async def test_cancellation_passes_and_leaves_no_socket() -> None:
    before = open_sockets()
    async with serving(None) as pages:
        task = asyncio.create_task(measured(pages.url))
        await pages.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.sleep(0.05)
    assert open_sockets() == before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"families": ()}, "families must be 4, 6 or both"),
        ({"families": (5,)}, "families must be 4, 6 or both"),
        ({"targets": (Page(url="http://a/"), Page(url="http://a/"))}, "targets must not repeat"),
        ({"proxy": "https://proxy.test"}, "proxy must be http://host:port"),
        ({"resolvers": ("dns.test",)}, "not an IP address"),
        ({"timeout_s": 17}, "must be shorter than deadline_s"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        HttpProbe(**options)


@pytest.mark.parametrize("options", [{"url": "x"}, {"url": "http://a/", "sha256": "12"}])
def test_impossible_page_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a web address|sha256 must be"):
        Page(**options)
