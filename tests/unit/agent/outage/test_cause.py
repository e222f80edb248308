# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from agent.outage.cause import CAUSES, Scene, cause_of, evidence_of, hint_of
from agent.outage.evidence import Sight, together
from agent.outage.voice import Tally

LIVES, DEAD, NOT_ASKED = Tally(5, 5), Tally(5, 0), Tally(0, 0)
ALL = frozenset({"gateway", "modem", "hop", "dns", "anchors"})


def scene(**known: Any) -> Scene:
    plain: dict[str, Any] = {
        "gateway": LIVES,
        "modem": LIVES,
        "hop": DEAD,
        "dns": DEAD,
        "talkative": ALL,
        "lan_was_bad": False,
        "has_moved": False,
        "sight": Sight(),
    }
    return Scene(**plain | known)


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (scene(lan_was_bad=True, gateway=DEAD), "lan"),
        (scene(gateway=DEAD, modem=DEAD), "gateway"),
        (scene(modem=DEAD), "modem"),
        (scene(), "line"),
        (scene(modem=NOT_ASKED, talkative=ALL - {"modem"}), "line"),
        (scene(hop=LIVES), "operator"),
        (scene(hop=LIVES, dns=LIVES), "upstream"),
        (scene(hop=NOT_ASKED, dns=LIVES), "upstream"),
        (scene(has_moved=True), "upstream"),
        (scene(modem=NOT_ASKED, hop=NOT_ASKED), "unknown"),
        # A part that was never heard proves nothing by its silence.
        (scene(gateway=DEAD, modem=NOT_ASKED, hop=DEAD, talkative=frozenset()), "unknown"),
        (scene(sight=Sight(portal=True)), "portal"),
        (scene(sight=Sight(modem="absent")), "modem"),
        (scene(modem=NOT_ASKED, hop=NOT_ASKED, sight=Sight(modem="offline")), "line"),
        (scene(sight=Sight(modem="sim")), "sim"),
        (scene(sight=Sight(modem="denied")), "operator"),
        (scene(sight=Sight(modem="account")), "quota"),
        (scene(hop=NOT_ASKED, modem=NOT_ASKED, sight=Sight(modem="connected")), "unknown"),
        (scene(gateway=DEAD, sight=Sight(modem="sim")), "gateway"),
        (scene(gateway=DEAD, sight=Sight(portal=True)), "gateway"),
        (scene(gateway=DEAD, sight=Sight(power="lost")), "power"),
        (scene(modem=DEAD, sight=Sight(power="lost")), "power"),
        (scene(modem=DEAD, sight=Sight(power="lost", modem="sim")), "sim"),
        # Mains that are lost kill no line whose modem lives on its battery.
        (scene(sight=Sight(power="lost")), "line"),
        (scene(hop=LIVES, sight=Sight(power="lost")), "operator"),
        (scene(modem=NOT_ASKED, hop=NOT_ASKED, sight=Sight(power="lost")), "unknown"),
    ],
)
def test_cause_is_the_nearest_part_that_was_dead(seen: Scene, cause: str) -> None:
    assert cause_of(seen) == cause


def test_every_cause_suggests_a_class_that_reach_knows() -> None:
    hints = {cause: hint_of(cause) for cause in CAUSES}
    assert set(hints.values()) == {"down_provider", "down_other", "degraded", "unknown"}
    assert (hints["lan"], hints["gateway"]) == ("down_other", "down_other")
    assert {hints[c] for c in ("modem", "line", "operator", "upstream")} == {"down_provider"}


def test_evidence_is_one_line() -> None:
    line = evidence_of(scene(lan_was_bad=True, has_moved=True, sight=Sight(modem="offline")))
    assert line == (
        "gateway 5/5, modem 5/5, hop 0/5, dns 0/5, modem offline, no carrier or route, packets came"
    )


def test_the_first_source_that_knows_is_believed() -> None:
    seen = together([Sight(modem="offline"), Sight(modem="connected", carrier=True)])
    assert seen == Sight(modem="offline", carrier=True)
