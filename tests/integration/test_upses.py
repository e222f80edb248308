# SPDX-License-Identifier: Apache-2.0
"""Are UPSes read through real servers, and does a server that hangs or lies cost only its own record?"""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract.devices import Power
from agent.contract.reason import Reason
from agent.probes.base import Finding
from agent.probes.power import PowerProbe
from firmware_bridge import power
from firmware_bridge.address import parse_address
from firmware_bridge.reading import DeviceFailed, DeviceReading
from tests.drivers.upses import NAMES, about, bytes_of, text_of
from tests.parts.program import free_port
from tests.parts.scripted_tcp import ScriptedTcp
from tests.parts.smart_ups import SmartUps, configuration
from tests.parts.upsd import Upsd
from tests.setup import parts

REAL = [name for name in NAMES if name.startswith("nut/") and about(name)["rung"] != "parsed"]
ON_LINE, SMART = "nut/backups_on_line", "apcupsd/smartups_on_battery"


def read(address: str, within_s: float = 10) -> DeviceReading:
    return power.read(parse_address(address, power.SCHEMES), "ups", within_s=within_s)


def assert_as_expected(reading: DeviceReading, name: str) -> None:
    told, (fields,) = about(name), reading.fields
    found = dataclasses.asdict(fields)
    assert {k: found[k] for k in told["expected"]} == pytest.approx(told["expected"])
    assert list(reading.meanings) == told["meanings"]


@pytest.fixture
def upsd(tmp_path: Path) -> Iterator[Upsd]:
    with Upsd(tmp_path, text_of(ON_LINE)) as running:
        yield running


@pytest.mark.parts("nut")
@pytest.mark.parametrize("name", REAL)
def test_a_real_upsd_tells_what_was_recorded(tmp_path: Path, name: str) -> None:
    with Upsd(tmp_path, text_of(name)) as server:
        for address in (f"nut://127.0.0.1:{server.port}/ups", f"nut://127.0.0.1:{server.port}"):
            assert_as_expected(read(address), name)


@pytest.mark.parts("nut")
def test_what_a_real_upsd_refuses_is_told_with_its_reason(upsd: Upsd) -> None:
    with pytest.raises(DeviceFailed) as unknown:
        read(f"nut://127.0.0.1:{upsd.port}/other")
    assert unknown.value.reason is Reason.NOT_PRESENT
    upsd.lose_ups()
    time.sleep(0.3)
    with pytest.raises(DeviceFailed) as lost:
        read(f"nut://127.0.0.1:{upsd.port}/ups")
    assert lost.value.reason in {Reason.NOT_PRESENT, Reason.GONE}


@pytest.mark.parametrize("name", [name for name in NAMES if about(name)["rung"] != "parsed"])
@pytest.mark.parametrize(("size", "pause_s"), [(0, 0.0), (1, 0.0), (64, 0.02)])
def test_a_recording_is_read_over_tcp(name: str, size: int, pause_s: float) -> None:
    scheme = name.partition("/")[0]
    with ScriptedTcp(bytes_of(name), size=size, pause_s=pause_s, ends=False) as server:
        assert_as_expected(read(f"{scheme}://127.0.0.1:{server.port}/ups"), name)


@pytest.mark.parametrize("name", [ON_LINE, SMART])
def test_a_server_that_misbehaves_is_told_apart(name: str) -> None:
    scheme, whole = name.partition("/")[0], bytes_of(name)
    cases = (
        (ScriptedTcp(b"", ends=False), Reason.TIMEOUT),
        (ScriptedTcp(whole[:-9], ends=False), Reason.TIMEOUT),
        (ScriptedTcp(whole[:-9]), Reason.GONE),
        (ScriptedTcp(whole, size=1, pause_s=0.1), Reason.TIMEOUT),
        (ScriptedTcp(b"", resets=True), Reason.GONE),
        (ScriptedTcp(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.BAD_ANSWER),
    )
    for server, reason in cases:
        with server:
            before_s = time.monotonic()
            with pytest.raises(DeviceFailed) as failed:
                read(f"{scheme}://127.0.0.1:{server.port}/ups", within_s=0.5)
            assert failed.value.reason is reason
            assert time.monotonic() - before_s < 2


@pytest.mark.parametrize("scheme", ["nut", "apcupsd"])
def test_nobody_there_is_refused(scheme: str) -> None:
    with pytest.raises(DeviceFailed, match="is the program started") as failed:
        read(f"{scheme}://127.0.0.1:{free_port()}/ups")
    assert failed.value.reason is Reason.REFUSED


def test_a_hanging_server_costs_only_itself() -> None:
    with ScriptedTcp(bytes_of(SMART)) as sound, ScriptedTcp(b"", ends=False) as hanging:
        probe = PowerProbe(
            controllers=(
                f"good=apcupsd://127.0.0.1:{sound.port}",
                f"bad=nut://127.0.0.1:{hanging.port}/ups",
                f"none=nut://127.0.0.1:{free_port()}/ups",
                "wrong=vedirect://127.0.0.1",
            ),
            device_s=1,
        )
        found: tuple[Finding, ...] = asyncio.run(probe.measure())
    assert [f.reason for f in found] == [None, Reason.TIMEOUT, Reason.REFUSED, Reason.NO_TARGET]
    good = found[0].fields
    assert isinstance(good, Power)
    assert probe.board.look().power == "lost"
    assert (good.mains_present, good.meaning) == (False, "mains_lost,battery_low,power_fault")


@pytest.mark.parts("apcupsd")
def test_a_real_apcupsd_tells_what_a_smart_ups_at_a_pty_says(tmp_path: Path) -> None:
    port = free_port()
    with SmartUps() as ups:
        config = tmp_path / "apcupsd.conf"
        config.write_text(configuration(ups.path, port, tmp_path))
        program = parts.find("apcupsd")
        assert program is not None
        with subprocess.Popen([program, "-b", "-f", str(config), "-P", str(tmp_path / "pid")]) as running:
            try:
                (fields,) = _patiently(f"apcupsd://127.0.0.1:{port}").fields
            finally:
                running.kill()
    assert isinstance(fields, Power)
    assert (fields.state, fields.mains_v, fields.battery_v, fields.runtime_s) == (
        "on_line",
        230.0,
        27.4,
        2640,
    )


def _patiently(address: str) -> DeviceReading:
    """Once it has met its UPS."""
    end_s = time.monotonic() + 30
    while True:
        try:
            reading = read(address)
        except DeviceFailed:
            assert time.monotonic() < end_s
        else:
            (fields,) = reading.fields
            if getattr(fields, "mains_v", None) is not None:
                return reading
        time.sleep(0.5)
