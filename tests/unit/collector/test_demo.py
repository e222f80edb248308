# SPDX-License-Identifier: Apache-2.0
"""Does the demo pass on what its agent warns of?"""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.demo import _tell_warnings


def test_warnings_of_the_agent_are_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "agent.log"
    log.write_text(
        '{"level": "INFO", "message": "agent.started"}\n'
        "not JSON\n"
        '{"level": "WARNING", "message": "icmp.not_permitted measuring=by-tcp"}\n'
    )

    _tell_warnings(log)

    assert capsys.readouterr().out == "agent: icmp.not_permitted measuring=by-tcp\n"
