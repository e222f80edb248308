# SPDX-License-Identifier: Apache-2.0
"""Does the reflector show the pages by which a school tells an open web from a portal?"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import Http, Portal
from agent.probes.http import HttpProbe, Page
from agent.probes.portal import Known, PortalProbe
from collector.reflector.listening import listening_for_pages
from collector.reflector.options import HttpOptions
from collector.reflector.pages import answer_to

HERE = HttpOptions(enabled=True, host="127.0.0.1", port=0)


async def test_the_web_is_open_by_its_pages() -> None:
    async with listening_for_pages(HERE) as port:
        url = f"http://127.0.0.1:{port}"
        known = (
            Known(url=f"{url}/generate_204"),
            Known(url=f"{url}/success.txt", status=200, text="success"),
        )
        verdicts = [(await PortalProbe(targets=(k,)).measure())[0].fields for k in known]
        (page,) = await HttpProbe(targets=(Page(url=f"{url}/success.txt", contains="success"),)).measure()
    assert [v.verdict for v in verdicts if isinstance(v, Portal)] == ["open", "open"]
    assert isinstance(page.fields, Http)
    assert (page.fields.status, page.reason) == (200, None)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /generate_204 HTTP/1.1\r\n\r\n", 204),
        (b"HEAD /success.txt HTTP/1.0\r\n\r\n", 200),
        (b"GET /success.txt?x=1 HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"POST /success.txt HTTP/1.1\r\n\r\n", 405),
        (b"hello\r\n\r\n", 400),
        (b"GET /success.txt HTTP/2\r\n\r\n", 400),
    ],
)
def test_whatever_else_is_asked_for_is_refused(head: bytes, status: int) -> None:
    said = answer_to(head)
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert said.endswith(b"success\n") == (status == 200 and head.startswith(b"GET"))


@given(st.binary(max_size=200))
def test_any_bytes_get_a_short_answer(head: bytes) -> None:
    assert len(answer_to(head)) < 200


async def test_who_asks_nothing_or_too_much_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.reflector.pages._HEAD_S", 0.2)
    async with listening_for_pages(HERE) as port:
        for said in (b"", b"GET /" + b"x" * 10_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            try:
                async with asyncio.timeout(3):
                    assert await reader.read() == b""
            except ConnectionResetError:
                pass
            writer.transport.abort()
