# SPDX-License-Identifier: Apache-2.0
"""Simulated days: what an outage is found to be, and what none is.

`SCHOOLPULSE_TEST_DAYS=20` simulates so many whole days of each lossy link instead of a few hours.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from agent.outage.plan import PLANS, Profile
from tests.unit.agent.outage.simulated import Chain, Cut, Day, Road, live

DAYS = int(os.environ.get("SCHOOLPULSE_TEST_DAYS", "0"))
PROFILES: tuple[Profile, ...] = ("standard", "metered")
RTTS_S = (0.05, 0.6)
PLACES = ("lan", "gateway", "modem", "line", "operator", "upstream")
_HOUR_S = 3600.0

ROADS: dict[str, Callable[[random.Random], Road]] = {
    "GEO, 3 % of echoes lost": lambda rng: Road(rtt_s=0.6, jitter_s=0.05, loss=0.015, rng=rng),
    "GEO, 3 % lost each way": lambda rng: Road(rtt_s=0.6, jitter_s=0.05, loss=0.03, rng=rng),
    "GEO, 3.8 % lost in runs of four": lambda rng: Road(
        rtt_s=0.6, jitter_s=0.05, chain=Chain(0.01, 0.25, rng), rng=rng
    ),
    "GEO, 3 % lost in fades of 50 ms": lambda rng: Road(
        rtt_s=0.6, jitter_s=0.05, chain=Chain(0.6, 1 / 0.05, rng, per_s=True), rng=rng
    ),
    "fibre, 1 % lost": lambda rng: Road(rtt_s=0.01, jitter_s=0.002, loss=0.005, rng=rng),
    "answers up to 2.5 s late each hour": lambda rng: Road(
        rtt_s=0.05, rng=rng, slow=lambda at_s: max(0.0, 2.5 - abs(at_s % _HOUR_S - 60) / 10)
    ),
}


def cut_once(place: str, profile: Profile, rtt_s: float, *, lasts_s: float, seed: int) -> tuple[Cut, Day]:
    rng = random.Random(seed)
    cut = Cut(place, begin := 60 + 5 * rng.random(), begin + lasts_s)
    return cut, live(PLANS[profile], Road(rtt_s=rtt_s, cuts=[cut], rng=rng), seconds=begin + lasts_s + 15)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rtt_s", RTTS_S)
@pytest.mark.parametrize("place", PLACES)
def test_an_outage_of_five_seconds_is_dated_to_one_and_its_cause_is_right(
    place: str, rtt_s: float, profile: Profile
) -> None:
    for seed in range(6):
        cut, day = cut_once(place, profile, rtt_s, lasts_s=5 + seed, seed=seed)
        (found,) = day.closed
        assert found.closed is not None
        assert found.cause == place
        assert abs(found.opened.at_s - cut.from_s) <= 1.0
        assert abs(found.closed.at_s - cut.until_s) <= 1.0
        assert [c.cause for c in day.changes] == [place, place]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rtt_s", RTTS_S)
def test_the_truth_is_within_what_is_told(rtt_s: float, profile: Profile) -> None:
    checked = 0
    for seed in range(30):
        cut, day = cut_once(PLACES[seed % len(PLACES)], profile, rtt_s, lasts_s=4 + seed, seed=seed)
        for found in day.closed:
            assert found.closed is not None
            for bounds, truth_s in ((found.opened, cut.from_s), (found.closed, cut.until_s)):
                assert bounds.resolution_s is not None
                assert abs(bounds.at_s - truth_s) <= bounds.resolution_s + 0.001
                checked += 1
    print(f"{checked} moments within their bounds")
    assert checked == 60


@pytest.mark.parametrize("place", PLACES)
def test_an_outage_of_two_seconds_is_found_by_the_standard_profile(place: str) -> None:
    for seed in range(10):
        cut, day = cut_once(place, "standard", 0.05, lasts_s=2.0, seed=seed)
        (found,) = day.closed
        assert found.closed is not None
        assert abs(found.opened.at_s - cut.from_s) <= 2.0
        assert abs(found.closed.at_s - cut.until_s) <= 2.0


def test_dead_names_are_an_outage_of_their_own() -> None:
    cut, day = cut_once("dns", "standard", 0.05, lasts_s=8, seed=1)
    (found,) = day.closed
    assert (found.scope, found.cause) == ("dns", "dns")
    assert abs(found.opened.at_s - cut.from_s) <= 1.1


@pytest.mark.parametrize("profile", PROFILES)
def test_resolvers_that_only_say_that_they_cannot_are_dead_names(profile: Profile) -> None:
    day = live(PLANS[profile], Road(failing=[(300.0, 900.0)]), seconds=1500)
    (found,) = day.closed
    assert found.closed is not None
    assert (found.scope, found.cause) == ("dns", "dns")
    assert abs(found.opened.at_s - 300) <= PLANS[profile].dns_every_s
    assert abs(found.closed.at_s - 900) <= 1.0


def test_a_resolver_that_fails_for_a_moment_is_no_outage() -> None:
    day = live(PLANS["standard"], Road(failing=[(a, a + 12.0) for a in range(60, 3000, 60)]), seconds=3000)
    assert day.changes == []


@pytest.mark.parametrize("place", ["operator", "upstream"])
def test_a_resolver_that_says_it_cannot_still_shows_how_far_the_way_lives(place: str) -> None:
    road = Road(cuts=[Cut("upstream", 60, 90)], failing=[(60, 90)])
    road = Road(cuts=[Cut("operator", 60, 90)]) if place == "operator" else road
    (found,) = live(PLANS["standard"], road, seconds=120).closed
    assert (found.scope, found.cause) == ("link", place)


@pytest.mark.parametrize("limit_s", [1.0, 5.0, 10.0])
@pytest.mark.parametrize(("place", "cause"), [("line", "line"), ("modem", "modem"), ("operator", "operator")])
def test_a_gateway_that_limits_its_answers_is_not_blamed_for_the_line(
    limit_s: float, place: str, cause: str
) -> None:
    for seed in range(4):
        cut = Cut(place, begin := 200 + seed, begin + 5.0)
        road = Road(cuts=[cut], limits_s={"gateway": limit_s}, rng=random.Random(seed))
        (found,) = live(PLANS["standard"], road, seconds=230).closed
        assert found.cause == cause


def test_a_gateway_that_limits_its_answers_is_blamed_when_it_is_dead_itself() -> None:
    road = Road(cuts=[Cut("gateway", 200, 220)], limits_s={"gateway": 3.0})
    (found,) = live(PLANS["standard"], road, seconds=240).closed
    assert found.cause == "gateway"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_dead_anchor_is_no_outage_and_soon_costs_nothing(profile: Profile) -> None:
    day = live(PLANS[profile], Road(dead=frozenset({"8.8.8.8"})), seconds=2 * _HOUR_S)
    sound = live(PLANS[profile], Road(), seconds=2 * _HOUR_S)
    assert day.changes == []
    assert day.packets["anchors"] < 1.03 * sound.packets["anchors"]


@pytest.mark.parametrize(("profile", "most_mb"), [("standard", 15.0), ("metered", 3.0)])
@pytest.mark.parametrize("rtt_s", RTTS_S)
def test_a_day_on_a_healthy_link_keeps_to_its_bytes(profile: Profile, most_mb: float, rtt_s: float) -> None:
    hours = 1
    day = live(PLANS[profile], Road(rtt_s=rtt_s), seconds=hours * _HOUR_S)
    mb_per_day = day.link_bytes() / 1e6 * 24 / hours
    packets = sum(day.packets.values())
    print(f"{profile}, {rtt_s} s: {mb_per_day:.2f} MB a day at the IP layer, from {packets} packets")
    assert day.changes == []
    assert mb_per_day <= most_mb


SICK: dict[str, Callable[[], Road]] = {
    "answers after 4 s": lambda: Road(slow=lambda _: 4.0),
    "a router that lets one echo a second through": lambda: Road(limits_s={"anchors": 1.0}),
    "60 % of echoes lost": lambda: Road(loss=0.37),
}


@pytest.mark.parametrize(("profile", "most_mb"), [("standard", 24.0), ("metered", 8.0)])
@pytest.mark.parametrize("name", SICK)
def test_a_day_on_a_sick_link_keeps_to_its_bytes_too(name: str, profile: Profile, most_mb: float) -> None:
    hours = 0.5
    day = live(PLANS[profile], SICK[name](), seconds=hours * _HOUR_S)
    mb_per_day = day.link_bytes() / 1e6 * 24 / hours
    print(f"{profile}, {name}: {mb_per_day:.2f} MB a day at the IP layer")
    assert day.changes == []
    assert mb_per_day <= most_mb


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ROADS)
@pytest.mark.timeout(0 if DAYS else 120)
def test_a_lossy_link_is_no_outage(name: str, profile: Profile) -> None:
    hours = 24 * DAYS or 2
    found = []
    for seed in range(DAYS or 2):
        day = live(PLANS[profile], ROADS[name](random.Random(seed)), seconds=(24 if DAYS else 1) * _HOUR_S)
        found += day.changes
    print(f"{name}, {profile}: {len(found)} outages told in {hours} h")
    assert found == []


def test_on_a_link_that_fades_each_outage_told_was_a_long_fade() -> None:
    chain = Chain(0.1, 1 / 0.3, random.Random(3), per_s=True)
    day = live(PLANS["standard"], Road(rtt_s=0.6, chain=chain), seconds=2 * _HOUR_S)
    assert len(day.closed) >= 3
    for found in day.closed:
        assert found.closed is not None
        from_s, until_s = found.opened.earliest_s or 0.0, found.closed.latest_s
        assert max(min(b, until_s) - max(a, from_s) for a, b in chain.fades) >= 0.4
    print(
        f"{len(day.closed)} outages told, each with a fade of 0.4 s or more; {len(chain.fades)} fades in all"
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_however_many_outages_follow_one_another_each_is_found(profile: Profile) -> None:
    cuts = [Cut("line", 60 + 11.0 * i, 65.5 + 11.0 * i) for i in range(24)]
    road = Road(rtt_s=0.6, loss=0.0075, cuts=cuts, rng=random.Random(2))
    found = live(PLANS[profile], road, seconds=cuts[-1].until_s + 20).closed
    assert len(found) == len(cuts)
    assert all(abs(f.opened.at_s - c.from_s) <= 1.5 for f, c in zip(found, cuts, strict=True))


@pytest.mark.parametrize("place", ["gateway", "modem"])
def test_what_was_silent_in_one_outage_is_not_thought_to_be_so_by_habit(place: str) -> None:
    cuts = [Cut("lan", 60.0, 66.0), Cut(place, 72.0, 78.0), Cut(place, 84.0, 90.0)]
    found = live(PLANS["standard"], Road(cuts=cuts), seconds=110).closed
    assert [f.cause for f in found] == ["lan", place, place]
