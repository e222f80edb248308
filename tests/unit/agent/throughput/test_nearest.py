# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from agent.contract.decoder import DecodeError
from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.probes.base import Finding, ProbeFailed, Reading
from agent.probes.capacity import CapacityProbe
from agent.probes.ndt7 import Ndt7Probe
from agent.probes.tcp import TcpProbe
from agent.throughput import nearest


class Servers:
    """Each with its round trips in ms in turn, None for one that is lost, and what a test of it gives."""

    def __init__(self, rtts_ms: Mapping[str, list[float | None]], **given: Reason | int | None) -> None:
        self.rtts_ms = {name: list(each) for name, each in rtts_ms.items()}
        self.given = given
        self.tested: list[str] = []

    async def echo(self, name: str) -> float:
        rtt_ms = self.rtts_ms[name].pop(0) if self.rtts_ms[name] else None
        if rtt_ms is None:
            raise TimeoutError
        return rtt_ms

    async def test(self, name: str) -> Reading:
        self.tested.append(name)
        given = self.given.get(name)
        if given is Reason.NAME_UNKNOWN:
            raise ProbeFailed(given, name)
        reason = given if isinstance(given, Reason) else None
        spent = given if isinstance(given, int) else None
        fields = Throughput(direction="down", server=name, method="x", bytes=spent)
        return (Finding(fields, Reason.BUSY if spent else reason),)

    async def measured(self, *names: str) -> str:
        found = await nearest.measure(names or tuple(self.rtts_ms), self.echo, self.test)
        assert isinstance(found[0].fields, Throughput)
        return f"{found[0].fields.server} {found[0].reason}"


async def test_the_least_round_trip_counts_not_the_first() -> None:
    servers = Servers({"far": [40, 41, 39], "near": [90, None, 12]})
    assert await servers.measured() == "near None"
    assert servers.tested == ["near"]


async def test_servers_about_as_near_keep_their_order() -> None:
    for first_ms in (11.0, 12.9):
        servers = Servers({"first": [first_ms], "second": [10.0], "far": [30.0]})
        assert await servers.measured() == "first None"
    assert await Servers({"first": [14.0], "second": [10.0]}).measured() == "second None"


@pytest.mark.parametrize("refusal", sorted(nearest._PASSED_OVER))
async def test_one_that_lets_no_test_begin_is_passed_over(refusal: Reason) -> None:
    servers = Servers({"far": [90.0], "near": [5.0], "middle": [40.0]}, near=refusal)
    assert await servers.measured() == "middle None"
    assert servers.tested == ["near", "middle"]


async def test_all_without_room_is_what_the_nearest_says() -> None:
    servers = Servers({"far": [90.0], "near": [5.0]}, near=Reason.BUSY, far=Reason.REFUSED)
    assert await servers.measured() == "near busy"
    assert servers.tested == ["near", "far"]


async def test_without_time_for_another_the_first_one_that_had_no_room_is_told() -> None:
    servers = Servers({}, near=Reason.BUSY, middle=Reason.BUSY)
    left = iter([True, False])
    found = await nearest.in_turn(("near", "middle", "far"), servers.test, lambda: next(left))
    assert (servers.tested, found[0].reason) == (["near", "middle"], Reason.BUSY)
    assert isinstance(found[0].fields, Throughput)
    assert found[0].fields.server == "near"


@pytest.mark.parametrize("problem", [Reason.GONE, Reason.TIMEOUT, Reason.OVERRAN, Reason.UNTRUE])
async def test_a_test_that_broke_off_is_not_begun_again_elsewhere(problem: Reason) -> None:
    servers = Servers({"far": [90.0], "near": [5.0]}, near=problem)
    assert await servers.measured() == f"near {problem}"
    assert servers.tested == ["near"]


async def test_bytes_that_are_spent_are_not_spent_twice() -> None:
    servers = Servers({"far": [90.0], "near": [5.0]}, near=1500)
    assert await servers.measured() == "near busy"
    assert servers.tested == ["near"]


async def test_a_silent_server_is_not_tested_while_another_answers() -> None:
    servers = Servers({"dead": [], "alive": [600.0]}, alive=Reason.BUSY)
    assert await servers.measured() == "alive busy"
    assert servers.tested == ["alive"]


async def test_the_first_is_tested_when_all_are_silent() -> None:
    servers = Servers({"first": [], "second": []}, first=Reason.BLOCKED)
    assert await servers.measured() == "first blocked"
    assert servers.tested == ["first"]


async def test_an_only_server_is_asked_nothing_beforehand() -> None:
    servers = Servers({"one": [1.0]})
    assert await servers.measured() == "one None"
    assert servers.rtts_ms == {"one": [1.0]}


async def test_a_name_that_nobody_knows_fails_the_whole_only_when_no_other_helps() -> None:
    servers = Servers({"near": [1.0], "far": [9.0]}, near=Reason.NAME_UNKNOWN)
    assert await servers.measured() == "far None"
    servers = Servers({"near": [1.0], "far": [9.0]}, near=Reason.NAME_UNKNOWN, far=Reason.BUSY)
    with pytest.raises(ProbeFailed, match="near"):
        await servers.measured()


async def test_servers_that_never_answer_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "LONGEST_S", 0.1)

    async def echo(name: str) -> float:
        if name == "hole":
            await asyncio.sleep(60)
        return 5.0

    async with asyncio.timeout(5):
        assert await nearest.nearest_first(("hole", "other"), echo) == ["other"]


PROBES = (CapacityProbe, TcpProbe, Ndt7Probe)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"server": "", "more_servers": ("b",)}, "server"),
        ({"server": "a", "more_servers": ("b", "a b")}, r"more_servers\[1\]"),
        ({"server": "a", "more_servers": ("a",)}, "twice"),
        ({"server": "a", "more_servers": ("b", "b")}, "twice"),
        ({"server": "a", "more_servers": tuple(f"s{i}" for i in range(8))}, "less than 8"),
    ],
)
def test_servers_that_cannot_be_are_refused(probe: Any, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        probe(**options)


@pytest.mark.parametrize("probe", PROBES)
def test_finding_the_nearest_is_within_the_plan(probe: Any) -> None:
    one, several = probe(server="a"), probe(server="a", more_servers=("b", "c"))
    assert several.estimate_bytes() > one.estimate_bytes()
    for left_bytes in (several.least_bytes(), 1_000_000, 10_000_000):
        told = several.within(left_bytes)
        assert told is not None
        assert told.estimate_bytes() <= left_bytes
        assert told.more_servers == ("b", "c")
    assert several.within(several.least_bytes() - 1) is None
