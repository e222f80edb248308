# SPDX-License-Identifier: Apache-2.0
"""What do several devices say together of a dead link?"""

from __future__ import annotations

import pytest

from agent.outage.board import Board
from agent.outage.evidence import Sight, together


def board(**said: tuple[str, ...]) -> Board:
    made = Board(lambda: 0.0)
    for device, codes in said.items():
        made.note(device, codes)
    return made


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"main": ("connected",), "spare": ("modem_absent",)}, "connected"),
        ({"main": ("connected",), "spare": ("sim_missing",)}, "connected"),
        ({"main": ("no_signal",), "spare": ("sim_missing",)}, "sim"),
        ({"main": ("connected", "account")}, "account"),
        ({"main": ("not_registered",), "spare": ()}, "offline"),
        ({"main": ()}, None),
        ({}, None),
    ],
)
def test_modems_of_one_probe_stand_for_one_another(
    said: dict[str, tuple[str, ...]], expected: str | None
) -> None:
    assert board(**said).look() == Sight(modem=expected)  # type: ignore[arg-type]


def test_the_worst_word_of_devices_one_behind_the_other_holds() -> None:
    modems, routers = board(lte=("connected",)), board(main=("wan_down", "router_up"))
    for order in ([modems, routers], [routers, modems]):
        assert together([each.look() for each in order]).modem == "offline"
    assert together([modems.look(), Sight()]).modem == "connected"


def test_what_was_said_long_ago_is_forgotten() -> None:
    clock = [0.0]
    made = Board(lambda: clock[0])
    made.note("main", ("no_signal",))
    clock[0] = 101
    assert made.look() == Sight()
