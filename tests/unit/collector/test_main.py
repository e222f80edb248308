# SPDX-License-Identifier: Apache-2.0
"""Does the command line say what it found, and end with the right code?"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from unittest.mock import Mock

import pytest

from collector.__main__ import SUBCOMMANDS, main
from collector.sinks.reader import StoreReader
from tests.unit.collector import samples
from tests.unit.collector.samples import batch, message


@pytest.fixture
def config(tmp_path: Path) -> str:
    registry = '[[school]]\nid = "school-1"\n[[device]]\nid = "kz-1"\nschool = "school-1"\n'
    (tmp_path / "registry.toml").write_text(registry)
    text = """
[journal]
directory = "{0}/journal"
[dead_letters]
directory = "{0}/dead"
[registry]
file = "{0}/registry.toml"
[sinks.store]
path = "{0}/store.db"
"""
    (tmp_path / "collector.toml").write_text(text.format(tmp_path))
    return str(tmp_path / "collector.toml")


def test_check_says_what_it_found(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", config]) == 0
    assert "schools     1\n" in capsys.readouterr().out

    assert main(["check", "--config", config, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schools"], found["devices"], found["sinks"]) == (1, 1, ["store"])


def test_check_reads_contracts(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    valid = (Path(__file__).parent / "contracts" / "valid.toml").read_text()
    file = tmp_path / "contracts.toml"
    with Path(config).open("a") as more:
        more.write(f'[contracts]\nfiles = ["{file}"]\nexclusions_file = "{tmp_path}/none"\n')
    file.write_text(valid.replace('"kz-0001", "kz-0002"', '"school-1"'))
    assert main(["check", "--config", config, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["contracts"], found["calendars"], found["promised"], found["warnings"]) == (1, 1, 1, [])
    assert found["exclusions"] == 0

    file.write_text(valid)
    assert main(["check", "--config", config]) == 78
    assert "school 'kz-0001' is not in the registry" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check"], ["run"], ["replay", "--sink", "store"]])
def test_a_bad_configuration_ends_with_78(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text("[mqtt]\nhots = 1\n")

    assert main([*command, "--config", str(tmp_path / "bad.toml")]) == 78
    assert "bad.toml: mqtt.hots: unknown key; did you mean 'host'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [[], ["rnu"], ["replay"], ["replay", "--sink", "x"], ["replay", "--sink", "store", "--from", "x"]],
)
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words)

    assert raised.value.code == 2


def test_every_subcommand_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name, subcommand in SUBCOMMANDS.items():
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert subcommand.help in capsys.readouterr().out.replace("\n", " ")


def test_a_tree_that_is_not_installed_has_no_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metadata, "version", Mock(side_effect=metadata.PackageNotFoundError))
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out == "school-collector (not installed)\n"


def test_replay_builds_a_store_from_the_journal(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    intake = samples.intake(tmp_path)
    intake.take([message(batch([1, 2, 3]))])
    intake.take([message(batch([3, 4]))])
    intake.journal.close()

    assert main(["replay", "--sink", "store", "--config", config, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["written"], found["position"]) == (4, str(intake.journal.committed))
    assert StoreReader(tmp_path / "store.db").count() == 4

    assert main(["replay", "--sink", "store", "--config", config]) == 0
    assert StoreReader(tmp_path / "store.db").count() == 4


def test_replay_may_begin_anywhere(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    intake = samples.intake(tmp_path)
    intake.take([message(batch([1, 2, 3]))])
    middle = str(intake.journal.committed)
    intake.take([message(batch([4]))])
    intake.journal.close()

    assert main(["replay", "--sink", "store", "--from", middle, "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == 1


def test_replay_without_a_journal_fails(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.replay._PATIENCE", 1)

    assert main(["replay", "--sink", "store", "--config", config]) == 1
    assert "journal" in capsys.readouterr().err


def test_replay_of_a_sink_that_is_not_enabled_is_refused(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "--sink", "influxdb", "--config", config]) == 78
    assert "sinks.influxdb: is not enabled" in capsys.readouterr().err


def test_an_unknown_log_level_ends_with_78(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCHOOLPULSE_LOG_LEVEL", "foo")

    assert main(["check", "--config", config]) == 78
    assert "SCHOOLPULSE_LOG_LEVEL: 'foo' is not one of DEBUG, INFO" in capsys.readouterr().err
