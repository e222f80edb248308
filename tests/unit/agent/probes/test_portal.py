# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from typing import Any

import pytest

from agent.contract.kinds import Portal
from agent.contract.reason import Reason
from agent.probes.base import Finding
from agent.probes.portal import Known, PortalProbe
from tests.unit.agent.echo.peers import free_port, resolving, says
from tests.unit.agent.web.pages import page, serving

LOGIN = b"<html><FORM action=/login><input name=phone></form>"
AWAY = page(302, location="http://portal.test/login?mac=00:11:22:33:44:55")


async def measured(*known: Known, **options: Any) -> tuple[Finding, Portal]:
    (finding,) = await PortalProbe(targets=known, **options).measure()
    assert isinstance(finding.fields, Portal)
    return finding, finding.fields


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (page(204), "open"),
        (AWAY, "portal"),
        (page(511), "portal"),
        (page(200, LOGIN), "portal"),
        (page(200, b"<script>window.location='//x'</script>"), "portal"),
        (page(302, location="http://pay.test/QUOTA-exceeded"), "quota"),
        (page(200, "<p>Лимит Трафика исчерпан".encode()), "quota"),
        (page(200, "<p>Лимит трафика исчерпан".encode("windows-1251")), "quota"),
        (page(200, "<p>ЛИМИТ ТРАФИКА".encode("koi8-r")), "quota"),
        (page(200, "<p>Интернет-трафик таусылды".encode()), "quota"),
        (page(200, "<p>На счёте недостаточно&nbsp;средств".encode()), "quota"),
        (page(200, "<p>&#1083;имит трафика".encode()), "quota"),
        (page(200, "<p>Қаражат жеткіліксіз".encode("kz1048")), "quota"),
        (page(200, "<p>Лимит трафика исчерпан".encode("cp866")), "quota"),
        (page(200, "<p>Лимит трафика исчерпан".encode("iso8859-5")), "quota"),
        (page(200, "<p>Лимит трафика исчерпан".encode("utf-16")), "quota"),
        (page(200, LOGIN.decode().encode("utf-16-be")), "portal"),
        (page(200, gzip.compress(LOGIN), content_encoding="gzip"), "portal"),
        (page(200, zlib.compress("Трафик исчерпан".encode()), content_encoding="Deflate"), "quota"),
        (page(200, b"no gzip at all <form>", content_encoding="gzip"), "portal"),
        (page(200, b"&#" + b"9" * 5000 + b";<form>"), "portal"),
        (
            page(302, location="http://pay.test/?why=%D0%B8%D1%81%D1%87%D0%B5%D1%80%D0%BF%D0%B0%D0%BD"),
            "quota",
        ),
        (page(302, location="http://pay.test/исчерпан"), "quota"),
        (page(302, location="http://login.test/вход?ссылка"), "portal"),
        (page(302, location="http://login.test/a b|c"), "portal"),
        (page(302, location="http://login.test/?" + "x" * 4000), "portal"),
        (page(402), "quota"),
        (page(511, "<p>Пакет трафика исчерпан".encode()), "quota"),
        (page(200, b"<meta content='0;url=http://x.test/' HTTP-EQUIV=Refresh>"), "portal"),
        (page(200, b"<meta http-equiv = 'refresh' content='0'>"), "portal"),
        (page(200, b"<script>top.location.replace('//x')</script>"), "portal"),
        (page(200, b"<script>document.location = '//x'</script>"), "portal"),
        (page(200, b"<p>wait", refresh="0; url=http://login.test/"), "portal"),
        (page(200, b"<p>an advertisement"), "tampered"),
        (page(200, b"<p>our location is in town"), "tampered"),
        (page(404), "tampered"),
        (page(302, location="/here"), "tampered"),
        (page(302, location="http://[broken"), "tampered"),
        (page(403, b"forbidden by policy"), "blocked"),
        (page(451), "blocked"),
    ],
)
async def test_verdict_is_what_the_answer_shows(said: bytes, verdict: str) -> None:
    async with serving(said) as pages:
        finding, figures = await measured(Known(url=pages.url))
    assert (figures.verdict, figures.open, finding.reason) == (verdict, verdict == "open", None)
    assert figures.verdict_code == ("open", "portal", "quota", "tampered", "blocked").index(verdict)
    assert figures.rx_bytes == len(said)


async def test_a_packed_page_is_unpacked_no_further_than_a_plain_one_is_read() -> None:
    bomb = gzip.compress(b" " * 50_000_000 + b"<form>")
    assert len(bomb) < 65_536
    async with serving(page(200, bomb, content_encoding="gzip")) as pages:
        tracemalloc.start()
        _, figures = await measured(Known(url=pages.url))
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert figures.verdict == "tampered"
    assert most_bytes < 5_000_000


async def test_the_page_of_an_open_web_is_asked_for_unpacked() -> None:
    async with serving(page(204)) as pages:
        await measured(Known(url=pages.url))
    assert b"\r\nAccept-Encoding: identity\r\n" in pages.requests[0]


async def test_no_page_is_asked_for_that_a_cache_may_have() -> None:
    async with serving(page(204)) as pages:
        for path in ("", "", "?a=b"):
            _, figures = await measured(Known(url=f"{pages.url}{path}"))
            assert figures.target == f"{pages.url}{path}"
    asked = [request.split()[1] for request in pages.requests]
    assert len(set(asked)) == len(asked) == 3
    assert asked[2].startswith(b"/?a=b&")


async def test_redirect_to_a_host_in_kazakh_letters_is_named_as_the_dns_does() -> None:
    async with serving(page(302, location="http://кіру.қаз/?a=б")) as pages:
        _, figures = await measured(Known(url=pages.url))
    assert (figures.verdict, figures.redirect_host) == ("portal", "xn--j1amj8e.xn--80ao21a")


async def test_of_a_redirect_only_the_host_is_kept() -> None:
    async with serving(AWAY) as pages:
        finding, figures = await measured(Known(url=pages.url))
    assert (figures.redirect_host, figures.status) == ("portal.test", 302)
    assert "00:11" not in repr(finding)
    assert "login" not in repr(finding)


@pytest.mark.parametrize(("body", "verdict"), [(b"success\n", "open"), (b"succeeded? no", "tampered")])
async def test_page_is_open_when_it_holds_its_text(body: bytes, verdict: str) -> None:
    async with serving(page(200, body)) as pages:
        _, figures = await measured(Known(url=pages.url, status=200, contains="success"))
    assert figures.verdict == verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b" success\r\n", "open"),
        (b"success", "open"),
        (b"<button class='btn btn-success'>", "tampered"),
        (b"<form action=/login class=success>", "portal"),
        (b"", "tampered"),
    ],
)
async def test_page_is_open_only_when_it_is_its_text_and_nothing_else(body: bytes, verdict: str) -> None:
    async with serving(page(200, body)) as pages:
        _, figures = await measured(Known(url=pages.url, status=200, text="success"))
    assert figures.verdict == verdict


async def test_a_page_of_its_own_that_only_mentions_the_text_is_not_taken_for_open_by_default() -> None:
    (known,) = (k for k in PortalProbe().targets if k.status == 200)
    async with serving(page(200, b"<style>.alert-success{color:green}</style><p>Wi-Fi")) as pages:
        _, figures = await measured(
            Known(url=pages.url, status=200, text=known.text, contains=known.contains)
        )
    assert not figures.open


async def test_next_page_is_asked_only_when_the_first_is_not_open() -> None:
    async with serving(AWAY) as first, serving(page(204)) as second, serving(page(204)) as third:
        known = [Known(url=pages.url) for pages in (first, second, third)]
        findings = await PortalProbe(targets=tuple(known)).measure()
    verdicts = [f.fields.verdict for f in findings if isinstance(f.fields, Portal)]
    assert (verdicts, third.requests) == (["portal", "open"], [])


async def test_refusal_of_a_host_that_has_an_address_is_blocked() -> None:
    finding, figures = await measured(Known(url=f"http://127.0.0.1:{free_port()}/"))
    assert (figures.verdict, finding.reason) == ("blocked", None)


@pytest.mark.parametrize(
    ("rcode", "reason"), [(3, Reason.NAME_UNKNOWN), (5, Reason.REFUSED), (2, Reason.DNS_SERVER_FAILURE)]
)
async def test_name_without_address_is_a_failure_and_no_verdict(rcode: int, reason: Reason) -> None:
    async with resolving(says(rcode)) as (_, port):
        options = {"resolvers": ("127.0.0.1",), "dns_port": port}
        finding, figures = await measured(Known(url="http://known.test/"), **options)
    assert (figures.verdict, figures.open, finding.reason) == (None, None, reason)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (b"HTTP/1.1 302 x\r\nLocation: http://login.test/\r\n\r\n", "portal"),
        (b"HTTP/1.1 511 x\r\n\r\n", "portal"),
        (b"HTTP/1.1 200 x\r\nContent-Length: 900000\r\n\r\n<form>", "portal"),
        ("HTTP/1.1 200 x\r\n\r\n<p>Трафик исчерпан".encode(), "quota"),
        (b"HTTP/1.1 403 x\r\n\r\n", "blocked"),
        (b"HTTP/1.1 200 x\r\n\r\n<p>hello", None),
        (b"HTTP/1.1 200 x\r\nContent-Length: 8\r\n\r\nsuccess", None),
        (b"HTTP/1.1 302 x\r\nLocation: http://login.test/\r\n", None),
    ],
)
async def test_a_portal_that_holds_its_connection_open_is_known_by_what_it_said(
    said: bytes, verdict: str | None
) -> None:
    held = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await held.wait()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finding, figures = await measured(Known(url=url, status=200, text="success"), timeout_s=0.3)
    held.set()
    server.close()
    assert (figures.verdict, finding.reason) == (verdict, None if verdict else Reason.TIMEOUT)
    assert (figures.open, figures.total_ms) == (False if verdict else None, None)


@pytest.mark.parametrize(
    ("status", "reason"), [(502, Reason.UNREACHABLE), (503, Reason.UNREACHABLE), (504, Reason.TIMEOUT)]
)
async def test_a_proxy_that_gets_no_further_is_a_failure_and_no_verdict(status: int, reason: Reason) -> None:
    async with serving(page(status, b"<p>ERR_CONNECT_FAIL")) as pages:
        finding, figures = await measured(Known(url=pages.url))
    assert (figures.verdict, figures.open, figures.status, finding.reason) == (None, None, status, reason)


async def test_a_quota_page_is_one_whatever_its_status() -> None:
    async with serving(page(503, "<p>Трафик исчерпан".encode())) as pages:
        finding, figures = await measured(Known(url=pages.url))
    assert (figures.verdict, finding.reason) == ("quota", None)


async def test_silence_is_a_failure_and_no_verdict() -> None:
    async with serving(None) as pages:
        finding, figures = await measured(Known(url=pages.url), timeout_s=0.1)
    assert (figures.verdict, finding.reason) == (None, Reason.TIMEOUT)


async def test_certificates_of_the_system_are_not_read_for_a_page_without_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", pytest.fail)
    async with serving(page(204)) as pages:
        _, figures = await measured(Known(url=pages.url))
    assert figures.open


async def test_cancellation_passes() -> None:
    async with serving(None) as pages:
        task = asyncio.create_task(measured(Known(url=pages.url)))
        await pages.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"targets": ()}, "targets must name at least one page"),
        ({"quota_markers": ("",)}, "must not hold an empty text"),
        ({"timeout_s": 30}, "must be shorter than deadline_s"),
        ({"resolvers": ("x.test",)}, "not an IP address"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PortalProbe(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "https://example.org/"}, "a page over TLS"),
        ({"url": "http://example.org/", "status": 200}, "needs `text`"),
    ],
)
def test_impossible_page_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Known(**options)
