# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.contract.decoder import DecodeError, decode
from collector.sinks.base import SinkRejected, SinkUnavailable
from collector.sinks.influxdb import InfluxDBOptions, InfluxDBSink, read_token
from tests.parts.program import free_port
from tests.parts.scripted_http import Answer, Request, ScriptedHTTP
from tests.unit.collector.sinks.measurements import measurement, minutes


@contextlib.asynccontextmanager
async def sink_to(
    answer: Callable[[Request], Answer], **options: Any
) -> AsyncIterator[tuple[InfluxDBSink, ScriptedHTTP]]:
    with ScriptedHTTP(answer) as server:
        sink = InfluxDBSink(InfluxDBOptions(url=server.url, timeout_s=5, **options))
        yield sink, server
        await sink.close()


def always(status: int, body: Any = b"", **headers: str) -> Callable[[Request], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Answer(status=status, body=body, headers=named)


def refusing(is_bad: Callable[[str], bool], *, says_dropped: bool) -> Callable[[Request], Answer]:
    """As InfluxDB does: the good lines are stored, the number of others is named (or is not)."""

    def answer(request: Request) -> Answer:
        bad = [text for text in request.body.decode().split("\n") if is_bad(text)]
        said = f"partial write: conflict dropped={len(bad)}" if says_dropped else "unable to parse"
        return Answer(status=400, body={"error": said}) if bad else Answer()

    return answer


async def test_batch_goes_out_in_requests_of_limited_length() -> None:
    async with sink_to(always(204), lines_per_request=4, org="o", bucket="b c") as (sink, server):
        await sink.write(minutes(10))
    assert [r.body.count(b"\n") + 1 for r in server.requests] == [4, 4, 2]
    assert server.requests[0].path == "/api/v2/write?org=o&bucket=b+c&precision=us"


async def test_nothing_is_sent_when_batch_is_empty() -> None:
    async with sink_to(always(500)) as (sink, server):
        await sink.write([])
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (500, "500"),
        (503, "503"),
        (401, "token"),
        (403, "permissions"),
        (404, "bucket"),
        (302, "302"),
        (400, "400"),
    ],
)
async def test_batch_is_to_be_tried_again_when_server_answers(status: int, word: str) -> None:
    async with sink_to(always(status, b"<html>no</html>")) as (sink, _):
        with pytest.raises(SinkUnavailable, match=word) as e:
            await sink.write(minutes(2))
    assert e.value.retry_after_s is None


async def test_wait_is_as_long_as_the_server_asks_when_it_is_busy() -> None:
    async with sink_to(always(429, Retry_After="17")) as (sink, _):
        with pytest.raises(SinkUnavailable) as e:
            await sink.write(minutes(2))
    assert e.value.retry_after_s == 17


async def test_wait_may_be_a_date() -> None:
    date = dt.datetime(2020, 1, 1, tzinfo=dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for value, expected in ((date, 0.0), ("soon", None)):
        async with sink_to(always(503, Retry_After=value)) as (sink, _):
            with pytest.raises(SinkUnavailable) as e:
                await sink.write(minutes(1))
        assert e.value.retry_after_s == expected


async def test_batch_is_to_be_tried_again_when_nobody_listens() -> None:
    sink = InfluxDBSink(InfluxDBOptions(url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(SinkUnavailable, match="does not answer"):
        await sink.write(minutes(1))
    await sink.close()


async def test_batch_is_to_be_tried_again_when_server_never_answers() -> None:
    with ScriptedHTTP(lambda _: Answer(never=True)) as server:
        sink = InfluxDBSink(InfluxDBOptions(url=server.url, timeout_s=0.2))
        with pytest.raises(SinkUnavailable, match="does not answer"):
            await sink.write(minutes(1))
        await sink.close()


@pytest.mark.parametrize("says_dropped", [True, False])
async def test_only_bad_lines_are_refused_when_some_are(says_dropped: bool) -> None:
    answer = refusing(lambda text: text.startswith("reach"), says_dropped=says_dropped)
    batch = minutes(40)
    batch[3], batch[20], batch[39] = (measurement(n) for n in (3, 20, 39))
    async with sink_to(answer) as (sink, _):
        with pytest.raises(SinkRejected) as e:
            await sink.write(batch)
    assert [r.index for r in e.value.rejections] == [3, 20, 39]


async def test_one_request_is_enough_when_all_lines_are_refused() -> None:
    async with sink_to(refusing(bool, says_dropped=True)) as (sink, server):
        with pytest.raises(SinkRejected, match="conflict") as e:
            await sink.write(minutes(500))
    assert (len(e.value.rejections), len(server.requests)) == (500, 1)


async def test_nothing_is_refused_when_server_fails_while_it_is_searched() -> None:
    def answer(request: Request) -> Answer:
        is_first = request.body.count(b"\n") == 9
        return Answer(status=422, body={"message": "bad line"}) if is_first else Answer(status=503)

    async with sink_to(answer) as (sink, _):
        with pytest.raises(SinkUnavailable):
            await sink.write(minutes(10))


async def test_request_is_split_when_it_is_too_large() -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=413 if len(request.body) > 1000 else 204)

    async with sink_to(answer) as (sink, server):
        await sink.write(minutes(20))
    stored = [r for r in server.requests if len(r.body) <= 1000]
    assert sum(r.body.count(b"\n") + 1 for r in stored) == 20


async def test_line_is_refused_when_it_alone_is_too_large() -> None:
    async with sink_to(always(413)) as (sink, _):
        with pytest.raises(SinkRejected, match="larger"):
            await sink.write(minutes(1))


async def test_token_of_a_file_is_sent(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    async with sink_to(always(204), token_file=str(tmp_path / "token")) as (sink, server):
        await sink.write(minutes(1))
    assert server.requests[0].headers["Authorization"] == "Token abc"


def test_token_may_be_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "influx").write_text("abc")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_token(InfluxDBOptions(token_file="influx")) == "abc"


def test_sink_is_not_made_when_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(DecodeError, match=r"token_file: .*CREDENTIALS_DIRECTORY"):
        InfluxDBSink(InfluxDBOptions(token_file="influx"))


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff", b"a\nb", "ключ".encode()])
def test_sink_is_not_made_when_token_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DecodeError, match="token_file: "):
        InfluxDBSink(InfluxDBOptions(token_file=str(path)))


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            {"url": "influx:8086"},
            r"sinks\.influxdb\.url: 'influx:8086' is not an http:// or https:// address",
        ),
        ({"bucket": ""}, r"sinks\.influxdb\.bucket: must not be empty"),
        ({"token_file": ""}, r"sinks\.influxdb\.token_file: must not be empty"),
        ({"url": "http://[::1"}, "is not an address: Invalid IPv6 URL"),
        ({"url": "http://influx:0"}, "has port 0"),
        ({"url": " http://influx"}, "is not an http:// or https:// address"),
        ({"url": "admin:hunter2@influx"}, "must not hold a user name or password"),
        ({"lines_per_request": 5001}, r"lines_per_request: 5001 is outside 1 … 5000"),
        ({"timeout": 3}, "timeout: unknown key; did you mean 'timeout_s'"),
    ],
)
def test_options_are_refused_when_impossible(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DecodeError, match=sentence):
        decode(InfluxDBOptions, table, strict=True, path="sinks.influxdb")
