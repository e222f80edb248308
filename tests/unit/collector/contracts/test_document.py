# SPDX-License-Identifier: Apache-2.0
"""Does the page about contracts say what the program does?"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from collector.__main__ import main

PAGE = (Path(__file__).parents[4] / "docs" / "contracts.md").read_text()


@pytest.fixture
def config(tmp_path: Path) -> str:
    """What the page says, in two files, and a registry."""
    collector, contracts = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "contracts.toml").write_text(contracts)
    schools = "".join(f'[[school]]\nid = "kz-000{n}"\noperator = "op1"\n' for n in (1, 2))
    (tmp_path / "registry.toml").write_text(schools)
    text = collector.replace("/etc/schoolpulse/", f"{tmp_path}/")
    file = tmp_path / "collector.toml"
    file.write_text(
        f'[registry]\nfile = "{tmp_path}/registry.toml"\n{text}exclusions_file = "{tmp_path}/exclusions"\n'
    )
    return str(file)


def test_the_example_is_read(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", config, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["contracts"], found["calendars"], found["promised"], found["warnings"]) == (1, 1, 2, [])


def test_the_commands_do_what_the_page_tells(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = re.findall(
        r"^school-collector (exclusions (?:propose|approve|dispute|reject|list --acts).*)$",
        PAGE,
        re.MULTILINE,
    )
    assert len(lines) == 5
    for line in lines:
        assert main([*shlex.split(line), "--config", config, "--json"]) == 0

    *after, first, second, third, fourth = map(json.loads, capsys.readouterr().out.splitlines())
    assert [a["status"] for a in after] == ["proposed", "approved", "approved", "rejected"]
    assert [a["act"] for a in (first, second, third, fourth)] == ["propose", "approve", "dispute", "reject"]


def test_the_arithmetic_is_right() -> None:
    assert "99 % for 7,200 slots and 95 % for 7,920 allow 72 + 396 = 468" in PAGE
    assert (7_200 // 100, 7_920 * 5 // 100) == (72, 396)
    assert "12 hours on 22 days, 15,840 slots, the budget of a month is 158 minutes" in PAGE
    assert (12 * 22 * 60, 15_840 // 100) == (15_840, 158)
