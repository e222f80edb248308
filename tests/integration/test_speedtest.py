# SPDX-License-Identifier: Apache-2.0
"""Is Debian's speedtest-cli run within its bounds, and whatever becomes of it recorded with a reason?"""

from __future__ import annotations

from typing import Any

import pytest

from agent.contract.reason import Reason
from agent.probes.base import Reading
from agent.probes.speedtest import SpeedtestProbe
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


def forbidden(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return 403, b""


def html(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return 200, b"<html>Please pay"


def without_servers(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return (200, CONFIG) if "config" in path else (404, b"")


def without_downloads(path: str, sent_bytes: int) -> tuple[int, bytes]:
    return (500, b"") if "random" in path or "upload" in path else sound(path, sent_bytes)


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (forbidden, {Reason.NOT_PERMITTED}),
        (html, {Reason.BAD_ANSWER, Reason.INTERNAL}),
        (without_servers, {Reason.UNREACHABLE}),
        (without_downloads, {Reason.BAD_ANSWER}),
    ],
)
async def test_a_bad_answer_is_a_reason_and_never_a_figure(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, reasons: set[Reason]
) -> None:
    findings: Any = await measured(monkeypatch, answer)

    print([(finding.reason, finding.detail) for finding in findings])
    assert all(finding.reason in reasons for finding in findings)
    assert all(finding.fields.mbps is None for finding in findings)


async def test_too_little_memory_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    findings: Any = await measured(monkeypatch, max_memory_bytes=50_000_000)

    print(findings[0].detail)
    assert {finding.reason for finding in findings} == {Reason.INTERNAL}


async def test_it_is_stopped_at_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = await measured(monkeypatch, max_bytes=200_000)

    assert {finding.reason for finding in findings} == {Reason.OVERRAN}


async def test_nobody_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.throughput.surroundings.interface_to", lambda _: "lo")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    findings = await SpeedtestProbe(enabled=True, secure=False).measure()

    assert {finding.reason for finding in findings} == {Reason.REFUSED}
