# SPDX-License-Identifier: Apache-2.0
"""Do the units really run, inside everything they shut themselves off from?

Boots a systemd of its own in a container over this machine's files, with nothing written back and no network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.parts("systemd-nspawn"),
    pytest.mark.timeout(180),
]

TREE = Path(__file__).resolve().parents[2]
BOOT = Path(__file__).parent / "boot"
PYTHON = "/usr/bin/python3"
BOOT_S = 120

PROGRAM = """\
#!{python}
import sys
sys.dont_write_bytecode = True
sys.path[:0] = ["/opt/schoolpulse/app", "/opt/schoolpulse/lib"]
from {package}.__main__ import main
sys.exit(main())
"""

FILES = {
    "agent.toml": """\
device = "pi-0001"
[mqtt]
host = "127.0.0.1"
username = "pi-0001"
password_file = "mqtt-password"
[outage]
anchors = ["127.0.0.1"]
dns_name = ""
[probes.reach]
anchors = ["127.0.0.1"]
every_s = 2
watch_s = 1
deadline_s = 2
timeout_s = 0.2
anchor_every_s = 0.1
dns_name = ""
[probes.latency]
targets = ["127.0.0.1"]
every_s = 5
deadline_s = 4
count = 2
spacing_s = 0.1
timeout_s = 0.9
""",
    "broken.toml": 'device = "pi-0001"\nprobe = 1\n',
    "collector.toml": "",
    "registry.toml": '[[school]]\nid = "s1"\n[[device]]\nid = "pi-0001"\nschool = "s1"\n',
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Folder with what the container's check.sh saw."""
    if _version(PYTHON) != _version(sys.executable):
        pytest.skip(f"{PYTHON} is another Python than the one the packages are installed for")
    folder = tmp_path_factory.mktemp("boot")
    check = _prepare(folder, wheel)
    log = folder / "boot.log"
    with log.open("wb") as sink:
        subprocess.run(
            _command(folder, check), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, check=False
        )
    if not (check / "out/log").exists():
        pytest.skip(f"no container can be started here: {log.read_text(errors='replace')[-300:]}")
    assert (check / "out/done").exists(), (check / "out/log").read_text()
    return check / "out"


def _prepare(folder: Path, wheel: Path) -> Path:
    check, app, programs = folder / "check", folder / "opt/app", folder / "opt/bin"
    shutil.copytree(BOOT, check)
    shutil.copytree(TREE / "systemd", check / "systemd")
    (check / "out").mkdir()
    for name, text in FILES.items():
        (check / name).write_text(text)
    zipfile.ZipFile(wheel).extractall(app)
    (folder / "opt/lib").mkdir()
    (folder / "root").mkdir()
    programs.mkdir()
    for package in ("agent", "collector"):
        program = programs / f"school-{package}"
        program.write_text(PROGRAM.format(python=PYTHON, package=package))
        program.chmod(0o755)
    return check


def _command(folder: Path, check: Path) -> list[str]:
    packages = sysconfig.get_path("platlib")
    nspawn = [
        "systemd-nspawn",
        f"--directory={folder}/root",
        "--volatile=overlay",
        "--register=no",
        "--keep-unit",
        "--private-network",
        # As on a real machine; a container's own filter would hide what the unit's does.
        "--system-call-filter=adjtimex clock_adjtime clock_adjtime64",
        "--link-journal=no",
        "--console=pipe",
        f"--bind={check}:/check",
        f"--bind-ro={folder}/opt:/opt/schoolpulse",
        f"--bind-ro={packages}:/opt/schoolpulse/lib",
        f"--bind-ro={check}/check.service:/etc/systemd/system/check.service",
        "--boot",
        "systemd.unit=check.service",
    ]
    script = f'mount --bind / {folder}/root && exec timeout -s KILL {BOOT_S} "$@"'
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", *nspawn]


def _version(python: str) -> str:
    code = "import sys; print(sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout


def _properties(seen: Path, name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (seen / name).read_text().splitlines())


@pytest.mark.parametrize("unit", ["school-agent", "school-collector"])
def test_unit_runs_and_ends_cleanly(seen: Path, unit: str) -> None:
    running, stopped = _properties(seen, unit), _properties(seen, f"{unit}.stopped")
    assert (running["ActiveState"], running["NRestarts"]) == ("active", "0"), (
        seen / f"{unit}.log"
    ).read_text()
    assert (stopped["ActiveState"], stopped["Result"]) == ("inactive", "success")


def test_unit_is_not_started_again_when_its_configuration_does_not_hold(seen: Path) -> None:
    broken = _properties(seen, "agent-broken")
    assert (broken["ActiveState"], broken["ExecMainStatus"], broken["NRestarts"]) == ("failed", "78", "0")
    assert "did you mean 'probes'?" in (seen / "agent-broken.log").read_text()


def test_probes_measure_by_icmp_without_any_capability(seen: Path) -> None:
    records = [json.loads(line) for line in (seen / "once.json").read_text().splitlines()]
    by_kind = {record["kind"]: record for record in records}
    assert by_kind["latency"]["fields"]["method"] == "icmp"
    assert by_kind["latency"]["fields"]["received"] == 2
    assert by_kind["host"]["fields"]["clock_synchronised"] is not None
    assert by_kind["host"]["fields"]["memory_ratio"] is not None
    assert not {record.get("reason") for record in records} & {"not_permitted", "internal"}


def test_state_is_closed_to_others(seen: Path) -> None:
    lines = [line.split() for line in (seen / "state").read_text().splitlines()]
    assert ["schoolpulse", "700", "/var/lib/schoolpulse"] in lines
    assert all(owner == "schoolpulse" and mode.endswith("00") for owner, mode, _ in lines)
