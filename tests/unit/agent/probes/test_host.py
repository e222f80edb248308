# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from agent.contract.decoder import decode
from agent.contract.kinds import KINDS, Host
from agent.contract.record import to_plain
from agent.probes import host
from agent.probes.host import (
    BusyShare,
    HostProbe,
    clock_synchronised,
    cpu_temperature_c,
    throttled,
    undervoltage,
)


async def measured(**options: Any) -> Host:
    (finding,) = await HostProbe(**options).measure()
    assert finding.reason is None
    assert isinstance(finding.fields, Host)
    return finding.fields


async def test_this_machine_is_described(tmp_path: Path) -> None:
    figures = await measured(disk=str(tmp_path))
    assert figures.uptime_s
    assert figures.agent_rss_bytes
    assert figures.disk_free_bytes
    assert figures.memory_ratio is not None
    assert (figures.spool_records, figures.wire_bytes_today) == (None, None)
    assert decode(KINDS["host"], to_plain(figures)) == figures


async def test_folder_that_is_not_there_yet_counts_as_its_parent(tmp_path: Path) -> None:
    figures = await measured(disk=str(tmp_path / "not" / "yet"))
    assert figures.disk_free_bytes is not None


async def test_unknown_things_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("not on this board")

    for name in ("virtual_memory", "disk_usage", "sensors_temperatures", "cpu_times"):
        monkeypatch.setattr(psutil, name, broken)
    figures = await measured()
    assert (figures.memory_ratio, figures.disk_free_bytes) == (None, None)
    assert (figures.cpu_temperature_c, figures.cpu_ratio) == (None, None)


def test_cpu_share_is_unknown_at_first_and_then_since_the_last_time(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(10.0, 100.0), (15.0, 120.0), (15.0, 120.0), (14.0, 130.0)])
    monkeypatch.setattr(host, "_cpu_seconds", lambda: next(readings))
    share = BusyShare()
    assert [share.since_last() for _ in range(4)] == [None, 0.25, None, 0.0]


def test_cpu_seconds_leave_idle_time_out_and_count_guests_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Times(tuple[float, ...]):
        __slots__ = ()
        user, idle, iowait, guest = 40.0, 50.0, 10.0, 20.0

    monkeypatch.setattr(psutil, "cpu_times", lambda: Times((40, 50, 10, 20)))
    assert host._cpu_seconds() == (40, 100)


async def test_two_probes_do_not_disturb_each_other() -> None:
    first, second = HostProbe(), HostProbe()
    assert first.cpu is not second.cpu
    assert first == second


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({"cpu_thermal": [SimpleNamespace(current=48.312)]}, 48.3),
        ({"nvme": [SimpleNamespace(current=30.0)]}, None),
        ({"coretemp": [SimpleNamespace(current=None), SimpleNamespace(current=51.0)]}, 51.0),
        ({}, None),
    ],
)
def test_temperature_is_that_of_the_processor(
    monkeypatch: pytest.MonkeyPatch, sensors: object, expected: float | None
) -> None:
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors)
    assert cpu_temperature_c() == expected


@pytest.mark.parametrize(("alarm", "expected"), [("0\n", False), ("1\n", True)])
def test_undervoltage_is_the_alarm_of_the_firmware(tmp_path: Path, alarm: str, *, expected: bool) -> None:
    hwmon(tmp_path, 0, "cpu_thermal")
    (hwmon(tmp_path, 1, "rpi_volt") / "in0_lcrit_alarm").write_text(alarm)
    assert undervoltage(tmp_path) is expected


def test_undervoltage_is_unknown_on_other_boards(tmp_path: Path) -> None:
    assert undervoltage(tmp_path) is None
    hwmon(tmp_path, 0, "rpi_volt")
    assert undervoltage(tmp_path) is None


def hwmon(sys: Path, number: int, name: str) -> Path:
    folder = sys / f"class/hwmon/hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0\n", False), ("50000\n", False), ("1\n", False), ("4\n", True), ("50005\n", True), ("x\n", None)],
)
def test_throttled_is_what_the_firmware_does_now(tmp_path: Path, text: str, *, expected: bool | None) -> None:
    folder = tmp_path / "devices/platform/soc/soc:firmware"
    folder.mkdir(parents=True)
    (folder / "get_throttled").write_text(text)
    assert throttled(tmp_path) is expected


@pytest.mark.parametrize("soc", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_a_firmware_that_tells_all_in_one_word_is_read_on_every_board(tmp_path: Path, soc: str) -> None:
    """Bits from 16 on are what happened since the start, not what is."""
    file = tmp_path / "devices/platform" / soc / "get_throttled"
    file.parent.mkdir(parents=True)
    said = []
    for text in ("0\n", "1\n", "50005\n", "50000\n", "8\n", "\n"):
        file.write_text(text)
        said.append((undervoltage(tmp_path), throttled(tmp_path)))
    assert said == [(False, False), (True, False), (True, True), (False, False), (False, True), (None, None)]


def test_the_alarm_of_the_kernel_is_believed_before_the_word_of_the_firmware(tmp_path: Path) -> None:
    (hwmon(tmp_path, 1, "rpi_volt") / "in0_lcrit_alarm").write_text("1\n")
    file = tmp_path / "devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text("0\n")
    assert (undervoltage(tmp_path), throttled(tmp_path)) == (True, False)


def test_throttled_is_unknown_on_other_boards(tmp_path: Path) -> None:
    assert throttled(tmp_path) is None


@pytest.mark.parametrize(("state", "expected"), [(0, True), (1, True), (5, False), (-1, None)])
def test_clock_is_synchronised_when_the_kernel_says_so(
    monkeypatch: pytest.MonkeyPatch, state: int, *, expected: bool | None
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(adjtimex=lambda _: state))
    assert clock_synchronised() is expected


def test_clock_is_unknown_without_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert clock_synchronised() is None


def test_clock_of_this_machine_is_asked() -> None:
    assert clock_synchronised() in {True, False}


def test_relative_folder_is_refused() -> None:
    with pytest.raises(ValueError, match="disk 'spool' must be an absolute path"):
        HostProbe(disk="spool")
