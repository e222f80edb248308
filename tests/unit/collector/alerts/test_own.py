# SPDX-License-Identifier: Apache-2.0
"""Can an operator have a rule of one's own, and is what is wrong with it said?"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agent.contract.decoder import DecodeError, decode
from agent.contract.kinds import Host, Latency
from collector.alerts.dispatch import read_hooks
from collector.alerts.options import AlertOptions
from collector.alerts.own import all_rules
from collector.alerts.rule import RULES
from tests.unit.collector.alerts.test_watchman import Post

_HOT = {
    "figure": "host.cpu_temperature_c",
    "of": "device",
    "sentence": "{value:.0f} °C in the box",
    "raise_at": 80,
    "clear_at": 70,
}
_SLOW = {
    "figure": "latency.rtt_median_ms",
    "where": {"target": "gateway"},
    "sentence": "the LAN is slow",
    "raise_at": 50,
    "clear_at": 20,
    "open_after": 2,
}


def test_a_rule_of_ones_own_fires_and_ends(tmp_path: Path) -> None:
    post = Post(tmp_path / "alerts", rules={"hot": _HOT})
    told = [e for c in (60, 75, 81, 75, 82, 69) for e in post.minutes(Host(cpu_temperature_c=c))]
    assert [(e.rule, e.state) for e in told] == [("hot", "firing"), ("hot", "resolved")]
    assert told[0].summary == "№ 5 Әбай (kz-1-pi): 81 °C in the box"


def test_only_what_is_meant_is_looked_at(tmp_path: Path) -> None:
    post = Post(tmp_path / "alerts", rules={"slow": _SLOW})
    far, near = (Latency(target=t, rtt_median_ms=900.0) for t in ("1.1.1.1", "gateway"))
    assert post.minutes(far, times=5) == []
    assert post.minutes(Latency(target="gateway"), times=5) == []
    (told,) = post.minutes(far, near, times=5)
    assert (told.rule, told.details["value"]) == ("slow", 900.0)


def test_one_that_is_no_more_is_over(tmp_path: Path) -> None:
    post = Post(tmp_path / "alerts", rules={"hot": _HOT})
    (fired,) = post.minutes(Host(cpu_temperature_c=90.0), times=3)
    post.options = {}
    post.killed()
    (over,) = post.minutes()
    assert (over.alert, over.state, over.labels) == (fired.alert, "resolved", fired.labels)


def test_the_rules_that_there_are_stay() -> None:
    made = all_rules({"hot": _HOT, "outage": {"open_after": 5}, "slow": {**_SLOW, "enabled": False}})
    assert set(made) == {*RULES, "hot"}
    assert made["outage"].open_after == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"figure": "hosts.x"}, "no kind 'hosts'; did you mean 'host'"),
        ({"figure": "host.cpu_temperature"}, "did you mean 'cpu_temperature_c'"),
        ({"figure": "reach.hint"}, "no number or flag 'hint'"),
        ({"figure": "cpu"}, "is KIND.FIELD"),
        ({"where": {"colour": "red"}}, "host has no text 'colour'"),
        ({"figure": "latency.rtt_median_ms"}, "where.target: must be set"),
        ({"of": "many"}, "must be school or device"),
        ({"raise_at": None, "clear_at": None}, "raise_at"),
        ({"sentence": ""}, "words on one line"),
        ({"sentence": "{other}"}, "words on one line"),
        ({"sentence": "{value.__class__}"}, "words on one line"),
        ({"sentence": "{value[0]}"}, "words on one line"),
        ({"sentence": "a\nb"}, "words on one line"),
        ({"silent_s": 5}, "silent_s"),
        ({"beneath": "outages"}, "did you mean 'outage'"),
        ({"colour": 1}, "unknown key"),
    ],
)
def test_one_that_cannot_be_meant_is_refused(changes: dict[str, Any], words: str) -> None:
    table = {key: value for key, value in {**_HOT, **changes}.items() if value is not None}
    with pytest.raises(DecodeError, match=words):
        all_rules({"hot": table})


@pytest.mark.parametrize("name", ["Hot", "9hot", "too-hot", "h" * 33, ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(DecodeError, match="a rule's name"):
        all_rules({name: _HOT})


def test_every_example_of_the_document_can_be_read() -> None:
    text = (Path(__file__).parents[4] / "docs" / "alerts.md").read_text()
    blocks = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    for block in blocks:
        options = decode(AlertOptions, block.get("alerts", {}), strict=True)
        all_rules(options.rules)
        read_hooks(block.get("hooks", {}))
    print(f"\n{len(blocks)} examples")
    assert len(blocks) >= 4
