# SPDX-License-Identifier: Apache-2.0
"""Is in the wheel what belongs there, and does each extra pull only what its program needs?"""

from __future__ import annotations

import importlib.metadata
import re
import zipfile
from pathlib import Path

import pytest

from tests.deploy.wheel import TREE


@pytest.fixture
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture
def metadata(wheel: Path) -> importlib.metadata.PathDistribution:
    folder = wheel.name.rsplit("-", 3)[0] + ".dist-info"
    return importlib.metadata.PathDistribution(zipfile.Path(wheel) / folder)


def _needed(metadata: importlib.metadata.PathDistribution, extra: str) -> set[str]:
    lines = [line for line in metadata.requires or [] if re.search(rf"extra == .{extra}.$", line)]
    return {re.split(r"[<>=;\s]", line)[0].lower() for line in lines}


def test_wheel_holds_the_three_programs_and_nothing_else(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"agent", "collector", "firmware_bridge"}


def test_wheel_holds_every_source_file(names: set[str]) -> None:
    folders = ("agent", "collector", "firmware_bridge")
    sources = {str(p.relative_to(TREE)) for folder in folders for p in (TREE / folder).rglob("*.py")}
    assert sources <= names
    assert len(sources) > 50


def test_wheel_holds_the_files_that_are_not_python(names: set[str]) -> None:
    data = [p for pattern in ("agent/contract/*.json", "collector/web/*/*") for p in TREE.glob(pattern)]
    wanted = {str(p.relative_to(TREE)) for p in data if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert wanted <= names
    assert "agent/contract/schema.json" in wanted
    assert any(name.startswith("collector/web/templates/") for name in wanted)


def test_agent_pulls_no_database_and_no_web_server(metadata: importlib.metadata.PathDistribution) -> None:
    assert _needed(metadata, "agent") == {"cryptography", "paho-mqtt", "psutil", "websockets"}


def test_collector_pulls_no_serial_port(metadata: importlib.metadata.PathDistribution) -> None:
    needed = _needed(metadata, "collector")
    assert {"influxdb-client", "aiohttp", "paho-mqtt"} <= needed
    assert not {"pyserial", "psutil", "amqtt"} & needed


def test_nothing_is_pulled_without_an_extra(metadata: importlib.metadata.PathDistribution) -> None:
    assert not [line for line in metadata.requires or [] if "extra ==" not in line]


def test_programs_are_installed_by_name(metadata: importlib.metadata.PathDistribution) -> None:
    scripts = {e.name: e.value for e in metadata.entry_points if e.group == "console_scripts"}
    assert scripts == {
        "school-agent": "agent.__main__:main",
        "school-collector": "collector.__main__:main",
        "firmware-bridge": "firmware_bridge.__main__:main",
    }


def test_python_is_3_11_to_3_13(metadata: importlib.metadata.PathDistribution) -> None:
    assert set(metadata.metadata["Requires-Python"].split(",")) == {">=3.11", "<3.14"}
