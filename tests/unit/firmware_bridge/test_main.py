# SPDX-License-Identifier: Apache-2.0
"""Does the command line say honestly what the bridge can do, on a modem behind a pty?"""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_bridge import __main__ as program
from firmware_bridge.__main__ import main
from firmware_bridge.drivers import DRIVERS
from tests.parts.modem import PtyModem

PLANTED = "250017000000123"


def test_every_driver_is_listed_and_can_be_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers"]) == 0
    assert capsys.readouterr().out.split() == sorted(DRIVERS)


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["--version"], 0), ([], 2), (["read"], 2)])
def test_exit_code_is_usage_when_the_command_is_unknown(arguments: list[str], code: int) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == code


def test_a_modem_is_identified(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyModem("quectel_eg25_lte") as modem:
        assert main(["identify", modem.path]) == 0
    assert capsys.readouterr().out == "Quectel, EG25, EG25GGBR07A08M2G (quectel_at)\n"


def test_a_modem_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyModem("sierra_em7455_lte") as modem:
        assert main(["read", modem.path]) == 0
    assert "rsrp_dbm = -81.0" in capsys.readouterr().out.splitlines()


def test_a_recording_has_the_answers_and_no_private_number(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyModem("telit_le910_lte", swaps={"000000000000000": PLANTED}) as modem:
        assert main(["record", modem.path]) == 0
    out = capsys.readouterr().out
    assert "> AT#RFSTS\n< #RFSTS: " in out
    assert '"T-Mobile"' in out
    assert PLANTED not in out


def test_every_port_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "BY_ID", tmp_path)
    (tmp_path / "usb-Gone-if00").symlink_to("/dev/nonexistent")
    with PtyModem("huawei_me909_lte") as modem:
        (tmp_path / "usb-Huawei-if02").symlink_to(modem.path)
        assert main(["probe-all"]) == 0
    out, err = capsys.readouterr()
    assert "usb-Gone-if00: not_present: " in out
    assert "usb-Huawei-if02: huawei, ME909s-120" in out
    assert "2 serial ports" in err
    assert "1 answered" in err


def test_a_port_that_is_not_there_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify", "/dev/nonexistent"]) == 1
    assert "is the modem plugged in" in capsys.readouterr().err
