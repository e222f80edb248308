# SPDX-License-Identifier: Apache-2.0
"""Is every alarm after a new start what it was before?"""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.alerts.alarm import Alarm
from collector.alerts.memory import Memory
from collector.alerts.outbox import Outbox

_ALARMS = st.builds(
    Alarm,
    **{
        name: st.from_type(hint)
        for name, hint in typing.get_type_hints(Alarm).items()
        if name in {f.name for f in dataclasses.fields(Alarm)}
    },
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with contextlib.closing(Outbox(tmp_path / "alerts.sqlite")) as outbox:
        yield Memory(outbox)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(alarm=_ALARMS.filter(lambda a: a.value is None or a.value == a.value))
def test_any_alarm_comes_back_as_it_was(memory: Memory, alarm: Alarm) -> None:
    memory.keep([alarm])
    found = {each.key: each for each in memory.alarms()}
    assert found[alarm.key] == alarm


def test_one_that_cannot_be_read_costs_no_other_and_one_of_a_later_version_is_read(memory: Memory) -> None:
    sound = Alarm(rule="outage", subject="kz-1", is_bad=True)
    memory.keep([sound])
    with memory._outbox.transaction() as base:
        base.executemany(
            "INSERT INTO alarm (key, body) VALUES (?, ?)",
            [("a", "no JSON"), ("b", "[]"), ("c", '{"rule": "outage"}'), ("d", '{"rule": "x", "labels": 3}')],
        )
        later = '{"rule": "outage", "subject": "kz-2", "colour": "red"}'
        base.execute("INSERT INTO alarm (key, body) VALUES ('outage/kz-2', ?)", (later,))
    assert sorted(a.subject for a in memory.alarms()) == ["kz-1", "kz-2"]


def test_what_is_noted_is_known(memory: Memory) -> None:
    assert memory.noted("cursor") is None
    for value in ("000001:1", "000001:2"):
        memory.note("cursor", value)
    assert memory.noted("cursor") == "000001:2"
