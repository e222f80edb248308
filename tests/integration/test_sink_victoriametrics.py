# SPDX-License-Identifier: Apache-2.0
"""Does the real VictoriaMetrics take what influxdb-client writes, through the same path as InfluxDB 2?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.registry import School
from collector.sinks.base import SinkUnavailable
from collector.sinks.influxdb import InfluxDBOptions, InfluxDBSink
from tests.parts.victoriametrics import VictoriaMetrics
from tests.unit.collector.sinks.measurements import AT_MS, measurement, minutes

pytestmark = pytest.mark.parts("victoria-metrics")


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path) as server:
        yield server


async def test_samples_are_the_numbers_that_were_written(victoria: VictoriaMetrics) -> None:
    sink = InfluxDBSink(InfluxDBOptions(url=victoria.url))
    await sink.write(minutes(50))
    await sink.write([measurement(1, school=School(id="17", operator="Қазақтелеком, АҚ"))])
    await sink.close()
    (rtt,) = victoria.series("latency_rtt_min_ms")
    assert rtt["values"] == [min(20 + i % 7, 25.25) for i in range(50)]
    assert rtt["timestamps"] == [AT_MS + 60_000 * i for i in range(50)]
    (up,) = victoria.series('reach_up{operator="Қазақтелеком, АҚ"}')
    assert (up["metric"]["school"], up["values"]) == ("17", [1])


async def test_batch_is_to_be_tried_again_when_server_was_killed(victoria: VictoriaMetrics) -> None:
    sink = InfluxDBSink(InfluxDBOptions(url=victoria.url))
    victoria.kill9()
    with pytest.raises(SinkUnavailable, match="does not answer"):
        await sink.write(minutes(5))
    victoria.start()
    await sink.write(minutes(5))
    await sink.close()
    (rtt,) = victoria.series("latency_rtt_min_ms")
    assert len(rtt["values"]) == 5
