# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import zlib
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import example, given

from collector.sinks import chunks
from collector.sinks.base import Measurement
from collector.sinks.stored import Damaged, Stored, from_measurement, from_row, to_body
from tests.unit.collector.sinks.measurements import latency, measurement, measurements, minutes


@given(measurements())
@example(
    [
        measurement(1, latency(rtts_ms=(0.1, 0.2, 1e-9), pdv_p95_ms=-0.0)),
        measurement(2, latency(pdv_p95_ms=0.0)),
    ]
)
def test_chunk_reads_back_equal(batch: list[Measurement]) -> None:
    by_kind: dict[str, list[Stored]] = defaultdict(list)
    for m in batch:
        by_kind[m.record.kind].append(from_measurement(m))
    for kind, rows in by_kind.items():
        expected = sorted(rows, key=lambda r: r.order)
        read = chunks.decode(kind, chunks.encode(rows))
        assert read == expected
        assert repr(read).replace("-0.0,", "0.0,") == repr(expected).replace("-0.0,", "0.0,")


@given(measurements())
def test_row_and_record_read_back_equal(batch: list[Measurement]) -> None:
    for m in batch:
        s = from_measurement(m)
        again = from_row((s.device, s.session, s.seq, s.kind, s.at_ms, to_body(s)))
        assert repr(again) == repr(s)
        assert again.record == m.record


def test_field_is_none_when_chunk_is_older_than_it() -> None:
    body = _edited(chunks.encode([from_measurement(measurement(1, latency(method="icmp")))]), "method")
    (read,) = chunks.decode("latency", body)
    assert read.fields == latency()


def test_chunk_is_read_when_a_newer_version_knew_more_fields() -> None:
    document = json.loads(zlib.decompress(chunks.encode([from_measurement(measurement(1, latency()))])))
    document["fields"]["of_tomorrow"] = document["fields"]["sent"]
    (read,) = chunks.decode("latency", zlib.compress(json.dumps(document).encode()))
    assert read.fields == latency()


def test_row_is_read_when_it_is_older_than_a_field() -> None:
    s = from_measurement(measurement(1, latency(method="icmp")))
    *rest, values, _basis = json.loads(to_body(s))
    again = from_row((s.device, s.session, s.seq, s.kind, s.at_ms, json.dumps([*rest, values[:-1]])))
    assert again.fields == latency()


def test_day_of_minutes_takes_less_than_30_bytes_each() -> None:
    body = chunks.encode([from_measurement(m) for m in minutes(1440)])
    assert len(body) / 1440 < 30


@pytest.mark.parametrize(
    "body", [b"", b"x", zlib.compress(b"[]"), zlib.compress(b"{}"), zlib.compress(b"\xff")]
)
def test_damage_is_said_when_chunk_is_not_one(body: bytes) -> None:
    with pytest.raises(Damaged, match="chunk"):
        chunks.decode("latency", body)


@pytest.mark.parametrize("body", ["", "{}", "[]", "[1]", '[1,1,"x",1,1,1,1,1,1,null]'])
def test_damage_is_said_when_row_is_not_one(body: str) -> None:
    with pytest.raises(Damaged, match="seq 7"):
        from_row(("rpi-1", "0123456789abcdef", 7, "latency", 0, body))


def _edited(body: bytes, without: str) -> bytes:
    document: dict[str, Any] = json.loads(zlib.decompress(body))
    del document["fields"][without]
    return zlib.compress(json.dumps(document).encode())
