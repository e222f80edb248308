# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.cause import SENTENCES
from collector.sla.evidence import Evidence, merge
from collector.sla.judgement import judge, loss_ratio
from collector.sla.parameters import STANDARD, Parameters
from collector.sla.rule import NUMBERS, RULES, class_table
from collector.sla.sighting import Name, Round, Timing
from collector.sla.slot import SlotClass
from tests.unit.collector.sla.world import DARK, DEAD, UP


def rule_of(*measured: Any, codes: Any = (), by: Parameters = STANDARD, **told: Any) -> str | None:
    number = judge(
        Evidence(frozenset(measured), frozenset(codes), **{k: frozenset(v) for k, v in told.items()}), by
    )
    return None if number is None else RULES[number].name


@pytest.mark.parametrize(
    ("anchors", "up", "asked", "answered", "ratio"),
    [
        (3, 3, 10, 10, 0.0),
        (3, 3, 10, 8, 0.2),  # 2 of 10
        (3, 3, 10, 7, 0.3),  # 3 of 10
        (
            3,
            2,
            10,
            7,
            0.0,
        ),  # the dead anchor had up to ⌈10/3⌉ = 4; the others were asked 6, 7 came
        (3, 2, 10, 3, 0.5),  # 6 asked of the living, 3 came: 3 of 6
        (3, 1, 12, 2, 0.5),  # two dead had 8 of 12; 4 asked of the living, 2 came: 2 of 4
        (1, 1, 4, 1, 0.75),
        (None, None, 10, 5, 0.5),
    ],
)
def test_loss_is_that_of_the_anchors_that_live(
    anchors: int | None, up: int | None, asked: int, answered: int, ratio: float
) -> None:
    assert loss_ratio(Round(True, anchors, up, asked, answered)) == pytest.approx(ratio)


def test_loss_that_nobody_counted_is_not_known() -> None:
    assert loss_ratio(Round(up=True)) is None
    assert rule_of(Round(up=True)) == "anchors_answered"


def test_degraded_is_over_the_limit_not_at_it() -> None:
    assert rule_of(UP._replace(answered=8)) == "anchors_answered", "2 of 10 is 0.2, the limit itself"
    assert rule_of(UP._replace(answered=7)) == "lossy"
    limit = Parameters(degraded_rtt_ms=600.0)
    assert rule_of(UP, Timing(600.0), by=limit) == "anchors_answered"
    assert rule_of(UP, Timing(600.1), by=limit) == "slow"
    assert rule_of(UP, Timing(600.1), Timing(90.0), by=limit) == "anchors_answered", "one anchor is just far"
    assert rule_of(UP, Timing(9000.0)) == "anchors_answered", "no limit, no judgement"


def test_names_fail_when_none_is_answered_by_anybody() -> None:
    none_answered = UP._replace(dns_asked=2, dns_answered=0)
    assert rule_of(none_answered) == "names_failed"
    assert rule_of(none_answered, Name(was_answered=True)) == "anchors_answered"
    assert rule_of(UP, Name(was_answered=False)) == "names_failed"
    assert rule_of(UP._replace(dns_asked=0, dns_answered=0)) == "anchors_answered", "nobody asked"


def test_the_best_witness_counts() -> None:
    assert rule_of(UP, UP._replace(answered=1)) == "anchors_answered"
    assert rule_of(UP, DEAD, DARK) == "anchors_answered"
    assert rule_of(DEAD, DARK) == "anchors_dead"


@pytest.mark.parametrize(
    ("codes", "rule"),
    [
        ({"sim_missing", "no_signal"}, "sim"),
        ({"modem_absent", "sim_missing"}, "modem_absent"),
        ({"mains_lost", "modem_absent"}, "mains_lost"),
        ({"battery_low", "undervoltage", "power_fault"}, "anchors_dead"),
        ({"moved"}, "anchors_dead"),
        ({"a_code_of_the_future"}, "anchors_dead"),
        ({"connected", "modem_mute"}, "modem_mute"),
        ({"weak_signal"}, "weak_signal"),
        ({"connected", "weak_signal"}, "connected"),
    ],
)
def test_the_nearest_dead_part_is_the_cause(codes: set[str], rule: str) -> None:
    assert rule_of(DEAD, codes=codes) == rule


def test_a_gateway_that_answered_refutes_who_says_it_or_the_cable_was_dead() -> None:
    assert rule_of(DEAD, told={"lan", "gateway"}) == "anchors_dead"
    assert rule_of(DEAD, told={"gateway", "line"}) == "told_line"
    assert rule_of(DARK, told={"lan"}) == "told_lan"


def test_what_a_device_says_of_itself_counts_more_than_what_the_agent_found() -> None:
    assert rule_of(DEAD, codes={"sim_missing"}, told={"line"}) == "sim"


def test_an_outage_told_fills_only_slots_in_which_nothing_was_measured() -> None:
    assert rule_of(filled={"line"}, told={"line"}) == "told_line"
    assert rule_of(told={"line"}) is None, "in part of a slot only"
    assert rule_of(filled={"unknown"}) is None
    assert rule_of(UP, filled={"line"}, told={"line"}) == "anchors_answered"


def test_every_rule_has_one_number_and_says_whose_it_is() -> None:
    assert len(NUMBERS) == len(RULES) <= 255
    assert RULES[0].name == "silence", "a slot without a verdict is zero"
    table = class_table(STANDARD)
    for number, rule in enumerate(RULES):
        assert table[number] == rule.class_by(STANDARD)
        assert (rule.slot_class is None) <= (rule.cause is not None)
        assert rule.cause is None or rule.cause in SENTENCES
    none = dataclasses.replace(STANDARD, provider_causes=frozenset())
    assert SlotClass.DOWN_PROVIDER not in class_table(none)
    charged = {rule.name for rule in RULES if rule.class_by(STANDARD) is SlotClass.DOWN_PROVIDER}
    beyond = {"portal", "signal", "refused", "wan_down", "names_answered", "connected", "weak_signal"}
    told = {"told_line", "told_operator", "told_upstream", "told_portal"}
    assert charged == {"anchors_dead", *beyond, *told}


EVIDENCE = st.builds(
    Evidence,
    st.frozensets(st.sampled_from([UP, DEAD, DARK, Timing(90.0), Name(was_answered=False)])),
    st.frozensets(st.sampled_from(["connected", "sim_missing", "portal", "quota"])),
    st.frozensets(st.sampled_from(["line", "lan", "dns"])),
    st.frozensets(st.sampled_from(["line", "dns"])),
)


@given(EVIDENCE, EVIDENCE, EVIDENCE)
def test_evidence_merges_in_any_order_and_any_number_of_times(a: Evidence, b: Evidence, c: Evidence) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(a, a) == a
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, Evidence()) == a


@given(EVIDENCE)
def test_any_evidence_has_one_verdict(evidence: Evidence) -> None:
    number = judge(evidence, STANDARD)
    if any(isinstance(m, Round) and m.up for m in evidence.measured):
        assert number is not None
        assert RULES[number].slot_class in {SlotClass.UP, SlotClass.DEGRADED}
    elif any(isinstance(m, Round) for m in evidence.measured):
        assert number is not None
        assert RULES[number].slot_class not in {SlotClass.UP, SlotClass.DEGRADED}
