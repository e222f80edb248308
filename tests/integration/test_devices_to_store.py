# SPDX-License-Identifier: Apache-2.0
"""Does what a router tells get from its UDP port through agent and broker into the collector's store?"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from agent.contract.devices import Modem, Router
from agent.contract.kinds import Interface
from tests.drivers.snmp_recording import recording
from tests.parts.snmp_agent import SnmpReplay
from tests.system.trio import Trio, wait_until

pytestmark = [pytest.mark.parts, pytest.mark.timeout(120)]

_PROBE = """
[probes.router]
enabled = true
every_s = 8
deadline_s = 8
device_s = 5
routers = ["main={router}", "radio={radio}"]
access_file = "{access}"
wan = ["main=lte1"]
community_network = "BILIM-QAUYM"
"""


def test_what_a_router_tells_is_stored(tmp_path: Path) -> None:
    access = tmp_path / "snmp.toml"
    access.write_text('version = "2c"\ncommunity = "geheim"\n')
    access.chmod(0o600)
    with (
        SnmpReplay(recording("mikrotik_ltap").values, community="geheim") as router,
        SnmpReplay(recording("epmp_force180").values, community="geheim") as radio,
        contextlib.closing(Trio(tmp_path)) as trio,
    ):
        config = tmp_path / "agent.toml"
        probe = _PROBE.format(router=router.host, radio=radio.host, access=access)
        config.write_text(config.read_text() + probe)
        for name in ("broker", "collector", "agent"):
            trio.start(name)

        def stored() -> dict[str, object]:
            return {repr(s.fields).partition(",")[0]: s.fields for s in trio.stored()}

        wait_until(lambda: "Router(router='radio'" in stored(), 60, "both routers' records")
        found = stored()
        assert trio.stop("agent") == 0
    main, link = found["Router(router='main'"], found["Router(router='radio'"]
    lte, line = found["Modem(port='main/lte1'"], found["Interface(interface='main/lte1'"]
    assert isinstance(main, Router)
    assert isinstance(link, Router)
    assert isinstance(lte, Modem)
    assert isinstance(line, Interface)
    assert (main.dhcp_leases, main.wifi_clients, main.hotspot_sessions) == (23, 11, 3)
    assert (main.community_rx_bytes, main.wan_up) == (30000000000, True)
    assert (link.radio_signal_dbm, link.meaning) == (-58.0, "router_up,connected")
    assert (lte.rsrp_dbm, lte.sinr_db) == (-105.0, 11.0)
    assert (line.source, line.rx_bytes, line.tx_bytes) == ("snmp", 250000000000, 31000000000)
    assert "geheim" not in trio.log("agent")
