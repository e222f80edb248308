# SPDX-License-Identifier: Apache-2.0
"""Does each word of `school-agent` do what its help says, with its exit code?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.__main__ import main, make_parser
from agent.config import build_probes
from agent.contract.kinds import Reach
from agent.contract.record import ClockState, record_from_plain
from agent.probes import PROBES
from agent.spool.spool import Spool


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "agent.toml"
    file.write_text(
        f'device = "kz-1"\n[spool]\ndirectory = "{tmp_path}/spool"\n[probes.dns]\nenabled = false\n'
    )
    return str(file)


def test_once_prints_records_of_the_contract(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["once", "--probe", "host", "--json", "--config", config]) == 0

    (line,) = capsys.readouterr().out.splitlines()
    record = record_from_plain(json.loads(line))
    assert (record.kind, record.reason) == ("host", None)


def test_once_says_in_words_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('device = "kz-1"\n[probes.interface]\ninterfaces = ["none0"]\n')

    assert main(["once", "--probe", "interface", "--config", str(file)]) == 1
    assert "FAILED not_present" in capsys.readouterr().out


def test_once_refuses_a_probe_that_is_switched_off(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["once", "--probe", "dns", "--config", config]) == 1
    assert "probe dns is not enabled" in capsys.readouterr().err


def test_check_says_what_the_file_means(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", config]) == 0

    out = capsys.readouterr().out
    assert "device kz-1" in out
    assert "configuration is good" in out
    assert "probe dns" not in out


def test_check_as_json_shows_every_option(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "--config", config]) == 0

    plain = json.loads(capsys.readouterr().out)
    assert plain["mqtt"]["report_every_s"] == 60
    on_by_default = {probe.table for probe in build_probes({})}
    assert set(plain["probes"]) == on_by_default - {"dns"}
    assert {"reach", "latency", "host"} <= on_by_default
    assert not on_by_default & {"capacity", "modem", "power", "gnss", "satellite"}


def test_probes_lists_every_probe_with_a_sentence_for_each_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probes", "--json"]) == 0

    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [p["probe"] for p in listed] == list(PROBES)
    assert all(sentence for p in listed for sentence in p["options"].values())


def test_spool_counts_what_waits(tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    clock = ClockState(wall_ms=1, mono_ms=1, boot="0badcafe")
    spool = Spool(tmp_path / "spool", lambda: clock)
    for _ in range(3):
        spool.append(kind="reach", clock=clock, duration_ms=1, fields=Reach(up=True))
    spool.commit()

    assert main(["spool", "--json", "--config", config]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["records"], state["sessions"], state["damaged_bytes"]) == (3, 1, 0)


def test_spool_says_when_the_agent_has_not_run(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spool", "--config", config]) == 1
    assert "the agent has not run here" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["once", "--probe", "telepathy"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2


def test_every_command_has_help() -> None:
    (commands,) = (a for a in make_parser()._actions if a.dest == "command" or a.choices)
    helps = [p.description for p in (commands.choices or {}).values()]  # type: ignore[attr-defined]

    assert len(helps) == 6
    assert all(helps)


def test_an_unknown_log_level_ends_with_78(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCHOOLPULSE_LOG_LEVEL", "foo")

    assert main(["check", "--config", config]) == 78
    assert "SCHOOLPULSE_LOG_LEVEL: 'foo' is not one of DEBUG, INFO" in capsys.readouterr().err
