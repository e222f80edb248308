# SPDX-License-Identifier: Apache-2.0
"""Does what devices say at their ports arrive in the store as it was said?"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest

from agent.contract.kinds import Fields
from tests.drivers.talks import about, bytes_of
from tests.parts.modem import PtyModem
from tests.parts.talker import PtyTalker
from tests.system.trio import Trio, wait_until

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(120)]
SOLAR, GPS = "vedirect/bluesolar_75_15", "nmea/ublox_7_fix"


def test_devices_at_ptys_are_told_by_the_agent_and_kept_in_the_store(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    with (
        contextlib.closing(trio),
        PtyTalker(lambda: bytes_of(SOLAR)) as solar,
        PtyTalker(lambda: bytes_of(GPS)) as gps,
        PtyModem("quectel_eg25_lte", dribble=True, urc_ratio=0.3) as modem,
    ):
        tables = (
            f"[probes.power]\nenabled = true\nevery_s = 5\ndeadline_s = 5\ndevice_s = 2\n"
            f'controllers = ["sun=vedirect:{solar.path}", "none=vedirect:/dev/nonexistent"]\n'
            f"[probes.gnss]\nenabled = true\nevery_s = 5\ndeadline_s = 5\ndevice_s = 2\n"
            f'receivers = ["gps=nmea:{gps.path}"]\nhome_folder = "{tmp_path}/homes"\n'
            f"[probes.modem]\nenabled = true\nevery_s = 10\ndeadline_s = 10\ndevice_s = 7\n"
            f'ports = ["lte={modem.path}"]\n'
        )
        with (tmp_path / "agent.toml").open("a") as file:
            file.write(tables)
        for name in ("broker", "collector", "agent"):
            trio.start(name)

        def arrived() -> dict[str, Fields]:
            kept = {s.kind: s.fields for s in trio.stored() if s.reason is None and s.fields is not None}
            return {kind: fields for kind, fields in kept.items() if kind in {"power", "gnss", "modem"}}

        wait_until(lambda: len(arrived()) == 3, 60, "a record of each device in the store")
        found = {kind: dataclasses.asdict(fields) for kind, fields in arrived().items()}
        gone = [s for s in trio.stored() if s.kind == "power" and s.reason == "not_present"]
    for kind, name in (("power", SOLAR), ("gnss", GPS)):
        expected = {k: v for k, v in about(name)["expected"].items() if k != "clock_offset_ms"}
        assert {k: found[kind][k] for k in expected} == pytest.approx(expected)
    assert found["modem"]["rsrp_dbm"] == -96.0
    assert gone
    assert "/dev/" not in repr(gone)
