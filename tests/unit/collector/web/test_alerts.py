# SPDX-License-Identifier: Apache-2.0
"""Does the page show what fires, and whose it is?"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from collector.alerts.firing import Firing
from collector.registry import School
from collector.web import alerts
from collector.web.view import View
from tests.unit.collector.web.fakes import NOW_MS, view
from tests.unit.collector.web.site import EVIL, client, one_school

_SCHOOL = School(id="kz-1", name="№1 Әйтеке би", operator="op1")


def fired(**changes: Any) -> Firing:
    plain: dict[str, Any] = {
        "alert": "alert_1",
        "rule": "outage",
        "severity": "critical",
        "says": "no internet",
        "about": "",
        "school": "kz-1",
        "schools": 1,
        "since_ms": NOW_MS - 600_000,
        "flaps": False,
        "owner": None,
        "owned_until_ms": None,
    }
    return Firing(**{**plain, **changes})


def watched(found: Sequence[Firing] | None) -> View:
    return dataclasses.replace(view(one_school(_SCHOOL), _SCHOOL), firing=lambda: found)


async def page(found: Sequence[Firing] | None, path: str = "/") -> str:
    async with client(watched(found)) as site, site.get(path) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_what_fires_is_shown_with_its_owner() -> None:
    many = fired(
        rule="operator_outage",
        says="many schools of one operator are down",
        about="op1",
        school="",
        schools=12,
        owner="Айгерім",
        owned_until_ms=NOW_MS + 3_600_000,
        flaps=True,
    )
    text = await page([fired(), many])
    for words in (
        "no internet",
        "№1 Әйтеке би</a>",
        "nobody",
        "Айгерім",
        "12 schools",
        "op1",
        "comes and goes",
    ):
        assert words in text, words


async def test_nothing_is_shown_where_nothing_fires_or_nobody_looks() -> None:
    for found in ((), None):
        assert "Alerts" not in await page(found)


async def test_a_hostile_owner_is_only_text() -> None:
    text = await page([fired(owner=EVIL, owned_until_ms=NOW_MS, says=EVIL, about=EVIL)])
    assert EVIL not in text


async def test_of_very_many_the_first_are_shown_and_all_are_counted() -> None:
    text = await page([fired(alert=f"alert_{n}") for n in range(1000)])
    assert text.count("no internet</th>") == alerts.SHOWN
    assert "20 of 1" in text


async def test_metrics_count_what_fires_and_what_nobody_owns() -> None:
    found = [fired(), fired(owner="Айгерім", owned_until_ms=NOW_MS), fired(severity="warning")]
    text = await page(found, "/metrics")
    lines = [line for line in text.splitlines() if line.startswith("schoolpulse_alerts_firing{")]
    assert len(lines) == 6
    assert [line for line in lines if not line.endswith(" 0.0")] == [
        'schoolpulse_alerts_firing{owned="false",severity="critical"} 1.0',
        'schoolpulse_alerts_firing{owned="true",severity="critical"} 1.0',
        'schoolpulse_alerts_firing{owned="false",severity="warning"} 1.0',
    ]
    assert "schoolpulse_alerts" not in await page(None, "/metrics")


async def test_machines_get_all_with_every_field() -> None:
    found = json.loads(await page([fired(alert=f"alert_{n}") for n in range(30)], "/api/alerts.json"))
    assert (found["made"], len(found["alerts"])) == (True, 30)
    assert all(set(alert) == set(alerts.FIELDS) for alert in found["alerts"])
    assert set(alerts.FIELDS) == {f.name for f in dataclasses.fields(Firing)}
    assert json.loads(await page(None, "/api/alerts.json"))["made"] is False
