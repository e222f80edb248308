# SPDX-License-Identifier: Apache-2.0
"""Can people propose, approve and dispute exclusions at the command line?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collector.__main__ import main

VALID = (Path(__file__).parent / "valid.toml").read_text()
REGISTRY = "".join(f'[[school]]\nid = "kz-000{n}"\nregion = "turkestan"\noperator = "op1"\n' for n in (1, 2))
PROPOSE = [
    *(
        "propose",
        "power",
        "site:kz-0001",
        "--from",
        "2026-11-05T02:00+05:00",
        "--to",
        "2026-11-05T04:00+05:00",
    ),
    *("--reason", "no power in the village", "--evidence", "act-17.pdf", "--evidence", "act-18.pdf"),
    *("--rule", "5.1", "--by", "Aliya"),
]


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "registry.toml").write_text(REGISTRY)
    (tmp_path / "contracts.toml").write_text(VALID)
    file = tmp_path / "collector.toml"
    file.write_text(
        f'[registry]\nfile = "{tmp_path}/registry.toml"\n[contracts]\nfiles = ["{tmp_path}/contracts.toml"]\n'
        f'exclusions_file = "{tmp_path}/ledger/exclusions.jsonl"\n'
    )
    return str(file)


def said(config: str, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["exclusions", *words, "--config", config, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_two_people_agree(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    (proposed,) = said(config, capsys, *PROPOSE)
    (approved,) = said(config, capsys, "approve", "E-0001", "--by", "Bolat")
    (listed,) = said(config, capsys, "list")
    acts = said(config, capsys, "list", "--acts")

    assert (proposed["id"], proposed["status"], proposed["scope"]) == ("E-0001", "proposed", "site:kz-0001")
    assert (proposed["from"], proposed["to"]) == ("2026-11-04T21:00:00.000Z", "2026-11-04T23:00:00.000Z")
    assert proposed["evidence"] == ["act-17.pdf", "act-18.pdf"]
    assert (approved["status"], approved["decided_by"]) == ("approved", "Bolat")
    assert listed == {**approved, "in_force": True}
    assert [(a["number"], a["act"], a["by"]) for a in acts] == [
        (1, "propose", "Aliya"),
        (2, "approve", "Bolat"),
    ]
    assert all(a["account"] for a in acts)


def test_only_what_is_required_need_be_said(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = PROPOSE.index("--evidence")

    (proposed,) = said(config, capsys, *PROPOSE[:at], "--by", "Aliya")

    assert (proposed["id"], proposed["evidence"], proposed["rule_ref"]) == ("E-0001", [], "")


def test_one_alone_does_not(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    said(config, capsys, *PROPOSE)

    assert main(["exclusions", "approve", "E-0001", "--by", " aliya", "--config", config]) == 1
    assert "aliya proposed exclusion 'E-0001'; somebody else must decide" in capsys.readouterr().err


def test_a_decision_is_disputed_and_made_again(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    said(config, capsys, *PROPOSE)
    said(config, capsys, "approve", "E-0001", "--by", "Bolat")
    (disputed,) = said(config, capsys, "dispute", "E-0001", "--by", "Operator", "--reason", "it was ours")
    (again,) = said(config, capsys, "reject", "E-0001", "--by", "Dana", "--reason", "so it was")

    assert (disputed["disputed_by"], disputed["dispute_reason"]) == ("Operator", "it was ours")
    assert (again["status"], again["decided_by"], again["disputed_by"]) == ("rejected", "Dana", None)


def test_a_mistake_is_withdrawn_and_numbers_go_on(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    said(config, capsys, *PROPOSE)
    said(config, capsys, "withdraw", "E-0001", "--by", "Aliya")
    (second,) = said(config, capsys, *PROPOSE, "--supersedes", "E-0001")

    assert (second["id"], second["supersedes"]) == ("E-0002", "E-0001")
    assert [e["status"] for e in said(config, capsys, "list")] == ["withdrawn", "proposed"]


def test_a_list_for_people_has_a_line_each(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    said(config, capsys, *PROPOSE)

    assert main(["exclusions", "list", "--config", config]) == 0
    assert "id: E-0001  status: proposed  in_force: False  type: power" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        ("site:kz-0003", "there is no site 'kz-0003'; did you mean 'kz-000"),
        ("operator:op2", "there is no operator 'op2'; did you mean 'op1'?"),
        ("region:turkistan", "there is no region 'turkistan'; did you mean 'turkestan'?"),
    ],
)
def test_a_scope_that_nobody_is_in_is_refused(
    config: str, capsys: pytest.CaptureFixture[str], scope: str, sentence: str
) -> None:
    words = [scope if w == "site:kz-0001" else w for w in PROPOSE]

    assert main(["exclusions", *words, "--config", config]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("scope", ["all", "operator:op1", "region:turkestan", "site:kz-0002"])
def test_every_kind_of_scope_can_be_named(
    config: str, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    (made,) = said(config, capsys, *(scope if w == "site:kz-0001" else w for w in PROPOSE))

    assert made["scope"] == scope


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("power", "thunder", "invalid choice: 'thunder'"),
        ("site:kz-0001", "kz-0001", "'kz-0001' is not site:SCHOOL, operator:NAME, region:NAME or all"),
        ("site:kz-0001", "site:", "'site:' is not site:SCHOOL"),
        ("2026-11-05T02:00+05:00", "2026-11-05T02:00", "needs an offset, such as 2026-11-05T02:00+05:00"),
        ("2026-11-05T02:00+05:00", "yesterday", "'yesterday' is not a time such as"),
        ("Aliya", "  ", "must be words on one line"),
        ("Aliya", "A\nB", "must be words on one line"),
    ],
)
def test_wrong_words_end_with_2(
    config: str, capsys: pytest.CaptureFixture[str], old: str, new: str, sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["exclusions", *(new if w == old else w for w in PROPOSE), "--config", config])

    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_an_end_before_the_begin_is_refused(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["2026-11-05T01:00+05:00" if w == "2026-11-05T04:00+05:00" else w for w in PROPOSE]

    assert main(["exclusions", *words, "--config", config]) == 1
    assert "an exclusion ends after it begins" in capsys.readouterr().err


def test_another_year_by_mistake_is_refused(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["2062-11-05T04:00+05:00" if w == "2026-11-05T04:00+05:00" else w for w in PROPOSE]

    assert main(["exclusions", *words, "--config", config]) == 1
    assert "that is 13149 days; more than 366 are for the contract to change" in capsys.readouterr().err


def test_a_ledger_that_was_changed_is_not_used(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(config, capsys, *PROPOSE)
    ledger = tmp_path / "ledger" / "exclusions.jsonl"
    ledger.write_text(ledger.read_text().replace("Aliya", "Bolat"))

    assert main(["exclusions", "approve", "E-0001", "--by", "Aliya", "--config", config]) == 78
    assert "exclusions.jsonl:1: seal: this line, or the one before it" in capsys.readouterr().err
