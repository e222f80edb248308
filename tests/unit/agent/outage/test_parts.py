# SPDX-License-Identifier: Apache-2.0
"""The small parts of the watch: loss that is ordinary, hosts in rotation, one voice, options, the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.contract.decoder import DecodeError, decode
from agent.outage.asked import Asked
from agent.outage.host import HostEvidence
from agent.outage.options import OutageOptions
from agent.outage.ordinary import LEAST, MOST, Ordinary
from agent.outage.places import Places
from agent.outage.voice import Voice


def lossy(run: int, *, runs: int = 300, answers: int = 30) -> int:
    ordinary = Ordinary(96_000)
    for _ in range(runs):
        for _ in range(answers):
            ordinary.learn_answer()
        ordinary.learn_run(run)
    return ordinary.needed


def test_the_longer_a_link_loses_in_a_row_the_more_is_needed() -> None:
    needed = [lossy(run) for run in (1, 2, 4, 10, 40)]
    assert needed == sorted(needed)
    assert needed[0] == LEAST
    assert needed[-1] == MOST
    assert 40 <= needed[2] <= 80


def test_a_host_that_is_silent_by_itself_is_left_out_and_comes_back() -> None:
    places = Places(("a", "b", "c"))

    def settle(host: str, *, answered: bool) -> None:
        places.settle(Asked(1, host, 0.0, answered_s=0.1 if answered else None))

    for _ in range(4):
        settle("a", answered=False)
        settle("b", answered=True)
    assert places.speaking == {"b", "c"}
    assert {places.next() for _ in range(6)} == {"b", "c"}
    assert {places.next(any_will_do=True) for _ in range(6)} == {"a", "b", "c"}
    assert places.mute_due(100.0) == ["a"]
    assert places.mute_due(130.0) == []
    assert places.mute_due(160.0) == ["a"]
    settle("a", answered=True)
    assert places.speaking == {"a", "b", "c"}


def test_what_all_hosts_missed_makes_none_of_them_mute() -> None:
    places = Places(("a", "b"))
    for _ in range(10):
        for host in "ab":
            places.settle(Asked(1, host, 0.0))
        places.settle(Asked(2, "a", 1.0, answered_s=1.1))
    assert places.speaking == {"a", "b"}


def test_requests_settle_in_sending_order_however_answers_come() -> None:
    voice = Voice(3.0)
    for number in range(4):
        voice.ask(number, "a", float(number))
    voice.answer(2, 2.1)
    voice.answer(1, 2.2)
    assert voice.answer(1, 2.3) is None
    assert voice.answer(99, 2.3) is None
    assert list(voice.settled(2.9)) == []
    assert [(a.number, a.is_lost) for a in voice.settled(3.0)] == [(0, True), (1, False), (2, False)]
    late = voice.answer(0, 5.0)
    assert late is not None
    assert late.is_lost
    assert [a.number for a in voice.trail] == [3]


def test_a_silence_of_days_makes_no_list_that_must_be_counted_each_time() -> None:
    voice = Voice(3.0)
    for number in range(5000):
        voice.ask(number, "a", float(number))
    assert MOST < voice.overdue(6000.0) == len(voice.trail) <= 1024


def test_what_somebody_near_answered_is_neither_overdue_nor_lost() -> None:
    voice = Voice(3.0)
    voice.ask(1, "a", 0.0, way="connection")
    voice.void(1)
    (asked,) = voice.settled(0.1)
    assert (asked.is_void, asked.is_lost, voice.overdue(5.0), voice.rtt_s) == (True, False, 0, None)


def test_what_was_held_back_and_let_go_together_does_not_make_the_way_look_slow() -> None:
    voice = Voice(3.0)
    for number in range(8):
        voice.ask(number, "a", number * 0.25)
        if number < 2:
            voice.answer(number, number * 0.25 + 0.05)
    for number in range(2, 8):
        voice.answer(number, 2.3)
    voice.ask(9, "a", 3.0)
    voice.answer(9, 3.05)
    assert voice.rtt_s == pytest.approx(0.05)


def test_a_way_that_becomes_slow_is_learnt() -> None:
    voice = Voice(3.0)
    for number in range(40):
        voice.ask(number, "a", float(number))
        voice.answer(number, number + (0.05 if number < 5 else 1.5))
    assert voice.rtt_s == pytest.approx(1.5, abs=0.05)


def test_a_connection_beside_that_came_together_with_an_echo_was_held_back_and_teaches_nothing() -> None:
    voice = Voice(3.0)
    voice.ask(1, "a", 0.0)
    voice.answer(1, 0.05)
    voice.ask(2, "a", 1.0, way="connection", counts=False)
    voice.ask(3, "a", 1.4)
    assert voice.answer(2, 2.5) is None
    assert voice.answer(3, 2.5) is not None
    told = [(a.number, a.is_lost) for at_s in (2.55, 2.65) for a in voice.settled(at_s)]
    assert told == [(1, False), (2, True), (3, False)]
    assert voice.rtt_s == 0.05


def test_a_connection_that_took_long_and_came_alone_is_believed_also_after_its_time_out() -> None:
    voice = Voice(3.0)
    voice.ask(1, "a", 0.0)
    voice.answer(1, 0.05)
    assert len(list(voice.settled(0.1))) == 1
    voice.ask(2, "a", 1.0, way="connection", counts=False)
    assert voice.answer(2, 3.95) is None
    assert list(voice.settled(4.01)) == []
    assert voice.settles_s() == pytest.approx(4.05)
    assert [(a.number, a.is_lost) for a in voice.settled(4.06)] == [(2, False)]


@pytest.mark.parametrize(("came_s", "lost"), [([2.5, 2.5], [True, True]), ([2.5, 3.0], [False, False])])
def test_connections_that_took_long_are_lost_if_they_come_together(
    came_s: list[float], lost: list[bool]
) -> None:
    voice = Voice(3.0)
    voice.ask(0, "a", 0.0, way="connection")
    voice.answer(0, 0.05)
    assert [a.number for a in voice.settled(0.1)] == [0]
    for number, at_s in ((1, 1.0), (2, 1.5)):
        voice.ask(number, "a", at_s, way="connection")
    for number, at_s in enumerate(came_s, 1):
        assert voice.answer(number, at_s) is None
    assert list(voice.settled(came_s[0] + 0.05)) == []
    assert voice.settles_s() == pytest.approx(came_s[0] + 0.1)
    told = [a for at_s in (3.05, 3.15) for a in voice.settled(at_s)]
    assert [a.is_lost for a in told] == lost


def test_the_wait_for_an_answer_follows_the_round_trip_time() -> None:
    voice = Voice(3.0)
    assert voice.overdue_after_s == 1.0
    for number in range(50):
        voice.ask(number, "a", float(number))
        voice.answer(number, number + 0.6)
    assert 0.6 < voice.overdue_after_s < 0.7
    voice.ask(50, "a", 50.0)
    assert (voice.overdue(50.6), voice.overdue(50.8)) == (0, 1)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"anchors": []}, "at least one"),
        ({"anchors": ["1.1.1.1", "1.1.1.1"]}, "repeat"),
        ({"anchors": ["one.one.one.one"]}, "not an IP address"),
        ({"modem": "modem"}, "not an IP address"),
        ({"dns_name": "no name"}, "not a host name"),
        ({"wan_interface": "../eth0"}, "not the name of an interface"),
        ({"profile": "fast"}, "profile"),
        ({"timeout_s": 0.1}, "timeout_s"),
    ],
)
def test_options_that_cannot_work_are_refused(table: dict[str, object], problem: str) -> None:
    with pytest.raises((ValueError, DecodeError), match=problem):
        decode(OutageOptions, table, strict=True)


def test_a_plan_is_the_profiles_but_for_what_is_set() -> None:
    metered = OutageOptions(profile="metered", dns_every_s=5.0).plan()
    assert (metered.anchor_every_s, metered.dns_every_s, metered.is_hasty) == (1.68, 5.0, False)
    assert metered.by_connection_every_s == 7.2
    assert OutageOptions(anchor_every_s=2.0).plan().by_connection_every_s == 2.0


def test_the_host_tells_cable_route_and_what_came_over_the_link(tmp_path: Path) -> None:
    proc, sys = tmp_path / "net", tmp_path / "class"
    (sys / "wwan0" / "statistics").mkdir(parents=True)
    proc.mkdir()
    (sys / "wwan0" / "carrier").write_text("1\n")
    (sys / "wwan0" / "statistics" / "rx_packets").write_text("77\n")
    host = HostEvidence("wwan0", proc_net=proc, sys_net=sys)
    assert (host.look().route, host.look().carrier, host.gateway) == (False, None, None)
    (proc / "route").write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "wwan0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n"
    )
    seen = host.look()
    assert (seen.route, seen.carrier, seen.received, host.gateway) == (True, True, 77, "192.168.1.1")
    (proc / "route").unlink()
    (sys / "wwan0" / "carrier").write_text("0\n")
    assert (host.look().route, host.look().carrier) == (False, False)
    assert HostEvidence("none", proc_net=proc, sys_net=sys).look().received is None
