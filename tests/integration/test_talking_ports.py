# SPDX-License-Identifier: Apache-2.0
"""Are devices that talk by themselves read through port, protocol, driver and probe, and never written to?"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.asking import Asking
from agent.contract.devices import Gnss, Power
from agent.contract.reason import Reason
from agent.probes.gnss import GnssProbe
from agent.probes.power import PowerProbe
from firmware_bridge import gnss, power
from firmware_bridge.address import Address
from firmware_bridge.protocols.nmea import checksum
from firmware_bridge.reading import DeviceFailed, DeviceReading
from tests.drivers.talks import NAMES, about, block_bytes, bytes_of
from tests.parts.talker import PtyTalker


def read(name: str, path: str, within_s: float = 5) -> DeviceReading:
    if name.startswith("vedirect"):
        return power.read(Address("vedirect", path=path), "solar", within_s=within_s)
    now: datetime | None = about(name).get("now")
    now_ms = 0 if now is None else round(now.timestamp() * 1000)
    return gnss.read(path, "gps", within_s=within_s, now_ms=lambda: now_ms)


def repeating(name: str) -> Callable[[], bytes]:
    data = bytes_of(name)
    return lambda: data


@pytest.mark.parametrize("name", [name for name in NAMES if about(name)["rung"] != "parsed"])
@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_device_is_heard_as_recorded_and_never_written_to(name: str, size: int) -> None:
    with PtyTalker(repeating(name), size=size) as device:
        reading = read(name, device.path)
        time.sleep(0.05)
        assert device.heard == b""
    expected = about(name)["expected"]
    found = dataclasses.asdict(reading.fields[0])
    assert {k: found[k] for k in expected} == pytest.approx(expected)
    assert list(reading.meanings) == about(name)["meanings"]


@pytest.mark.parametrize("name", ["vedirect/bluesolar_75_15", "nmea/ublox_7_fix"])
@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [(b"", Reason.TIMEOUT, "nothing comes from here"), (b"\xff\x00~" * 50, Reason.BAD_ANSWER, "bytes came")],
)
def test_silence_and_noise_are_told_apart(name: str, said: bytes, reason: Reason, words: str) -> None:
    with PtyTalker(lambda: said) as device, pytest.raises(DeviceFailed, match=words) as failed:
        read(name, device.path, within_s=0.4)
    assert failed.value.reason is reason


@pytest.mark.parametrize("name", ["vedirect/bluesolar_75_15", "nmea/ublox_7_fix"])
def test_an_unplugged_device_is_gone_at_once(name: str) -> None:
    with PtyTalker(lambda: b"") as device:
        puller = threading.Timer(0.3, device.unplug)
        puller.start()
        with pytest.raises(DeviceFailed) as failed:
            read(name, device.path, within_s=20)
        puller.join()
    assert failed.value.reason is Reason.GONE


def test_a_hanging_controller_costs_only_itself() -> None:
    low = "vedirect/smartshunt_low"
    with PtyTalker(repeating(low)) as sound, PtyTalker(lambda: b"") as mute:
        named = (f"good=vedirect:{sound.path}", f"bad=vedirect:{mute.path}", "gone=vedirect:/dev/nonexistent")
        found = asyncio.run(PowerProbe(controllers=named, device_s=2).measure())
    good, bad, gone = found
    assert isinstance(good.fields, Power)
    assert (good.reason, good.fields.controller, good.fields.low_battery) == (None, "good", True)
    assert (bad.reason, gone.reason) == (Reason.TIMEOUT, Reason.NOT_PRESENT)
    assert mute.path not in (bad.detail or "")


def test_an_output_that_nobody_uses_is_no_reason_for_an_outage() -> None:
    """Off from the first look on it means nothing; once it was on, that it is off means that something is."""
    off = bytes_of("vedirect/smartsolar_100_20_night")
    on = block_bytes(["PID\t0xA05F", "V\t25870", "CS\t3", "LOAD\tON", "IL\t900"])
    said = [off]
    with PtyTalker(lambda: said[0]) as device:
        probe = PowerProbe(controllers=(f"sun=vedirect:{device.path}",), device_s=2)
        seen = []
        for data in (off, on, off):
            said[0] = data
            (finding,) = asyncio.run(probe.measure())
            assert isinstance(finding.fields, Power)
            seen.append((finding.fields.load_on, finding.fields.meaning, probe.board.look().power))
    assert seen == [(False, None, None), (True, None, None), (False, "load_off", "lost")]


def now_sentences() -> bytes:
    """A receiver whose clock is this machine's."""
    now = datetime.now(UTC)
    place, day = "0000.0000,N,00000.0000,E", f"{now:%d%m%y}"
    bodies = [
        f"GNGGA,{now:%H%M%S}.{now.microsecond // 1000:03},{place},1,12,0.8,0,M,0,M,,",
        f"GNRMC,{now:%H%M%S}.{now.microsecond // 1000:03},A,{place},0,0,{day},,,A",
    ]
    return b"".join(f"${b}*{checksum(b.encode()):02X}\r\n".encode() for b in bodies)


def test_the_time_of_a_receiver_is_that_of_this_clock_and_its_place_is_learnt(tmp_path: Path) -> None:
    with PtyTalker(now_sentences) as device:
        probe = GnssProbe(receivers=(f"gps=nmea:{device.path}",), home_folder=str(tmp_path))
        moved = []
        for _ in range(2):
            (finding,) = asyncio.run(probe.measure())
            fields = finding.fields
            assert isinstance(fields, Gnss)
            assert (finding.reason, fields.fix, fields.satellites) == (None, True, 12)
            assert fields.clock_offset_ms is not None
            assert -1000 <= fields.clock_offset_ms <= 0
            moved.append(fields.moved)
    assert moved == [None, False]
    assert set(json.loads((tmp_path / "gps.json").read_text())) == {"latitude", "longitude"}


async def test_a_call_that_hangs_is_waited_for_once_and_not_asked_again() -> None:
    asking, release = Asking(), threading.Event()
    calls: list[Any] = []

    def hang() -> bool:
        calls.append(None)
        return release.wait(20)

    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asking.ask("gps", hang, 0.05)
    assert (len(calls), threading.active_count()) == (1, before + 1)
    assert await asking.ask("other", lambda: 7, 5) == 7
    release.set()
    await asyncio.sleep(0.2)
    assert await asking.ask("gps", lambda: 8, 5) == 8


async def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        await Asking().ask("gps", lambda: 1 // 0, 5)
