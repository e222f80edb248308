# SPDX-License-Identifier: Apache-2.0
"""Are the systemd units sound and shut tight, as far as can be told without running them?"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.parts("systemd-analyze")

TREE = Path(__file__).resolve().parents[2]
FOLDER = TREE / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service") if "Type=oneshot" not in path.read_text())
"""Of the programs that stay."""

HIGHEST_EXPOSURE = 2.0

units = pytest.mark.parametrize("unit", UNITS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system that has nothing but systemd's own units and ours, with the programs they start."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    programs = tmp_path / "opt/schoolpulse/bin"
    programs.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(FOLDER / unit, tmp_path / "usr/lib/systemd/system")
        program = programs / unit.removesuffix(".service")
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return tmp_path


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_is_a_unit_for_each_program_that_stays() -> None:
    assert UNITS == ["school-agent.service", "school-collector.service", "school-reflector.service"]


@units
def test_verify_finds_nothing(unit: str, root: Path) -> None:
    verified = _run("systemd-analyze", "verify", f"--root={root}", "--man=no", unit)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_verify_finds_nothing_in_what_hands_the_revocation_list_over(root: Path) -> None:
    for name in ("install", "systemctl"):
        program = root / "usr/bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    for unit in ("school-crl.service", "school-crl.path"):
        shutil.copy(FOLDER / unit, root / "usr/lib/systemd/system")
        verified = _run("systemd-analyze", "verify", f"--root={root}", "--man=no", unit)
        assert (verified.returncode, verified.stderr) == (0, "")


@units
def test_exposure_is_low(unit: str) -> None:
    told = _run("systemd-analyze", "security", "--offline=true", "--no-pager", FOLDER / unit).stdout
    overall = re.search(r"Overall exposure level for (\S+): ([\d.]+)", told)
    assert overall
    print(f"{overall.group(1)}: {overall.group(2)}")
    assert float(overall.group(2)) <= HIGHEST_EXPOSURE


@units
def test_nothing_is_repeated_when_the_configuration_does_not_hold(unit: str) -> None:
    text = (FOLDER / unit).read_text()
    assert "RestartPreventExitStatus=78\n" in text
    assert "Restart=always\n" in text


def test_agent_may_ask_whether_the_clock_is_synchronised() -> None:
    """ProtectClock= refuses adjtimex(2) even for reading, and every record would say its clock is bad."""
    text = (FOLDER / "school-agent.service").read_text()
    assert "\nProtectClock=" not in text
    assert "SystemCallFilter=adjtimex clock_adjtime clock_adjtime64\n" in text


def test_user_is_made_as_the_units_name_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    _run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "sysusers.d/schoolpulse.conf")
    assert "schoolpulse:" in (tmp_path / "etc/passwd").read_text()
    owners = {
        re.findall("^(?:User|DynamicUser)=.*", (FOLDER / unit).read_text(), re.MULTILINE)[0] for unit in UNITS
    }
    assert owners == {"User=schoolpulse", "DynamicUser=yes"}


def test_folders_are_made_and_credentials_closed(tmp_path: Path) -> None:
    made = _run("systemd-tmpfiles", "--create", f"--root={tmp_path}", FOLDER / "tmpfiles.d/schoolpulse.conf")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "etc/credstore").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/schoolpulse").is_dir()
