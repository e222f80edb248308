# SPDX-License-Identifier: Apache-2.0
"""Does the command line say honestly what the bridge can do?"""

from __future__ import annotations

import pytest

from firmware_bridge.__main__ import DRIVERS, NO_DRIVERS, main


def test_identify_fails_with_a_sentence_while_there_is_no_driver(capsys: pytest.CaptureFixture[str]) -> None:
    assert not DRIVERS
    assert main(["identify"]) == 1
    assert capsys.readouterr().err == f"firmware-bridge: {NO_DRIVERS}\n"


def test_drivers_prints_nothing_on_stdout_while_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["--version"], 0), ([], 2), (["read"], 2)])
def test_exit_code_is_usage_when_the_command_is_unknown(arguments: list[str], code: int) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == code


def test_help_says_which_drivers_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Drivers: none yet." in " ".join(capsys.readouterr().out.split())
