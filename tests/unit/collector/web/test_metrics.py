# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from agent.contract.kinds import Host
from collector.condition import Condition
from collector.health import Health, SinkHealth
from collector.web.metrics import Scrape, text
from collector.web.state import State
from tests.unit.collector.web.test_query import SCHOOL


def scraped(**known: object) -> dict[tuple[str, str], float]:
    sinks = {"store": SinkHealth(written=5, available=True), "influxdb": SinkHealth()}
    health = Health(messages_received=3, messages_refused=Counter({"too_long": 2}), sinks=sinks)
    host = Host(spool_records=7, spool_bytes=4096, spool_oldest_s=90.5, spool_dropped=2, spool_writable=False)
    health.conditions["pi-1"] = Condition(clock_age_s=12, host=host)
    health.conditions["pi-2"] = Condition(clock_age_s=None, host=None)
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


def test_metrics_have_what_each_device_said_of_its_spool_and_clock() -> None:
    found = scraped()
    said = {name: value for (name, device), value in found.items() if device == "pi-1" and "_device_" in name}
    assert said == {
        "schoolpulse_device_clock_known": 1,
        "schoolpulse_device_clock_age_seconds": 12,
        "schoolpulse_device_spool_records": 7,
        "schoolpulse_device_spool_bytes": 4096,
        "schoolpulse_device_spool_oldest_seconds": 90.5,
        "schoolpulse_device_spool_dropped_records": 2,
        "schoolpulse_device_spool_writable": 0,
    }
    assert [name for name, device in found if device == "pi-2"] == ["schoolpulse_device_clock_known"]
    assert found["schoolpulse_device_clock_known", "pi-2"] == 0


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
