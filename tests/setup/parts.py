# SPDX-License-Identifier: Apache-2.0
"""Which real programs and rights does a test need, and are they here?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "parts"
"""Packages that exclude an installed one (`unpack.sh`)."""
PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{UNPACKED / 'apcupsd' / 'sbin'}"

PROGRAMS = {
    "apcupsd": "apcupsd",
    "cc": "cc",
    "chromium": "chromium",
    "dnsmasq": "dnsmasq",
    "influxdb": "influxd",
    "iperf3": "iperf3",
    "mosquitto": "mosquitto",
    "nft": "nft",
    "nginx": "nginx",
    "nut": "upsd",
    "ip": "ip",
    "speedtest-cli": "speedtest-cli",
    "systemd-analyze": "systemd-analyze",
    "systemd-nspawn": "systemd-nspawn",
    "victoria-metrics": "victoria-metrics",
}
"""Program by the name that `@pytest.mark.parts` is given."""


def find(part: str) -> str | None:
    """Path of a part's program, None when it is not installed."""
    return shutil.which(PROGRAMS[part], path=PATH)


def missing(item: pytest.Item) -> str:
    """Why a test cannot run here; empty when it can."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        return "needs root, for network namespaces"
    wanted = [part for mark in item.iter_markers("parts") for part in mark.args]
    absent = [part for part in wanted if find(part) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""
