# SPDX-License-Identifier: Apache-2.0
"""Does the ledger of exclusions keep everything that was said, and notice what was not said?"""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.contracts.act_form import form_of, read_scope, read_time, write_scope, write_time
from collector.contracts.ledger import Contents, add, parse, read_exclusions, read_ledger
from collector.errors import ConfigError
from collector.sla.exclusion import Act, ActRefused, Exclusion, ExclusionType, Scope, ScopeKind, Status, Verb
from tests.unit.collector.contracts.acts import act, proposal

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20).filter(
    str.strip
)
TIMES = st.integers(0, 4_000_000_000_000)
SCOPES = st.one_of(
    st.just(Scope(kind=ScopeKind.ALL)),
    st.builds(Scope, kind=st.sampled_from([ScopeKind.SITE, ScopeKind.REGION]), name=WORDS),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    file = tmp_path / "of" / "exclusions.jsonl"
    add(file, proposal(), "aliya")
    add(file, act(Verb.APPROVE, "Bolat"), "bolat")
    add(file, act(Verb.DISPUTE, "Operator", reason="it was ours"), "noc")
    return file


def test_what_was_said_is_read_again(ledger: Path) -> None:
    contents = read_ledger(ledger)
    (exclusion,) = contents.exclusions

    assert [(a.act, a.by, a.account) for a in contents.acts] == [
        (Verb.PROPOSE, "Әлия", "aliya"),
        (Verb.APPROVE, "Bolat", "bolat"),
        (Verb.DISPUTE, "Operator", "noc"),
    ]
    assert (exclusion.status, exclusion.approved_by, exclusion.disputed_by) == (
        Status.APPROVED,
        "Bolat",
        "Operator",
    )
    assert exclusion.evidence == ("act-17.pdf", "kz-0001/s1/300")
    assert read_exclusions(ledger) == (exclusion,)
    assert "Әлия" in ledger.read_text()


def test_no_ledger_is_no_exclusion(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "none.jsonl") == Contents()


def test_what_is_refused_leaves_no_trace(ledger: Path) -> None:
    before = ledger.read_bytes()
    with pytest.raises(ActRefused, match="disputes exclusion"):
        add(ledger, act(Verb.APPROVE, "operator"), "noc")
    with pytest.raises(ActRefused, match="too long to be written down"):
        add(ledger, act(Verb.REJECT, "Dana", reason="x" * 70_000), "dana")
    for words in ("a\0b", "\ud800"):
        with pytest.raises(ActRefused, match="cannot be written down: "):
            add(ledger, act(Verb.REJECT, "Dana", reason=words), "dana")

    assert ledger.read_bytes() == before


def test_nothing_that_was_written_is_ever_written_over(ledger: Path) -> None:
    before = ledger.read_bytes()
    add(ledger, act(Verb.REJECT, "Dana"), "dana")

    assert ledger.read_bytes().startswith(before)


def test_what_a_power_cut_tore_was_never_said(ledger: Path) -> None:
    whole = ledger.read_bytes()
    add(ledger, act(Verb.REJECT, "Dana"), "dana")
    said = ledger.read_bytes()
    for size in range(len(whole), len(said)):
        assert parse(said[:size], "x").exclusions[0].status is Status.APPROVED
    ledger.write_bytes(said[:-1])

    add(ledger, act(Verb.REJECT, "Ermek"), "ermek")

    assert read_exclusions(ledger)[0].decided_by == "Ermek"
    assert b"Dana" not in ledger.read_bytes()


def test_every_bit_that_is_flipped_is_noticed(ledger: Path) -> None:
    data = ledger.read_bytes()
    lines = data.count(b"\n")
    for at in range(0, len(data) - 1, 3):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        if bytes(flipped).count(b"\n") >= lines:
            with pytest.raises(ConfigError, match=r"^ledger:[1-9]: .*only added to, by this program"):
                parse(bytes(flipped), "ledger")


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], lines[1], lines[1]],
        lambda lines: [lines[0].replace(b'"by"', b'"by": "x", "by"', 1), *lines[1:]],
        lambda lines: [b"", *lines],
        lambda lines: [b"[]", *lines],
        lambda lines: [b"7" * 5000, *lines],
        lambda lines: [b"[" * 100_000, *lines],
        lambda lines: [lines[0].replace(b"power", b"paper"), *lines[1:]],
    ],
)
def test_a_line_taken_out_put_in_or_moved_is_noticed(ledger: Path, change: object) -> None:
    lines = ledger.read_bytes().splitlines()
    changed = b"\n".join(change(lines)) + b"\n"  # type: ignore[operator]

    with pytest.raises(ConfigError, match=r"^ledger:\d: "):
        parse(changed, "ledger")


def test_a_line_that_the_rules_forbid_is_named_even_with_a_right_seal(tmp_path: Path) -> None:
    """Whoever can seal can lie, but not break the rule of two persons unnoticed."""
    from collector.contracts import ledger as written  # noqa: PLC0415

    first = written._write_line(form_of(proposal(), "a"), "")
    seal = json.loads(first)["seal"]
    second = written._write_line(form_of(act(Verb.APPROVE, "әлия"), "a"), seal)

    with pytest.raises(ConfigError, match="ledger:2: әлия proposed exclusion 'E-0001'"):
        parse(first + second, "ledger")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"type": None}, "type: is required"),
        ({"scope": None}, "scope: is required"),
        ({"scope": "school:x"}, "scope: 'school:x' is not site:SCHOOL"),
        ({"from_at": None}, "from_at: is required"),
        ({"to_at": "2026-11-05T02:00+05:00"}, "an exclusion ends after it begins"),
        ({"at": "then"}, "at: 'then' is not a time such as"),
    ],
)
def test_a_sealed_line_that_makes_no_sense_is_named(changed: dict[str, str | None], sentence: str) -> None:
    from collector.contracts import ledger as written  # noqa: PLC0415

    line = written._write_line(replace(form_of(proposal(), "a"), **changed), "")  # type: ignore[arg-type]

    with pytest.raises(ConfigError) as raised:
        parse(line, "ledger")

    assert str(raised.value).startswith("ledger:1: ")
    assert sentence in str(raised.value)


def _propose(file: Path, number: int) -> None:
    add(file, proposal(f"E-{number}"), "many")


def test_many_who_write_at_once_do_not_write_over_each_other(tmp_path: Path) -> None:
    file = tmp_path / "exclusions.jsonl"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(_propose, [(file, n) for n in range(20)])

    assert sorted(e.id for e in read_exclusions(file)) == sorted(f"E-{n}" for n in range(20))


def test_a_ledger_nobody_can_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"exclusions\.jsonl: cannot be written: "):
        add(tmp_path / "file" / "exclusions.jsonl", proposal(), "a")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_ledger(tmp_path)


@given(SCOPES)
def test_a_scope_is_read_as_it_was_written(scope: Scope) -> None:
    assert read_scope(write_scope(scope)) == scope


@given(TIMES)
def test_a_time_is_read_as_it_was_written(at_ms: int) -> None:
    assert read_time(write_time(at_ms)) == at_ms


@given(WORDS, SCOPES, TIMES, st.lists(WORDS, max_size=3), st.sampled_from(ExclusionType))
def test_any_words_survive(
    words: str, scope: Scope, at_ms: int, evidence: list[str], kind: ExclusionType
) -> None:
    from collector.contracts import ledger as written  # noqa: PLC0415

    exclusion = Exclusion(
        id="E-1",
        type=kind,
        scope=scope,
        from_ms=at_ms,
        to_ms=at_ms + 1,
        declared_at_ms=at_ms,
        declared_by=words,
        reason=words,
        evidence=tuple(evidence),
        rule_ref=words,
    )
    said = Act(verb=Verb.PROPOSE, id="E-1", by=words, at_ms=at_ms, reason=words, proposed=exclusion)

    assert parse(written._write_line(form_of(said, "a"), ""), "x").exclusions == (exclusion,)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert parse(data, "x").exclusions == ()
    except ConfigError as e:
        assert "x:" in str(e)  # noqa: PT017
