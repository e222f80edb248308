# SPDX-License-Identifier: Apache-2.0
"""Does the running watcher find all that is cut on the emulated link, when, and whose part it was?

Every scenario, one after the other, on five links at once. What a day costs is measured by the bench.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.linkbed.outages.played import Found, Played, play_all
from tests.linkbed.outages.promised import broken, why_excepted
from tests.linkbed.outages.scenarios import ALL, LINKS, Line
from tests.linkbed.outages.table import table
from tests.linkbed.watching import Dead, Told

_STANDARD = Line("standard", "50 ms")
_METERED = Line("metered", "50 ms")
_LOSSY = Line("standard", "GEO, 3 % loss")
_RIGHT = Told(
    at_s=20.0,
    number=1,
    scope="wan",
    cause="line",
    evidence="",
    opened_s=10.4,
    opened_resolution_s=0.5,
    closed_s=14.9,
    closed_resolution_s=0.2,
)


@pytest.mark.root
@pytest.mark.parts("ip", "cc", "nft")
@pytest.mark.timeout(400)
def test_outages_on_the_bed_are_found_dated_and_blamed() -> None:
    results = play_all()
    excepted = [
        f"{line}: {f.scenario.name}: {why}"
        for line, played in results.items()
        for f in played.found
        if (why := why_excepted(f, line)) is not None
    ]
    count = sum(len(played.found) for played in results.values())
    print(*(table(line, played) for line, played in results.items()), sep="\n")
    print(f"judged {count - len(excepted)}, excepted {len(excepted)}:", *excepted, sep="\n")
    assert [fault for line, played in results.items() for fault in broken(played, line)] == []
    assert count == len(LINKS) * len(ALL)


def test_what_is_told_as_it_was_keeps_the_promise() -> None:
    assert broken(_played("line dead, both ways", _RIGHT), _STANDARD) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cause": "modem"}, "told as modem"),
        (
            {"opened_s": 8.6, "opened_resolution_s": 1.5},
            "begin is -1.40 s off, told are",
        ),
        ({"opened_s": 10.9}, "begin is +0.90 s off, told are ± 0.50 s"),
        ({"closed_s": 15.7}, "end is +0.70 s off, told are ± 0.20 s"),
        ({"closed_s": None}, "end or its resolution not told"),
        ({"opened_resolution_s": None}, "begin or its resolution not told"),
    ],
)
def test_what_is_told_otherwise_than_it_was_breaks_the_promise(wrong: dict[str, Any], said: str) -> None:
    (fault,) = broken(_played("line dead, both ways", _RIGHT, **wrong), _STANDARD)
    assert said in fault


def test_what_is_told_of_nothing_that_was_breaks_the_promise() -> None:
    (fault,) = broken(Played((), (_RIGHT,)), _STANDARD)
    assert "nothing was cut" in fault
    (fault,) = broken(_played("one anchor dead", _RIGHT), _STANDARD)
    assert "no outage" in fault


def test_what_is_not_told_breaks_the_promise_where_it_was_promised() -> None:
    assert broken(_played("2 s, line", None), _METERED) == []
    assert broken(_played("line dead, both ways", None), _METERED) != []
    assert broken(_played("2 s, line", None), _STANDARD) != []
    assert broken(_played("2 s, line", _RIGHT, cause="modem"), _METERED) != []


def _played(name: str, told: Told | None, **wrong: Any) -> Played:
    """The scenario of that name was from 10 to 15 s, and this was told of it."""
    scenario = next(s for s in ALL if s.name == name)
    mine = () if told is None else (dataclasses.replace(told, **wrong),)
    return Played((Found(scenario=scenario, truth=Dead("line", 10.0, 15.0), told=mine, begin_s=0.0),), ())
