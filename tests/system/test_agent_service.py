# SPDX-License-Identifier: Apache-2.0
"""Does the agent start and stop as it says, and does it know how it was stopped before?"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock.system import mono_ns
from agent.contract.kinds import Event, Outage
from agent.contract.record import Record
from agent.marker import Mark, MarkFile
from agent.spool.block import scan, unpack
from tests.system.trio import Trio, wait_until
from tests.system.witness import CLOCK, FaultyClock

pytestmark = [pytest.mark.parts, pytest.mark.timeout(120)]


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    made = Trio(tmp_path)
    with contextlib.closing(made):
        yield made


def _kept(trio: Trio) -> dict[tuple[str, int], Record]:
    """Everything on the card of an agent that reached no broker."""
    found = [f.payload for p in (trio.directory / "spool").glob("*.blocks") for f in scan(p.read_bytes())]
    contents = [unpack(payload) for payload in found if payload]
    return {(session, r.seq): r for session, records in contents for r in records}


def _events(trio: Trio) -> list[tuple[str, str | None]]:
    return [(f.event, f.subject) for f in _event_fields(trio)]


def _event_fields(trio: Trio) -> list[Event]:
    return [r.fields for r in _kept(trio).values() if isinstance(r.fields, Event)]


def test_an_agent_without_a_broker_measures_and_keeps(trio: Trio) -> None:
    trio.start("agent")
    wait_until(lambda: len(trio.noted("made")) >= 10, 30, "ten records")

    assert trio.stop("agent") == 0
    assert len(_kept(trio)) == len(trio.noted("made"))


def test_a_killed_agent_says_so_at_its_next_start(trio: Trio) -> None:
    trio.start("agent")
    # The first record is made just before the mark that tells of this run.
    wait_until(lambda: len(trio.noted("made")) >= 5, 30, "five records")
    trio.kill("agent")
    trio.start("agent")
    wait_until(lambda: ("unclean_shutdown", "agent killed") in _events(trio), 30, "it notices")
    assert trio.stop("agent") == 0


def test_an_agent_of_another_boot_calls_it_a_power_cut(trio: Trio) -> None:
    (trio.directory / "spool").mkdir()
    (trio.directory / "spool" / "running").write_text("00000000")
    trio.start("agent")
    wait_until(lambda: ("unclean_shutdown", "power cut or reset") in _events(trio), 30, "it notices")
    assert trio.stop("agent") == 0


def test_a_power_cut_minutes_after_the_clock_became_known_is_dated_when_it_is_again(trio: Trio) -> None:
    began_s = time.monotonic()
    trio.environment[CLOCK] = str(trio.directory / "clock.json")
    _boot(trio, "00000001", wall_ms=0)
    trio.kill("agent")
    _boot(trio, "00000002", wall_ms=7_200_000)
    wait_until(lambda: ("power_cut", "power cut or reset") in _events(trio), 30, "it dates the power cut")
    assert trio.stop("agent") == 0

    cuts = {f.event: f for f in _event_fields(trio) if f.lasted_s is not None or "cut" in f.event}
    assert cuts.keys() == {"power_cut"}
    assert 7200 <= (cuts["power_cut"].lasted_s or 0) <= 7200 + time.monotonic() - began_s
    assert cuts["power_cut"].resolution_s == 300


def _boot(trio: Trio, boot: str, *, wall_ms: int) -> None:
    """Start the agent in a new boot, in 1970; then its clock is set, ahead of ours by `wall_ms`."""
    file = trio.directory / "clock.json"
    clock = FaultyClock(wall_ms=-time.time_ns() // 1_000_000, mono_ms=-(mono_ns() // 1_000_000), boot=boot)
    clock.write(file)
    trio.start("agent")
    before = trio.log("agent").count("clock.set source=kernel")
    made = len(trio.noted("made"))
    wait_until(lambda: len(trio.noted("made")) >= made + 3, 30, "it measures")
    dataclasses.replace(clock, wall_ms=wall_ms, is_synchronised=True).write(file)
    wait_until(lambda: trio.log("agent").count("clock.set source=kernel") > before, 30, "it knows the time")
    marks = MarkFile(trio.directory / "spool" / "running")
    wait_until(lambda: (marks.read() or Mark(boot="")).wall_ms is not None, 20, "its mark says when it was")


def test_an_agent_that_was_stopped_properly_says_nothing(trio: Trio) -> None:
    for _ in range(2):
        before = len(trio.noted("made"))
        trio.start("agent")
        wait_until(lambda before=before: len(trio.noted("made")) > before, 30, "a record")  # type: ignore[misc]
        assert trio.stop("agent") == 0

    assert {event for event, _ in _events(trio)} == {"agent_started"}


def test_a_broker_that_refuses_stops_nothing(trio: Trio) -> None:
    trio.broker.extra = "allow_anonymous false"
    trio.start("broker")
    trio.start("agent")
    wait_until(lambda: "link.refused" in trio.log("agent"), 30, "the refusal is logged")
    before = len(trio.noted("made"))
    wait_until(lambda: len(trio.noted("made")) > before + 5, 30, "it goes on measuring")

    assert trio.stop("agent") == 0
    assert trio.log("agent").count("link.refused") == 1


def test_a_spool_on_a_full_or_missing_disk_stops_nothing(trio: Trio) -> None:
    (trio.directory / "spool").write_text("in the way")
    for name in ("broker", "collector", "agent"):
        trio.start(name)
    wait_until(lambda: len(trio.stored()) >= 10, 40, "records reach the store from memory alone")

    assert "spool.unwritable" in trio.log("agent")
    assert trio.stop("agent") == 0


def test_a_second_agent_on_the_same_spool_refuses_and_disturbs_nothing(trio: Trio) -> None:
    trio.start("agent")
    wait_until(lambda: bool(trio.noted("made")), 30, "a record")
    folder = trio.directory / "spool"
    second = _agent(trio, "run")

    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith(
        f"school-agent: {folder}: another school-agent is using this folder: stop"
    )
    assert {name: _agent(trio, name).returncode for name in ("once", "spool", "check")} == dict.fromkeys(
        ("once", "spool", "check"), 0
    )
    before = len(trio.noted("made"))
    wait_until(lambda: len(trio.noted("made")) > before, 30, "the first goes on")
    assert trio.stop("agent") == 0
    assert len(_kept(trio)) == len(trio.noted("made"))


def test_two_agents_that_share_only_the_runtime_directory_do_not_both_run(trio: Trio) -> None:
    run = trio.directory / "run"
    run.mkdir()
    trio.environment = {"RUNTIME_DIRECTORY": str(run)}
    trio.start("agent")
    wait_until(lambda: bool(trio.noted("made")), 30, "a record")
    other = trio.directory / "agent.toml"
    other.write_text(other.read_text().replace(f"{trio.directory}/spool", f"{trio.directory}/other"))

    assert f"{run}: another school-agent" in _agent(trio, "run").stderr
    assert trio.stop("agent") == 0


def _agent(trio: Trio, word: str) -> subprocess.CompletedProcess[str]:
    """Another school-agent with the same file, to its end."""
    command = [sys.executable, "-m", "agent", word, "--config", str(trio.directory / "agent.toml")]
    environment = {**os.environ, **trio.environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_killed_agent_knows_how_long_it_was_away(trio: Trio) -> None:
    trio.start("agent")
    # The first record is made just before the mark that tells of this run.
    wait_until(lambda: len(trio.noted("made")) >= 5, 30, "five records")
    trio.kill("agent")
    trio.start("agent")
    wait_until(lambda: ("unclean_shutdown", "agent killed") in _events(trio), 30, "it notices")
    assert trio.stop("agent") == 0

    fields = [r.fields for r in _kept(trio).values()]
    (killed,) = [f for f in fields if isinstance(f, Event) and f.event == "unclean_shutdown"]
    assert killed.lasted_s is not None
    assert killed.resolution_s is not None
    assert 0 <= killed.lasted_s <= 60


def test_silent_anchors_are_told_as_an_outage_that_the_stop_leaves_open(trio: Trio) -> None:
    config = trio.directory / "agent.toml"
    # The kernel refuses to send to this address, so nothing leaves the machine and nothing answers.
    silent = 'anchors = ["255.255.255.255"]\ndns'
    config.write_text(config.read_text().replace('anchors = ["127.0.0.1", "127.0.0.2"]\ndns', silent))
    trio.start("agent")
    wait_until(lambda: any(kind == "outage" for _, _, kind, *_ in trio.noted("made")), 40, "an outage")
    assert trio.stop("agent") == 0

    told = [r.fields for _, r in sorted(_kept(trio).items()) if isinstance(r.fields, Outage)]
    assert [o.ongoing for o in told] == [True, None]
    assert {o.opened_resolution_s for o in told} == {None}
    assert len({o.outage for o in told}) == 1
