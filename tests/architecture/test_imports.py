# SPDX-License-Identifier: Apache-2.0
"""Does every file import only what its room allows? (import-linter checks the packages, this the rest.)"""

from __future__ import annotations

import ast
import configparser
import re
import sys
from pathlib import Path

import pytest

from tests.architecture.source import TREE, files, imports, is_within, module
from tests.suites import SUITES

OURS = {"agent", "collector", "firmware_bridge"}

EXTRAS = {"agent": ("agent", "path"), "firmware_bridge": ("bridge",), "collector": ("collector", "demo")}
"""Extras of setup.cfg whose packages a program may import."""

IMPORT_NAMES = {
    "influxdb-client": "influxdb_client",
    "paho-mqtt": "paho",
    "pyserial": "serial",
    "prometheus-client": "prometheus_client",
}
"""Where a distribution's import name is not its own."""

IO_MODULES = {
    "asyncio",
    "http",
    "logging",
    "os",
    "pathlib",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "urllib",
}


def _named(path: Path) -> str:
    return str(path.relative_to(TREE))


@pytest.mark.parametrize("path", files("agent/contract"), ids=_named)
def test_contract_imports_only_the_standard_library(path: Path) -> None:
    strange = [
        name
        for name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names and not is_within(name, "agent.contract")
    ]
    assert not strange


def test_contract_is_not_empty_when_looked_at() -> None:
    assert len(files("agent/contract")) >= 8


@pytest.mark.parametrize("package", ["agent", "agent.contract", "collector", "firmware_bridge"])
def test_package_holds_only_a_docstring(package: str) -> None:
    body = ast.parse((TREE / package.replace(".", "/") / "__init__.py").read_text()).body
    assert len(body) == 1
    assert ast.get_docstring(ast.Module(body, []))


@pytest.mark.parametrize("path", files("agent/probes"), ids=_named)
def test_probe_imports_no_other_probe(path: Path) -> None:
    others = {name for name in imports(path) if is_within(name, "agent.probes")}
    assert others <= {"agent.probes.base"}


@pytest.mark.parametrize("program", sorted(OURS))
def test_program_imports_only_packages_it_may(program: str) -> None:
    roots = {name.partition(".")[0] for path in files(program) for name in imports(path)}
    assert roots - set(sys.stdlib_module_names) - OURS <= _installed_with(program)


def test_sla_does_no_io() -> None:
    roots = {name.partition(".")[0] for path in files("collector/sla") for name in imports(path)}
    assert not roots & IO_MODULES


def test_sla_knows_of_the_collector_nothing_but_itself() -> None:
    named = [n for path in files("collector/sla") for n in imports(path) if n.partition(".")[0] in OURS]
    assert named
    assert all(is_within(n, "collector.sla") or is_within(n, "agent.contract") for n in named)


def test_only_the_publisher_imports_the_mqtt_library_in_the_agent() -> None:
    users = [module(path) for path in files("agent") if any(is_within(n, "paho") for n in imports(path))]
    assert all(is_within(user, "agent.publisher") for user in users)


def test_agent_reads_the_wall_clock_in_one_place() -> None:
    users = [module(path) for path in files("agent") if re.search(r"\btime\.time(_ns)?\(", path.read_text())]
    assert set(users) == {"agent.clock.system", "agent.echo.stamp"}


@pytest.mark.parametrize("program", sorted(OURS))
def test_every_folder_of_a_program_is_a_package(program: str) -> None:
    folders = {path.parent for path in files(program)}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_every_folder_of_tests_belongs_to_a_suite() -> None:
    named = {argument for arguments in SUITES.values() for argument in arguments}
    tests = [path.relative_to(TREE) for path in files("tests") if path.name.startswith("test_")]
    assert {"/".join(path.parts[:2]) for path in tests} <= named


def _installed_with(program: str) -> set[str]:
    config = configparser.ConfigParser()
    config.read(TREE / "setup.cfg")
    lines = [line for extra in EXTRAS[program] for line in config["options.extras_require"][extra].split()]
    names = [re.split(r"[<>=]", line)[0] for line in lines]
    return {IMPORT_NAMES.get(name, name) for name in names}
