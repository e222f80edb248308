# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import logging
import socket
import string

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from collector.registry import School
from collector.web.options import WebOptions
from collector.web.server import HEADERS, PageUnavailable, serve
from collector.web.view import View
from tests.unit.collector.web.fakes import Reader, view
from tests.unit.collector.web.site import client, one_school

SCHOOL = School(id="kz-1", name="№1 Әйтеке би")
PATHS = (
    "/",
    "/school/kz-1",
    "/school/none",
    "/api/schools.json",
    "/collector",
    "/healthz",
    "/metrics",
    "/static/style.css",
    "/none",
)


async def served(options: WebOptions, shown: View) -> tuple[asyncio.Task[None], str]:
    """The server as a task, and its address once it listens."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(options, shown, started=address.set_result))
    async with asyncio.timeout(10):
        return task, await address


async def test_server_listens_until_it_is_cancelled() -> None:
    task, address = await served(WebOptions(port=0), view(one_school(SCHOOL), SCHOOL))
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert "№1 Әйтеке би" in await answer.text()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", URL(address).port or 0)) != 0


async def test_server_names_address_and_key_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PageUnavailable, match=rf"cannot listen on 127\.0\.0\.1:{port} .*web\.port"):
            await serve(WebOptions(port=port), view())


async def test_nothing_is_served_when_the_page_is_off() -> None:
    await serve(WebOptions(enabled=False), view())


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_carries_the_safe_headers(path: str) -> None:
    async with client(view(one_school(SCHOOL), SCHOOL)) as site, site.get(path) as answer:
        assert {k: answer.headers.get(k) for k in HEADERS} == HEADERS
        assert answer.headers["Server"] == "schoolpulse"
        assert answer.headers["Cache-Control"] == (
            "public, max-age=86400" if "static" in path else "no-store"
        )


async def test_page_is_packed_when_the_browser_can_unpack() -> None:
    async with client(view(one_school(SCHOOL), SCHOOL)) as site:
        packed = await site.get("/", headers={"Accept-Encoding": "gzip"})
        plain = await site.get("/", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_page_can_only_be_read(method: str) -> None:
    async with client(view()) as site, site.request(method, "/") as answer:
        assert answer.status == 405
        assert "can only be read" in await answer.text()


async def test_head_has_no_body() -> None:
    async with client(view()) as site, site.head("/") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_fault_of_ours_is_logged_and_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> float:
        raise ZeroDivisionError("inner secret")

    shown = view(Reader(), SCHOOL)
    async with client(shown) as site:
        object.__setattr__(shown, "now", broken)
        with caplog.at_level(logging.ERROR, "collector.web"):
            answer = await site.get("/")
        assert answer.status == 500
        assert "secret" not in await answer.text()
    assert "page.failed" in caplog.text


async def test_request_is_refused_when_it_is_huge() -> None:
    async with client(view()) as site:
        assert (await site.get("/", params={"q": "x" * 100_000})).status == 400
        assert (await site.get("/", params={"q": "x" * 5_000})).status == 200


@given(
    st.lists(
        st.tuples(st.sampled_from(["q", "state", "page", "tz", "sort", "region", ""]), st.text(max_size=40)),
        max_size=6,
    ),
    st.sampled_from(PATHS),
)
def test_no_query_breaks_a_page(query: list[tuple[str, str]], path: str) -> None:
    status, page = asyncio.run(_asked(str(URL(path).with_query([(k, _sendable(v)) for k, v in query]))))
    assert status in {200, 404}
    assert "<script" not in page


@given(st.text(alphabet=string.printable + "Әк%/.\\\x00\u202e", max_size=60))
def test_no_path_breaks_the_site(path: str) -> None:
    status, page = asyncio.run(_asked(str(URL.build(path="/" + path.lstrip("/")))))
    assert status in {200, 302, 404}
    assert "root:" not in page


@given(st.binary(max_size=200))
def test_no_bytes_break_the_server(request: bytes) -> None:
    status = asyncio.run(_sent(request.replace(b"\n", b"")))
    assert b" 500 " not in status


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


async def _asked(path: str) -> tuple[int, str]:
    async with client(view(one_school(SCHOOL), SCHOOL)) as site:
        answer = await site.get(URL(path, encoded=True), allow_redirects=False)
        return answer.status, (await answer.read()).decode()


async def _sent(request: bytes) -> bytes:
    """The status line for a request whose address is these bytes."""
    async with client(view()) as site:
        reader, writer = await asyncio.open_connection(site.host, site.port)
        writer.write(b"GET /" + request + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(10):
            status = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return status
