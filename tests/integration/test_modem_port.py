# SPDX-License-Identifier: Apache-2.0
"""Is a modem behind a pty read through port, protocol, driver and probe, whatever it does?"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import tomllib
from pathlib import Path

import pytest

from agent.contract.devices import Modem
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.modem import ModemProbe
from firmware_bridge import modem
from firmware_bridge.links.modem_manager import ModemManager
from firmware_bridge.links.serial import AtPort, SerialPort
from firmware_bridge.reading import DeviceFailed, DeviceReading
from tests.drivers.transcript import NAMES, load
from tests.parts.modem import MMCLI, PtyModem, mmcli

NOBODY = ModemManager("/nonexistent/mmcli")


def read(device: PtyModem) -> DeviceReading:
    return modem.read(device.path, "lte", within_s=30, manager=NOBODY)


@pytest.mark.parametrize("name", [name for name in NAMES if load(name).about["rung"] != "parsed"])
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("dribble", [True, False])
def test_a_modem_is_read_as_recorded(name: str, *, echo: bool, dribble: bool) -> None:
    with PtyModem(name, echo=echo, dribble=dribble, urc_ratio=0.5) as device:
        reading = read(device)
    (fields,) = reading.fields
    expected = load(name).about["expected"]
    assert {k: getattr(fields, k) for k in expected} == pytest.approx(expected)


def test_a_question_that_is_not_answered_costs_only_its_own_value() -> None:
    with PtyModem("quectel_eg25_lte", mute=frozenset({"AT+QTEMP"})) as device:
        (fields,) = read(device).fields
    assert isinstance(fields, Modem)
    assert (fields.temperature_c, fields.rsrp_dbm) == (None, -96.0)


def test_an_answer_that_comes_too_late_costs_only_its_own_value() -> None:
    with (
        PtyModem("quectel_eg25_lte", late_s={"AT+CSQ": 0.5, "AT+CGMR": 0.5}) as device,
        SerialPort(device.path) as port,
    ):
        link = AtPort(port, timeout_s=0.4)
        link.wake()
        (fields,) = modem.read_link(link, "lte").fields
    expected = load("quectel_eg25_lte").about["expected"]
    found = {k: getattr(fields, k) for k in expected if k != "rssi_dbm"}
    assert found == pytest.approx({k: expected[k] for k in found})
    assert isinstance(fields, Modem)
    assert fields.firmware is None


@pytest.mark.parametrize("command", ["AT+CSQ", 'AT+QENG="servingcell"', "AT+CGMM"])
def test_a_modem_that_starts_anew_in_mid_answer_says_nothing_wrong(command: str) -> None:
    with (
        PtyModem("quectel_eg25_lte", resets_at=command) as device,
        SerialPort(device.path) as port,
    ):
        link = AtPort(port, timeout_s=0.4)
        link.wake()
        (fields,) = modem.read_link(link, "lte").fields
    expected = load("quectel_eg25_lte").about["expected"]
    # The two answers of this recording that name a band name different ones.
    told_twice = {"band", "channel"}
    found = {k: v for k in set(expected) - told_twice if (v := getattr(fields, k)) is not None}
    assert found == {k: expected[k] for k in found}
    assert len(found) > len(expected) // 2


def test_a_mute_port_is_told_with_what_to_do() -> None:
    with PtyModem("quectel_eg25_lte", mute=frozenset({"*"})) as device:
        with pytest.raises(DeviceFailed, match="try the modem's other ports") as failed:
            read(device)
        assert set(device.asked) == {"AT"}
    assert failed.value.reason is Reason.TIMEOUT


def test_a_modem_that_stops_answering_is_left_soon() -> None:
    silent = frozenset(load("quectel_eg25_lte").answers) - {"AT", "ATE0", "ATV1", "AT+CMEE=1", "AT+CPIN?"}
    with PtyModem("quectel_eg25_lte", mute=silent) as device:
        with pytest.raises(DeviceFailed) as failed:
            read(device)
        assert len(device.asked) < 10
    assert failed.value.reason is Reason.TIMEOUT


def test_an_unplugged_modem_is_gone_at_once() -> None:
    with PtyModem("quectel_eg25_lte", mute=frozenset({"AT+CSQ"})) as device, SerialPort(device.path) as port:
        link = AtPort(port)
        link.wake()
        puller = threading.Timer(0.3, device.unplug)
        puller.start()
        with pytest.raises(DeviceFailed) as failed:
            link.ask("AT+CSQ")
        puller.join()
    assert failed.value.reason is Reason.GONE


def test_a_port_that_somebody_has_is_busy() -> None:
    with (
        PtyModem("quectel_eg25_lte") as device,
        SerialPort(device.path),
        pytest.raises(DeviceFailed) as failed,
    ):
        SerialPort(device.path)
    assert failed.value.reason is Reason.BUSY


def test_a_port_that_modem_manager_has_is_never_opened(tmp_path: Path) -> None:
    with PtyModem("quectel_eg25_lte") as device:
        manager = mmcli(tmp_path, "quectel_connected.json", device.path)
        reading = modem.read(device.path, "lte", within_s=30, manager=manager)
        assert device.asked == []
    (fields,) = reading.fields
    assert isinstance(fields, Modem)
    assert (fields.driver, fields.operator) == ("modem_manager", "Beeline KZ")


@pytest.mark.parametrize("name", ["quectel_connected", "quectel_no_sim"])
def test_modem_manager_is_read_as_recorded(tmp_path: Path, name: str) -> None:
    manager = mmcli(tmp_path, f"{name}.json", "/dev/ttyUSB7")
    reading = modem.read("/dev/ttyUSB7", "lte", within_s=5, manager=manager)
    about = tomllib.loads((MMCLI / f"{name}.toml").read_text())
    (fields,) = reading.fields
    assert {k: getattr(fields, k) for k in about["expected"]} == pytest.approx(about["expected"])
    assert list(reading.meanings) == about["meanings"]
    assert getattr(fields, "driver", None) == about["driver"]


def test_a_hanging_modem_costs_only_itself() -> None:
    with (
        PtyModem("quectel_eg25_lte") as sound,
        PtyModem("quectel_eg25_lte", mute=frozenset({"*"})) as hanging,
    ):
        probe = ModemProbe(ports=(f"good={sound.path}", f"bad={hanging.path}", "gone=/dev/nonexistent"))
        found = asyncio.run(probe.measure())
    good, bad, gone = found
    assert isinstance(good.fields, Modem)
    assert (good.reason, good.fields.port, good.fields.rsrp_dbm) == (None, "good", -96.0)
    assert (bad.reason, gone.reason) == (Reason.TIMEOUT, Reason.NOT_PRESENT)
    assert [getattr(f.fields, "port", None) for f in found] == ["good", "bad", "gone"]
    assert hanging.path not in (bad.detail or "")
    assert probe.board.look().modem == "connected"  # one that is will do


def test_a_board_forgets_what_is_old() -> None:
    clock = [0.0]
    board = Board(lambda: clock[0])
    board.note("lte", ("not_registered",))
    assert board.look().modem == "offline"
    board.note("sat", ("account",))
    assert board.look().modem == "account"
    clock[0] = 101.0
    assert board.look().modem is None
    with contextlib.suppress(KeyError):
        board.note("lte", ("no_such_code",))
        pytest.fail("a code that does not exist was taken")
