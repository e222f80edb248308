# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.response import BadResponse, Response

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: Chunked\r\n\r\n"


def read(data: bytes, *, pieces: int = 10**6, keep_bytes: int = 1000, ends: bool = False) -> Response:
    response = Response(keep_bytes=keep_bytes)
    for at in range(0, len(data), pieces):
        response.feed(data[at : at + pieces])
    if ends:
        response.finish()
    return response


def state(response: Response) -> tuple[object, ...]:
    return (
        response.status,
        response.headers,
        bytes(response.body),
        response.body_bytes,
        response.rx_bytes,
        response.is_complete,
    )


@pytest.mark.parametrize("pieces", [1, 7, 10**6])
@pytest.mark.parametrize(
    ("data", "body"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (CHUNKED + b"3\r\nhel\r\n02;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length:5 \r\n\r\nhello", b"hello"),
        (b"HTTP/1.0 204 No Content\r\nContent-Length: 9\r\n\r\n", b""),
        (b"HTTP/1.1 304\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", b"hello"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\n\r\nhello", b"hello"),
    ],
)
def test_response_is_whole_however_it_comes(data: bytes, body: bytes, pieces: int) -> None:
    response = read(data, pieces=pieces)
    assert (response.is_complete, bytes(response.body), response.body_bytes) == (True, body, len(body))
    assert response.rx_bytes == len(data)


def test_response_without_length_ends_with_the_connection() -> None:
    response = read(OK + b"\r\nhello", pieces=2)
    assert not response.is_complete
    response.finish()
    assert (response.is_complete, bytes(response.body)) == (True, b"hello")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        OK,
        OK + b"Content-Length: 5\r\n\r\nhell",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
    ],
)
def test_end_in_the_middle_is_told(data: bytes) -> None:
    with pytest.raises(BadResponse, match="ended before"):
        read(data, ends=True)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 99 x\r\n\r\n", "not HTTP"),
        (OK + b"no header\r\n\r\n", "a header that is none"),
        (OK + b"Content-Length: -1\r\n\r\n", "no number"),
        (OK + b"Content-Length: 1, 1\r\n\r\n", "no number"),
        (OK + b"Transfer-Encoding: gzip\r\n\r\n", "unknown transfer coding"),
        (CHUNKED + b"0x5\r\n", "a chunk without a size"),
        (CHUNKED + b"1\r\nab\r\n", "longer than its size"),
        (CHUNKED + b"1" * 2000, "a line that is too long"),
        (OK + b"a: " + b"b" * 20_000, "the head of the response is too long"),
    ],
)
def test_what_is_no_response_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(BadResponse, match=problem):
        read(data, pieces=1000)


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED + b"0\r\n", b"x: " + b"y" * 900 + b"\r\n"),
        (CHUNKED, b"1;" + b"z" * 900 + b"\r\nb\r\n"),
    ],
    ids=["interim responses", "trailers", "chunks of one byte"],
)
def test_what_never_comes_to_an_end_is_refused(begin: bytes, again: bytes) -> None:
    response = read(begin)

    def go_on() -> None:
        for _ in range(100_000):
            response.feed(again)

    with pytest.raises(BadResponse, match="no end"):
        go_on()
    assert response.rx_bytes < 500_000


def test_no_more_of_the_body_is_kept_than_wanted() -> None:
    response = read(OK + b"\r\n" + b"x" * 5000, keep_bytes=100, pieces=999)
    assert (len(response.body), response.body_bytes) == (100, 5000)


def test_first_of_several_headers_counts() -> None:
    assert read(OK + b"Location: a\r\nlocation: b\r\n\r\n").headers == {"location": "a"}


heads = st.sampled_from([OK, CHUNKED, OK + b"Content-Length: 20\r\n\r\n"])


@given(st.binary(max_size=60), heads, st.integers(1, 9))
def test_it_makes_no_difference_how_bytes_are_cut(tail: bytes, head: bytes, pieces: int) -> None:
    def outcome(size: int) -> object:
        try:
            return state(read(head + tail, pieces=size))
        except BadResponse:
            return "bad"

    assert outcome(pieces) == outcome(10**6)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6), st.integers(1, 50))
def test_chunks_are_put_together(chunks: list[bytes], pieces: int) -> None:
    data = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    response = read(data, pieces=pieces)
    assert (response.is_complete, bytes(response.body)) == (True, b"".join(chunks))


def test_blanks_within_headers_cost_no_more_than_their_length() -> None:
    """25 heads, as many as are read: by a pattern that goes back at each blank they took 17 s."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (5, 5))\n"
        "from agent.web.response import Response\n"
        "head = b'HTTP/1.1 103 x\\r\\na: x' + b' ' * 15_900 + b'y\\r\\n\\r\\n'\n"
        "Response(keep_bytes=0).feed(head * 25)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_header_keeps_the_blanks_within_it_and_loses_those_around() -> None:
    assert read(OK + b"a: \tx  y \t\r\n\r\n").headers == {"a": "x  y"}
