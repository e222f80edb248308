# SPDX-License-Identifier: Apache-2.0
"""Does an agent that has no devices to ask do without the libraries that ask them?"""

from __future__ import annotations

import subprocess
import sys

_WITHOUT = """
import asyncio, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"serial", "h2", "pysnmp"}:
            raise ModuleNotFoundError(f"No module named {name}", name=name)

sys.meta_path.insert(0, Absent())
from agent.config import build_probes
told = {
    "modem": {"ports": ["lte=/dev/ttyUSB0"]},
    "power": {"controllers": ["sun=vedirect:/dev/ttyUSB1"]},
    "gnss": {"receivers": ["gps=nmea:/dev/ttyACM0"]},
    "satellite": {"dishes": ["dish=starlink://127.0.0.1"]},
}
print(len(build_probes({})) > 3)
for probe in build_probes({name: {"enabled": True, **table} for name, table in told.items()}):
    if probe.table in told:
        (finding,) = asyncio.run(probe.measure())
        print(probe.table, finding.reason, finding.detail)
"""


def test_a_library_that_is_missing_costs_only_the_probe_that_needs_it() -> None:
    ran = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=True)
    first, *lines = ran.stdout.splitlines()
    assert first == "True"
    assert [line.split()[:2] for line in lines] == [
        [name, "not_present"] for name in ("modem", "satellite", "power", "gnss")
    ]
    assert all("pip install 'schoolpulse[bridge]'" in line for line in lines)


def test_nothing_of_them_is_loaded_until_it_is_asked_for() -> None:
    code = (
        "import sys; from agent.config import build_probes; build_probes({});"
        "print([m for m in ('serial', 'h2', 'pysnmp') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
