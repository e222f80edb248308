# SPDX-License-Identifier: Apache-2.0
"""Do the commands close, list and verify a month, and say what is wrong with what they are asked?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from collector.__main__ import main
from collector.checkpoint import KEY_FILE
from tests.unit.collector.evidence.world import COLLECTOR_KEY, november

CONFIG = """\
[mqtt]
host = "127.0.0.1"

[registry]
file = "{0}/registry.toml"

[journal]
directory = "{0}/collected"

[dead_letters]
directory = "{0}/dead"

[contracts]
files = ["{0}/contracts.toml"]
exclusions_file = "{0}/exclusions.jsonl"

[reports]
directory = "{0}/reports"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    world = november(tmp_path)
    pem = COLLECTOR_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (world.journal / KEY_FILE).write_bytes(pem)
    file = tmp_path / "collector.toml"
    file.write_text(CONFIG.format(tmp_path))
    return file


def say(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_month_is_closed_listed_and_verified(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = say(capsys, "report", "close", "2026-11", "--config", config)
    (again,) = say(capsys, "report", "close", "2026-11", "--config", config)
    listed = say(capsys, "report", "list", "--config", config)
    (verified,) = say(capsys, "verify", first["folder"], "--public-key", first["key"])

    assert (first["revision"], first["new"], again["new"]) == ("2026-11/rev1", True, False)
    assert [one["revision"] for one in listed] == ["2026-11/rev1"]
    assert (verified["verified"], verified["name"], verified["faults"]) == (True, "2026-11/rev1", [])
    assert verified["schools"] == 4


def test_a_month_that_is_none_is_refused_with_an_example(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["report", "close", "2026-13", "--config", str(config)])

    assert stopped.value.code == 2
    assert "'2026-13' is not a month such as 2026-11" in capsys.readouterr().err


def test_verify_of_a_folder_that_is_no_bundle_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path)]) == 1
    assert "manifest.json" in capsys.readouterr().err


def test_closing_without_a_journal_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    november(tmp_path)
    file = tmp_path / "collector.toml"
    file.write_text(CONFIG.format(tmp_path).replace("/collected", "/nowhere"))
    (tmp_path / "nowhere").mkdir()

    assert main(["report", "close", "2026-11", "--config", str(file)]) == 1
    assert f"{tmp_path}/nowhere: there is no journal" in capsys.readouterr().err
