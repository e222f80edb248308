# SPDX-License-Identifier: Apache-2.0
"""Is Debian's speedtest-cli run within its bounds, and whatever becomes of it recorded with a reason?"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.probes.base import Reading
from agent.probes.speedtest import SpeedtestProbe
from agent.throughput import program
from agent.throughput.program import Bounds
from tests.parts.speedtest_net import CONFIG, Answer, SpeedtestNet, sound

pytestmark = pytest.mark.parts("speedtest-cli")


async def measured(monkeypatch: pytest.MonkeyPatch, answer: Answer = sound, **changed: Any) -> Reading:
    monkeypatch.setattr("agent.throughput.surroundings.interface_to", lambda _: "lo")
    with SpeedtestNet(answer) as net:
        monkeypatch.setenv("http_proxy", net.url)
        monkeypatch.setenv("no_proxy", "")
        plain = {"enabled": True, "secure": False, "max_bytes": 10**11, "max_s": 30.0} | changed
        return await SpeedtestProbe(**plain).measure()


async def test_its_figures_become_a_record_for_each_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = await measured(monkeypatch)

    fields: list[Any] = [finding.fields for finding in findings]
    print([(finding.reason, finding.detail) for finding in findings])
    assert [(made.direction, made.method) for made in fields] == [("down", "speedtest"), ("up", "speedtest")]
    assert all(made.mbps > 1 for made in fields)
    assert all(made.bytes > 100_000 for made in fields)
    # This one lets it have a second where the real ones give it ten.
    assert all("interrupted" in made.reasons for made in fields)


def forbidden(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return 403, b""


def html(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return 200, b"<html>Please pay"


def without_servers(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return (200, CONFIG) if "config" in path else (404, b"")


def without_downloads(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return (500, b"") if "random" in path else sound(path, sent_bytes)


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (forbidden, {Reason.NOT_PERMITTED}),
        (html, {Reason.BAD_ANSWER, Reason.INTERNAL}),
        (without_servers, {Reason.UNREACHABLE}),
    ],
)
async def test_a_bad_answer_is_a_reason_and_never_a_figure(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, reasons: set[Reason]
) -> None:
    findings: Any = await measured(monkeypatch, answer)

    print([(finding.reason, finding.detail) for finding in findings])
    assert all(finding.reason in reasons for finding in findings)
    assert all(finding.fields.mbps is None for finding in findings)


async def test_a_direction_without_a_figure_is_a_failure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    down, up = await measured(monkeypatch, without_downloads)

    assert (down.reason, down.detail) == (Reason.BAD_ANSWER, "speedtest-cli told no rate")
    assert isinstance(down.fields, Throughput)
    assert (down.fields.bytes, down.fields.validity) == (None, None)
    assert up.reason is None


async def test_a_program_gets_no_more_memory_than_it_may() -> None:
    bounds = Bounds(memory_bytes=100_000_000, bytes=10**9, seconds=20.0)
    greedy = [sys.executable, "-c", "print('begun', flush=True); bytes(200_000_000); print('had it')"]

    ran = await program.run(greedy, bounds, None)

    assert (ran.code, ran.output) == (1, b"begun\n")
    assert "MemoryError" in ran.complaint


async def test_a_program_gets_no_more_time_than_it_may_nor_do_its_children() -> None:
    bounds = Bounds(memory_bytes=10**9, bytes=10**9, seconds=0.5)

    ran = await program.run(["sh", "-c", "sleep 60 & sleep 60"], bounds, None)

    assert ran.stopped == "seconds"
    assert ran.lasted_s < 20


async def test_it_is_stopped_at_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = await measured(monkeypatch, max_bytes=200_000)

    assert {finding.reason for finding in findings} == {Reason.OVERRAN}


async def test_nobody_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.throughput.surroundings.interface_to", lambda _: "lo")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    # All that this host moves within itself counts.
    findings = await SpeedtestProbe(enabled=True, secure=False, max_bytes=10**11).measure()

    assert {finding.reason for finding in findings} == {Reason.REFUSED}
