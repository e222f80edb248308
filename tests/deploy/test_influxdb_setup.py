# SPDX-License-Identifier: Apache-2.0
"""Does the set-up of InfluxDB 2 ask for the least it needs, once? Against a stand-in for `influx`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "influxdb" / "setup.sh"

INFLUX = """\
#!/bin/sh
echo "$*" >>"$CALLS"
[ "$INFLUX_TOKEN" = admin ] || exit 1
case "$*" in
"bucket list"*) printf 'b1\\tschoolpulse\\tinfinite\\n' ;;
"v1 dbrp list"*) [ -e "$CALLS.dbrp" ] && printf 'm1\\tschoolpulse\\tb1\\n' ;;
"v1 dbrp create"*) touch "$CALLS.dbrp" ;;
"auth create"*) printf '{\\n\\t"id": "1",\\n\\t"token": "token of %s",\\n}\\n' "$4" ;;
esac
exit 0
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder with the command, an admin's token and room for the tokens made."""
    command = tmp_path / "influx"
    command.write_text(INFLUX)
    command.chmod(0o755)
    (tmp_path / "admin").write_text("admin")
    for user in ("collector", "grafana"):
        (tmp_path / "tokens" / user).mkdir(parents=True)
    return tmp_path


def _run(folder: Path) -> list[str]:
    """Run the script; what it asked of InfluxDB."""
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "ADMIN_TOKEN_FILE": str(folder / "admin"),
        "TOKENS": str(folder / "tokens"),
    }
    (folder / "calls").unlink(missing_ok=True)
    subprocess.run(["sh", SCRIPT], env=environment, check=True, stdout=subprocess.DEVNULL)
    return (folder / "calls").read_text().splitlines()


def test_setup_maps_the_database_and_makes_tokens_of_one_right_each(stand_in: Path) -> None:
    calls = _run(stand_in)
    assert "v1 dbrp create --db schoolpulse --rp autogen --default --bucket-id b1" in calls
    assert "auth create --description collector --write-bucket b1 --json" in calls
    assert "auth create --description grafana --read-bucket b1 --json" in calls
    assert (stand_in / "tokens/grafana/token").read_text() == "token of grafana"


def test_setup_changes_nothing_when_run_again(stand_in: Path) -> None:
    _run(stand_in)
    again = _run(stand_in)
    assert not [call for call in again if "create" in call]
