# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from agent.contract.kinds import Interface
from agent.contract.reason import Reason
from agent.echo.address import parse
from agent.echo.route import Route
from agent.probes import interface
from agent.probes.base import ProbeFailed
from agent.probes.interface import InterfaceProbe

COUNTERS = SimpleNamespace(bytes_recv=1, bytes_sent=2, errin=5, errout=6, dropin=7, dropout=8)


def counters_are(monkeypatch: pytest.MonkeyPatch, state: Any) -> None:
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: {"eth0": COUNTERS, "wlan0": COUNTERS})
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"eth0": state} if state else {})
    monkeypatch.setattr(interface, "default_route", lambda: Route("eth0", parse("192.168.1.1")))


async def test_interface_of_the_default_route_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    counters_are(monkeypatch, SimpleNamespace(isup=True, speed=100, mtu=1500))
    (finding,) = await InterfaceProbe().measure()
    assert finding.fields == Interface(
        interface="eth0",
        source="host",
        up=True,
        speed_mbps=100,
        mtu_bytes=1500,
        rx_bytes=1,
        tx_bytes=2,
        rx_errors=5,
        tx_errors=6,
        rx_drops=7,
        tx_drops=8,
    )


@pytest.mark.parametrize("state", [None, SimpleNamespace(isup=True, speed=0, mtu=0)])
async def test_speed_that_the_driver_does_not_say_is_unknown(
    monkeypatch: pytest.MonkeyPatch, state: Any
) -> None:
    counters_are(monkeypatch, state)
    (finding,) = await InterfaceProbe(interfaces=("eth0",)).measure()
    assert isinstance(finding.fields, Interface)
    assert (finding.fields.speed_mbps, finding.fields.mtu_bytes) == (None, None)
    assert finding.fields.up is (True if state else None)


async def test_missing_interface_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    counters_are(monkeypatch, None)
    present, missing = await InterfaceProbe(interfaces=("wlan0", "wwan0")).measure()
    assert present.reason is None
    assert missing.reason == Reason.NOT_PRESENT
    assert missing.fields == Interface(interface="wwan0", source="host")


async def test_no_default_route_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "default_route", lambda: None)
    with pytest.raises(ProbeFailed, match="network_down: there is no default route"):
        await InterfaceProbe().measure()


async def test_unreadable_counters_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    counters_are(monkeypatch, None)

    def broken() -> None:
        raise OSError("no /proc here")

    monkeypatch.setattr(psutil, "net_if_stats", broken)
    with pytest.raises(ProbeFailed, match="internal: the counters cannot be read"):
        await InterfaceProbe().measure()


async def test_loopback_of_this_machine_is_read() -> None:
    (finding,) = await InterfaceProbe(interfaces=("lo",)).measure()
    assert isinstance(finding.fields, Interface)
    assert finding.fields.up
    assert (finding.fields.rx_bytes or 0) > 0


@pytest.mark.parametrize(("names", "problem"), [(("",), "empty name"), (("lo", "lo"), "must not repeat")])
def test_impossible_options_are_refused(names: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        InterfaceProbe(interfaces=names)
