# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from collector.health import Health, SinkHealth
from collector.web.metrics import Scrape, text
from collector.web.state import State
from tests.unit.collector.web.test_query import SCHOOL


def scraped(**known: object) -> dict[tuple[str, str], float]:
    sinks = {"store": SinkHealth(written=5, available=True), "influxdb": SinkHealth()}
    health = Health(messages_received=3, messages_refused=Counter({"too_long": 2}), sinks=sinks)
    never = dataclasses.replace(SCHOOL, id='sc"h\n', state=State.PENDING, data_age_s=None)
    scrape = Scrape(health=health, records=known.get("records"), schools=(SCHOOL, never))  # type: ignore[arg-type]
    families = text_string_to_metric_families(text(scrape).decode())
    return {(s.name, "".join(s.labels.values())): s.value for f in families for s in f.samples}


def test_metrics_have_what_health_counts() -> None:
    found = scraped(records=12)
    assert found["schoolpulse_messages_received_total", ""] == 3
    assert found["schoolpulse_messages_refused_total", "too_long"] == 2
    assert found["schoolpulse_sink_written_records_total", "store"] == 5
    assert found["schoolpulse_mqtt_connected", ""] == 0
    assert found["schoolpulse_stored_records", ""] == 12
    assert all(name.startswith("schoolpulse_") for name, _ in found)


def test_metrics_have_each_school_and_state() -> None:
    found = scraped()
    assert found["schoolpulse_schools", "down"] == 1
    assert found["schoolpulse_schools", "up"] == 0
    assert found["schoolpulse_school_data_age_seconds", "kz-1"] == 1


def test_what_is_not_known_has_no_sample() -> None:
    found = scraped()
    assert ("schoolpulse_stored_records", "") not in found
    assert ("schoolpulse_sink_available", "influxdb") not in found
    assert [label for name, label in found if name == "schoolpulse_school_data_age_seconds"] == ["kz-1"]
