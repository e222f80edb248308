# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.contract.kinds import Reach
from agent.contract.reason import Reason
from agent.echo.address import parse
from agent.echo.ledger import Outcome
from agent.echo.lookup import Lookup
from agent.echo.message import DnsAnswer
from agent.echo.reachability import Round, Surroundings, reach_of, surroundings
from agent.echo.route import Route
from tests.unit.agent.echo.test_route import ETH, PPP, proc

ANCHORS = [parse(f"192.0.2.{n}") for n in (1, 2, 3)]
GATEWAY = parse("192.168.1.1")
HOME = Surroundings(Route("eth0", GATEWAY), carrier=True, neighbour=True)
ALONE = replace(HOME, neighbour=False)
UNPLUGGED = replace(HOME, carrier=False)
NOWHERE = Surroundings(None)
MODEM = Surroundings(Route("ppp0", None), carrier=True)

YES = [Outcome(address=GATEWAY, rtt_ms=1)] * 3
NO = [Outcome(address=GATEWAY, reason=Reason.TIMEOUT)] * 3
NAMED = [Lookup(attempts=1, answer=DnsAnswer(3, 0, ()), reason=Reason.NAME_UNKNOWN)]
UNNAMED = [Lookup(attempts=1, reason=Reason.TIMEOUT)] * 2


def to_anchors(pattern: str) -> list[Outcome]:
    """One outcome per letter: answered, late, lost, refused, not sent."""
    kinds = {
        "a": Outcome(address=GATEWAY, rtt_ms=30),
        "l": Outcome(address=GATEWAY, late=True, reason=Reason.TIMEOUT),
        "x": Outcome(address=GATEWAY, reason=Reason.TIMEOUT),
        "r": Outcome(address=GATEWAY, rtt_ms=1, refused=True),
        "-": Outcome(address=GATEWAY, sent=False, reason=Reason.NETWORK_DOWN),
    }
    return [replace(kinds[letter], address=ANCHORS[i % 3]) for i, letter in enumerate(pattern)]


def seen(pattern: str = "aaaaaa", **changes: object) -> Round:
    usual = Round(
        to_anchors=to_anchors(pattern),
        to_gateway=YES,
        lookups=NAMED,
        before=HOME,
        after=HOME,
        method="icmp",
        degraded_loss_ratio=0.2,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_reach_of_a_round_with_losses() -> None:
    assert reach_of(seen("axxala")) == Reach(
        up=True,
        anchors=3,
        anchors_up=3,
        anchor_asked=6,
        anchor_answered=4,
        loss_run_max=2,
        gateway_asked=3,
        gateway_answered=3,
        dns_asked=1,
        dns_answered=1,
        route=True,
        carrier=True,
        hint="degraded",
        method="icmp",
    )


def test_reach_counts_only_what_was_sent() -> None:
    figures = reach_of(seen("a--xx-"))
    assert (figures.anchor_asked, figures.anchors, figures.anchors_up, figures.loss_run_max) == (3, 2, 1, 2)


def test_reach_of_nothing_sent_is_unknown() -> None:
    figures = reach_of(seen("---", lookups=None, to_gateway=[]))
    assert (figures.up, figures.anchor_asked, figures.loss_run_max, figures.gateway_asked) == (
        None,
        0,
        None,
        0,
    )
    assert (figures.dns_asked, figures.dns_answered) == (None, None)


@pytest.mark.parametrize(
    ("round_", "hint"),
    [
        (seen(), "up"),
        (seen("llllll"), "up"),
        (seen("aaaaax"), "up"),
        (seen("aaaaxx"), "degraded"),
        (seen(lookups=UNNAMED), "degraded"),
        (seen(lookups=[]), "up"),
        (seen(before=UNPLUGGED, after=NOWHERE), "up"),
        (seen("xxxxxx"), "down_provider"),
        (seen("rrrrrr"), "down_provider"),
        (seen("xxxxxx", to_gateway=NO, after=ALONE), "down_other"),
        (seen("xxxxxx", to_gateway=NO, after=replace(HOME, neighbour=None)), "down_other"),
        (seen("xxxxxx", to_gateway=NO), "unknown"),
        (seen("xxxxxx", after=UNPLUGGED), "down_other"),
        (seen("xxxxxx", before=NOWHERE), "down_other"),
        (seen("------", before=NOWHERE, after=NOWHERE, to_gateway=[]), "down_other"),
        (seen("------"), "unknown"),
        (seen("xxxxxx", before=MODEM, after=MODEM, to_gateway=[]), "unknown"),
    ],
)
def test_hint_follows_from_the_evidence(round_: Round, hint: str) -> None:
    assert reach_of(round_).hint == hint


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (HOME, HOME, (True, True)),
        (HOME, UNPLUGGED, (True, False)),
        (NOWHERE, HOME, (False, None)),
        (MODEM, replace(MODEM, carrier=None), (True, None)),
    ],
)
def test_route_and_carrier_must_be_there_at_both_ends(
    before: Surroundings, after: Surroundings, expected: tuple[bool | None, bool | None]
) -> None:
    figures = reach_of(seen(before=before, after=after))
    assert (figures.route, figures.carrier) == expected


def test_surroundings_are_read_from_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "carrier").write_text("1\n")
    arp = "192.168.1.1 0x1 0x2 02:00:00:00:00:01 * eth0\n"
    found = surroundings(proc(tmp_path, route=ETH, arp=arp), tmp_path)
    assert found == HOME
    assert found.gateway == GATEWAY
    assert surroundings(proc(tmp_path, route=PPP), tmp_path) == Surroundings(Route("ppp0", None))
    assert surroundings(proc(tmp_path), tmp_path).gateway is None
