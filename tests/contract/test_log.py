# SPDX-License-Identifier: Apache-2.0
"""Is each event one line that a machine can read?"""

from __future__ import annotations

import io
import json
import logging

import pytest

from agent.contract.log import JsonLines, UnknownLevel, start_logging


def test_an_event_is_one_json_object() -> None:
    record = logging.makeLogRecord(
        {"name": "collector.x", "levelname": "INFO", "msg": "a.b c=%d", "args": (7,)}
    )
    said = json.loads(JsonLines().format(record))

    assert (said["message"], said["logger"], said["level"]) == ("a.b c=7", "collector.x", "INFO")
    assert said["at"].endswith("+00:00")


@pytest.mark.parametrize(("is_terminal", "start"), [(True, "2"), (False, "{")])
def test_people_get_plain_lines_and_machines_json(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, start: str
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: is_terminal)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(logging, "root", root := logging.RootLogger(logging.WARNING))
    monkeypatch.setenv("SCHOOLPULSE_LOG_LEVEL", "debug")

    start_logging()
    root.debug("a.b")

    assert terminal.getvalue().startswith(start)


@pytest.mark.parametrize("level", ["foo", "10", "NOTSET"])
def test_a_level_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv("SCHOOLPULSE_LOG_LEVEL", level)

    with pytest.raises(UnknownLevel, match=f"SCHOOLPULSE_LOG_LEVEL: '{level}' is not one of DEBUG, INFO"):
        start_logging()


def test_a_traceback_stays_on_the_line() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        1 / 0  # noqa: B018  # for its error
    record = logging.makeLogRecord({"msg": "a.failed", "exc_info": (raised.type, raised.value, raised.tb)})

    line = JsonLines().format(record)

    assert "\n" not in line
    assert "ZeroDivisionError" in json.loads(line)["traceback"]
