# SPDX-License-Identifier: Apache-2.0
"""Can people see what fires, own it, and mute, and are they told what they got wrong?"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.__main__ import main
from collector.alerts.commands.console import length, moment, name
from collector.alerts.rule import RULES
from collector.alerts.sign import Sign
from collector.alerts.watchman import Watchman
from collector.config import load_config
from collector.contracts.ledger import add, read_exclusions
from collector.errors import ConfigError
from collector.sla.exclusion import Act, ActRefused, Status, Verb

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    registry = tmp_path / "registry.toml"
    school = '[[school]]\nid = "kz-1"\nname = "№ 5 Әбай"\noperator = "op1"\n'
    registry.write_text(school + '[[device]]\nid = "d-1"\nschool = "kz-1"\n')
    config = tmp_path / "collector.toml"
    config.write_text(
        f'[registry]\nfile = "{registry}"\n[alerts]\nenabled = true\ndirectory = "{tmp_path}/alerts"\n'
        "[alerts.rules.degraded]\nenabled = false\n"
        f'[contracts]\nexclusions_file = "{tmp_path}/exclusions.jsonl"\n'
    )
    return config


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        code = main(["alerts", *words, "--config", str(file), "--json"])
        told = capsys.readouterr()
        return code, [json.loads(line) for line in told.out.splitlines()], told.err

    return ran


@pytest.fixture
def watchman(file: Path) -> Any:
    made = load_config(file, with_broker=False).make_watchman()
    with contextlib.closing(made.outbox):
        yield made


def spent(watchman: Watchman, ratio: float) -> list[str]:
    """States of what is told of a budget."""
    now_ms = watchman._clock_ms()
    watchman.feed([Sign("budget_spent_ratio", "kz-1", now_ms, ratio)])
    return [event.state for event in watchman.tick()]


def test_what_fires_is_listed_and_can_be_owned(run: Run, watchman: Watchman) -> None:
    assert run("list") == (0, [], "")
    assert spent(watchman, 1.1) == ["firing"]
    code, (fired,), _ = run("list")
    assert code == 0
    assert (fired["rule"], fired["state"], fired["name"], fired["owner"]) == (
        "budget_100",
        "firing",
        "№ 5 Әбай",
        None,
    )
    assert fired["says"] == "the month's downtime budget is spent: 110%"
    code, (owned,), _ = run("acknowledge", fired["alert"], "--owner", "Айгерім", "--for", "2h")
    assert (code, owned["owner"]) == (0, "Айгерім")
    assert [event.state for event in watchman.tick()] == ["acknowledged"]
    _, (listed,), _ = run("list")
    assert listed["owner"] == "Айгерім"


def test_what_is_not_told_is_listed_with_its_reason(run: Run, watchman: Watchman) -> None:
    run("mute", "school", "kz-1", "--owner", "Aigerim", "--reason", "new dish", "--for", "4h")
    assert spent(watchman, 1.1) == []
    assert run("list")[1] == []
    states = {found["rule"]: found["state"] for found in run("list", "--all")[1]}
    assert states == {"budget_50": "not told", "budget_75": "not told", "budget_100": "not told"}


def test_a_mute_proposes_an_exclusion_and_approves_none(run: Run, watchman: Watchman, tmp_path: Path) -> None:
    code, (said,), _ = run(
        "mute", "operator", "op1", "--owner", "Aigerim", "--reason", "new dish", "--for", "4h"
    )
    assert (code, said["proposes_exclusion"]) == (0, "mute-1")
    ledger = tmp_path / "exclusions.jsonl"
    (proposed,) = read_exclusions(ledger)
    assert (proposed.status, proposed.scope.name, proposed.reason) == (Status.PROPOSED, "op1", "new dish")
    with pytest.raises(ActRefused, match="somebody else must decide"):
        add(ledger, Act(verb=Verb.APPROVE, id=proposed.id, by="aigerim", at_ms=1), "root")
    assert [found["mute"] for found in run("mutes")[1]] == [1]
    assert run("unmute", "1")[0] == 0
    assert run("mutes")[1] == []
    assert [found["mute"] for found in run("mutes", "--all")[1]] == [1]
    _, shorter = read_exclusions(ledger)
    assert (shorter.supersedes, shorter.status) == ("mute-1", Status.PROPOSED)
    assert shorter.to_ms < proposed.to_ms
    assert watchman.words.mutes()[0].ends_ms == shorter.to_ms


def test_a_mute_that_never_held_takes_its_proposal_back(run: Run, tmp_path: Path) -> None:
    words = ("--owner", "A", "--reason", "r", "--from", "2099-01-01", "--to", "2099-01-02")
    assert run("mute", "all", *words)[0] == 0
    assert run("unmute", "1")[0] == 0
    assert [e.status for e in read_exclusions(tmp_path / "exclusions.jsonl")] == [Status.WITHDRAWN]


def test_a_mute_holds_where_its_exclusion_cannot_be_proposed(
    run: Run, watchman: Watchman, tmp_path: Path
) -> None:
    (tmp_path / "exclusions.jsonl").write_text("no ledger\n")
    code, _, err = run("mute", "all", "--owner", "A", "--reason", "r", "--for", "1h")
    assert code == 1
    assert "it is done, but the ledger" in err
    assert len(watchman.words.mutes()) == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("acknowledge", "alert_1", "--owner", "A"), "no alert 'alert_1' fires"),
        (("mute", "school", "kz-2", "--owner", "A", "--reason", "r", "--for", "1h"), "no school 'kz-2'"),
        (("mute", "region", "x", "--owner", "A", "--reason", "r", "--for", "1h"), "no region 'x'"),
        (("mute", "school", "--owner", "A", "--reason", "r", "--for", "1h"), "name one school"),
        (("mute", "all", "x", "--owner", "A", "--reason", "r", "--for", "1h"), "with `all`, nobody"),
        (
            ("mute", "all", "--owner", "A", "--reason", "r", "--from", "2099-01-02", "--to", "2099-01-01"),
            "end after it begins",
        ),
        (
            ("mute", "all", "--owner", "A", "--reason", "r", "--from", "2001-01-01", "--to", "2001-01-02"),
            "over already",
        ),
        (("unmute", "7"), "no mute 7"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(
    run: Run, words: tuple[str, ...], problem: str
) -> None:
    code, found, err = run(*words)
    assert (code, found) == (1, [])
    assert problem in err


@pytest.mark.parametrize("what", ["alerts", "hooks"])
def test_a_folder_that_cannot_be_used_is_named(
    what: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alerts").write_text("a file, no folder")
    assert main([what, "list", "--config", str(file)]) == 78
    (tmp_path / "alerts").unlink()
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "alerts.sqlite").write_text("no database at all" * 100)
    assert main([what, "list", "--config", str(file)]) == 78
    assert capsys.readouterr().err.count("alerts.directory") == 2


def test_a_collector_that_cannot_use_the_folder_says_so(file: Path, tmp_path: Path) -> None:
    (tmp_path / "alerts").write_text("a file, no folder")
    with pytest.raises(ConfigError, match=r"alerts\.directory"):
        load_config(file, with_broker=False).make_watchman()


def test_every_rule_is_shown_as_it_holds(run: Run) -> None:
    _, found, _ = run("rules")
    assert [rule["rule"] for rule in found] == list(RULES)
    by_name = {rule["rule"]: rule for rule in found}
    assert by_name["degraded"] == {"rule": "degraded", "enabled": False}
    assert by_name["spool_low"]["raise_at"] == 200


@pytest.mark.parametrize("text", ["", "4", "h", "-4h", "0h", "4w", "4 h", "999999d", "٤h", "4.5h"])
def test_a_length_of_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"length|longer"):
        length(text)


def test_lengths_and_moments() -> None:
    assert [length(text) for text in ("1m", "4h", "2d")] == [60_000, 14_400_000, 172_800_000]
    assert moment("2026-11-01") == moment("2026-11-01T05:00+05:00")
    for text in ("yesterday", "0001-01-01T00:00+14:00"):
        with pytest.raises(argparse.ArgumentTypeError):
            moment(text)
    with pytest.raises(argparse.ArgumentTypeError):
        name("two\nlines")
