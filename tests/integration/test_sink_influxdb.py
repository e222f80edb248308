# SPDX-License-Identifier: Apache-2.0
"""Does the real InfluxDB hold what influxdb-client was given, each record once, whatever happens to it?"""

from __future__ import annotations

import contextlib
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import KINDS, Latency
from collector.registry import School
from collector.sinks.base import Measurement, SinkRejected, SinkUnavailable
from collector.sinks.influxdb import InfluxDBOptions, InfluxDBSink
from collector.sinks.lines import time_us
from tests.parts.influxdb import InfluxDB
from tests.parts.nginx import InfluxShim
from tests.parts.small_disk import fill, small_disk
from tests.unit.collector.sinks.measurements import AT_MS, event, measurement, minutes, reach

pytestmark = pytest.mark.parts("influxdb", "nginx")
TOKEN = "secret-token"
# Not a statement that anybody's words get into: kinds are ours, and InfluxQL has no parameters for names.
COUNT = {kind: f'SELECT count("ok") FROM "{kind}"' for kind in KINDS}  # noqa: S608
NASTY = School(id="№ 5 Әбай", operator="Қазақтелеком, АҚ = x\\", region="line\nfeed x=1")


@pytest.fixture
def influxdb(tmp_path: Path) -> Iterator[InfluxDB]:
    with InfluxDB(tmp_path) as server:
        yield server


@pytest.fixture
def shim(tmp_path: Path, influxdb: InfluxDB) -> Iterator[InfluxShim]:
    with InfluxShim(tmp_path, influxdb.port, token=TOKEN) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def sink_to(shim: InfluxShim, *, token: str = TOKEN, **options: Any) -> AsyncIterator[InfluxDBSink]:
    path = shim.directory / "token"
    path.write_text(token)
    sink = InfluxDBSink(InfluxDBOptions(url=shim.url, token_file=str(path), timeout_s=5, **options))
    yield sink
    await sink.close()


def count(influxdb: InfluxDB, kind: str) -> int:
    rows = influxdb.query(COUNT[kind])
    return int(rows[0]["count"]) if rows else 0


async def test_influxql_reads_the_numbers_that_were_written(influxdb: InfluxDB, shim: InfluxShim) -> None:
    batch = minutes(100)
    async with sink_to(shim) as sink:
        await sink.write(batch)
    rows = influxdb.query('SELECT * FROM "latency" ORDER BY time')
    for m, row in zip(batch, rows, strict=True):
        fields = m.record.fields
        assert isinstance(fields, Latency)
        assert row["time"] == time_us(m) * 1000
        assert (row["school"], row["device"], row["target"]) == ("17", "rpi-1", "1.1.1.1")
        assert (row["sent"], row["rtt_min_ms"], row["loss_ratio"]) == (
            3,
            fields.rtt_min_ms,
            fields.loss_ratio,
        )
        assert (row["ok"], row["duration_ms"], row["received_delay_ms"]) == (1, 812, 1500)


async def test_names_come_back_readable_when_they_are_nasty(influxdb: InfluxDB, shim: InfluxShim) -> None:
    async with sink_to(shim) as sink:
        await sink.write([measurement(1, school=NASTY), measurement(2, school=NASTY)])
    assert count(influxdb, "reach") == 2
    (row,) = influxdb.query('SELECT count("ok") FROM "reach" GROUP BY school, operator, region')
    assert row["school"] == "№ 5 Әбай"
    assert row["operator"] == "Қазақтелеком, АҚ = x/"
    assert row["region"] == "line feed x=1"


async def test_failures_are_counted_by_reason(influxdb: InfluxDB, shim: InfluxShim) -> None:
    batch = [
        measurement(1),
        measurement(2, reach(), reason="timeout"),
        measurement(3, reach(), reason="timeout"),
    ]
    async with sink_to(shim) as sink:
        await sink.write(batch)
    (row,) = influxdb.query(
        'SELECT sum("ok") AS ok, count("ok") AS n, sum("failed_timeout") AS late FROM "reach"'
    )
    assert (row["ok"], row["n"], row["late"]) == (1, 3, 2)


async def test_each_is_stored_once_when_batch_is_sent_twice(influxdb: InfluxDB, shim: InfluxShim) -> None:
    async with sink_to(shim, lines_per_request=70) as sink:
        for _ in range(2):
            await sink.write(minutes(500))
    assert count(influxdb, "latency") == 500


async def test_events_of_one_millisecond_are_all_kept(influxdb: InfluxDB, shim: InfluxShim) -> None:
    async with sink_to(shim) as sink:
        await sink.write([event("probe_overran", seq) for seq in range(1, 6)])
    assert count(influxdb, "event") == 5


async def test_only_records_of_another_type_are_refused(influxdb: InfluxDB, shim: InfluxShim) -> None:
    write_directly(influxdb, f'reach,school=x anchors="a word" {AT_MS}')
    batch: list[Measurement] = minutes(50)
    batch[10], batch[30] = measurement(10), measurement(30)
    async with sink_to(shim) as sink:
        with pytest.raises(SinkRejected) as e:
            await sink.write(batch)
    assert [r.index for r in e.value.rejections] == [10, 30]
    assert "field type conflict" in e.value.rejections[0].reason
    assert count(influxdb, "latency") == 48


async def test_only_record_outside_all_time_is_refused(influxdb: InfluxDB, shim: InfluxShim) -> None:
    batch = [*minutes(4), measurement(9, at_ms=2**53 - 1), measurement(10, at_ms=1 - 2**53)]
    async with sink_to(shim) as sink:
        with pytest.raises(SinkRejected) as e:
            await sink.write(batch)
    assert [r.index for r in e.value.rejections] == [4, 5]
    assert count(influxdb, "latency") == 4


async def test_each_is_stored_once_when_server_is_killed(influxdb: InfluxDB, shim: InfluxShim) -> None:
    batch = minutes(600)
    async with sink_to(shim) as sink:
        await sink.write(batch[:300])
        influxdb.kill9()
        with pytest.raises(SinkUnavailable, match="502"):
            await sink.write(batch)
        influxdb.start()
        assert count(influxdb, "latency") == 300
        await sink.write(batch)
    assert count(influxdb, "latency") == 600


async def test_each_is_stored_once_when_the_servers_disk_was_full(tmp_path: Path) -> None:
    """InfluxDB shows what it refused until it is killed; only what is written again is there to stay."""
    with (
        small_disk(tmp_path / "disk", "3m"),
        InfluxDB(tmp_path / "disk") as influxdb,
        InfluxShim(tmp_path, influxdb.port, token=TOKEN) as shim,
    ):
        async with sink_to(shim) as sink:
            await sink.write(minutes(100))
            fill(tmp_path / "disk" / "filler")
            for _ in range(3):
                with pytest.raises(SinkUnavailable, match="no space left on device"):
                    await sink.write(minutes(600))
            influxdb.kill9()
            (tmp_path / "disk" / "filler").unlink()
            influxdb.start()
            assert count(influxdb, "latency") == 100
            await sink.write(minutes(600))
        assert count(influxdb, "latency") == 600


async def test_each_is_stored_once_when_server_hangs(influxdb: InfluxDB, shim: InfluxShim) -> None:
    async with sink_to(shim) as sink:
        influxdb.signal(signal.SIGSTOP)
        object.__setattr__(sink._client.api_client.configuration, "timeout", 200)
        with pytest.raises(SinkUnavailable, match="does not answer"):
            await sink.write(minutes(10))
        influxdb.signal(signal.SIGCONT)
        object.__setattr__(sink._client.api_client.configuration, "timeout", 5000)
        await sink.write(minutes(10))
    assert count(influxdb, "latency") == 10


async def test_nothing_is_refused_when_token_is_wrong(influxdb: InfluxDB, shim: InfluxShim) -> None:
    async with sink_to(shim, token="another") as sink:
        with pytest.raises(SinkUnavailable, match="token was refused"):
            await sink.write(minutes(1))
    assert count(influxdb, "latency") == 0


async def test_nothing_is_refused_when_there_is_no_such_bucket(shim: InfluxShim) -> None:
    async with sink_to(shim, bucket="elsewhere") as sink:
        with pytest.raises(SinkUnavailable, match=r"database not found.*check \[sinks\.influxdb\] url"):
            await sink.write(minutes(1))


async def test_long_request_is_split_when_proxy_takes_only_short_ones(
    tmp_path: Path, influxdb: InfluxDB
) -> None:
    with InfluxShim(tmp_path, influxdb.port, token=TOKEN, max_body="8k") as shim:
        async with sink_to(shim) as sink:
            await sink.write(minutes(300))
    assert count(influxdb, "latency") == 300


def write_directly(influxdb: InfluxDB, line: str) -> None:
    url = f"{influxdb.url}/write?db={influxdb.database}&precision=ms"
    urllib.request.urlopen(url, line.encode(), timeout=10).close()
