# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import pytest

from collector.health import Health, SinkHealth
from collector.web.healthz import answer, failing, parts


def working() -> Health:
    return Health(mqtt_connected=True, sinks={"store": SinkHealth(available=True), "influxdb": SinkHealth()})


def test_all_is_well_when_every_part_works() -> None:
    found = parts(working(), None)
    assert [p.name for p in found] == [
        "mqtt",
        "journal",
        "registry",
        "archive",
        "sink influxdb",
        "sink store",
        "page",
    ]
    assert answer(found)["status"] == "ok"


@pytest.mark.parametrize(
    ("break_it", "name", "detail"),
    [
        (lambda h: setattr(h, "mqtt_connected", False), "mqtt", "not connected"),
        (lambda h: setattr(h, "journal_problem", "disk full"), "journal", "disk full"),
        (
            lambda h: h.sinks.update(store=SinkHealth(available=False, problem="locked")),
            "sink store",
            "locked",
        ),
    ],
)
def test_failed_part_is_named(break_it: object, name: str, detail: str) -> None:
    health = working()
    break_it(health)  # type: ignore[operator]
    (part,) = failing(parts(health, None))
    assert (part.name, part.detail) == (name, detail)


@pytest.mark.parametrize(("days", "failed"), [(80, []), (13, ["revocation list"])])
def test_a_revocation_list_that_ends_soon_is_an_alarm(days: int, failed: list[str]) -> None:
    health = working()
    health.crl_until_s = time.time() + days * 86400 + 60
    found = parts(health, None)
    assert answer(found)["failing"] == failed
    assert f"good for {days} days" in [p.detail for p in found]


def test_page_has_failed_when_the_store_cannot_be_read() -> None:
    assert answer(parts(working(), "gone"))["failing"] == ["page"]


def test_reason_for_no_broker_is_told_when_it_is_known() -> None:
    (part,) = failing(parts(Health(mqtt_problem="connection refused"), None))
    assert part.detail == "connection refused"
