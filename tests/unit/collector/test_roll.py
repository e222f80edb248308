# SPDX-License-Identifier: Apache-2.0
"""Is a changed registry used at once, and a bad one never?"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from collector.enrolment import load_registry
from collector.health import Health
from collector.roll import Roll
from collector.web.healthz import failing, parts

TEXT = '[[school]]\nid = "s-1"\n[[device]]\nid = "kz-1"\nschool = "s-1"\n'
MORE = TEXT + '[[device]]\nid = "kz-2"\nschool = "s-1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "registry.toml"
    made.write_text(TEXT)
    return made


@pytest.fixture
def roll(file: Path) -> Roll:
    return Roll(registry=load_registry(file), files=[file], read=lambda: load_registry(file), health=Health())


def replace(file: Path, text: str) -> None:
    """As editors do."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_a_device_that_is_written_down_is_known_at_once(roll: Roll, file: Path) -> None:
    replace(file, MORE)
    roll.look()
    assert roll.registry.knows("kz-2")


@pytest.mark.parametrize("text", ["[[school", MORE.replace("kz-2", "KZ"), MORE.replace('"s-1"', '"s-2"', 1)])
def test_a_bad_file_changes_nothing_and_is_told_of_until_it_is_mended(
    roll: Roll, file: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    replace(file, text)
    with caplog.at_level(logging.ERROR, "collector.registry"):
        roll.look()
        roll.look()
    assert roll.registry.devices() == ("kz-1",)
    assert [r.message.split()[0] for r in caplog.records] == ["registry.refused"]
    (part,) = [p for p in failing(parts(roll.health, None)) if p.name == "registry"]
    assert "registry.toml" in part.detail
    replace(file, MORE)
    roll.look()
    assert roll.registry.knows("kz-2")
    assert roll.health.registry_problem is None


def test_a_file_that_is_gone_changes_nothing(roll: Roll, file: Path) -> None:
    file.unlink()
    roll.look()
    assert roll.registry.knows("kz-1")
    assert roll.health.registry_problem is not None


def test_what_has_not_changed_is_not_read(roll: Roll) -> None:
    roll.read = lambda: pytest.fail("read without need")
    roll.look()
