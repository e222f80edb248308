# SPDX-License-Identifier: Apache-2.0
"""Does each recorded SNMP agent, asked over real UDP, give what is expected?"""

from __future__ import annotations

import pytest

from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.protocols.snmp import is_below, oid
from firmware_bridge.router import driver_of, identify, read
from tests.drivers.snmp_recording import NAMES, by_record, recording
from tests.parts.snmp_agent import SnmpReplay

_ACCESS = SnmpAccess()


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_what_is_expected(name: str) -> None:
    recorded = recording(name)
    with SnmpReplay(recorded.values) as agent:
        known = identify(agent.host, _ACCESS, within_s=20)
        reading = read(agent.host, _ACCESS, within_s=20, wish=recorded.wish)
    found = by_record(reading)
    for record, expected in recorded.expected.items():
        assert record in found
        assert {k: found[record][k] for k in expected} == pytest.approx(expected), record
    assert driver_of(known).name == recorded.about["driver"] == found["router"]["driver"]
    assert list(reading.meanings) == recorded.about["meanings"]
    assert list(reading.refused) == recorded.about.get("refused", [])


PRIVATE = {
    "address of an interface": "1.3.6.1.2.1.2.2.1.6",
    "remark on an interface": "1.3.6.1.2.1.31.1.1.1.18",
    "name of the system": "1.3.6.1.2.1.1.5",
    "contact and place": "1.3.6.1.2.1.1.4",
    "clients by address": "1.3.6.1.2.1.4.22",
    "MikroTik cell": "1.3.6.1.4.1.14988.1.1.16.1.1.5",
    "MikroTik IMEI": "1.3.6.1.4.1.14988.1.1.16.1.1.11",
    "MikroTik IMSI": "1.3.6.1.4.1.14988.1.1.16.1.1.12",
    "MikroTik UICC": "1.3.6.1.4.1.14988.1.1.16.1.1.13",
    "MikroTik serial number": "1.3.6.1.4.1.14988.1.1.7.3",
    "MikroTik reboot": "1.3.6.1.4.1.14988.1.1.7.1",
    "MikroTik guests' names": "1.3.6.1.4.1.14988.1.1.5.1.1.3",
    "MikroTik guests' addresses": "1.3.6.1.4.1.14988.1.1.5.1.1.5",
    "MikroTik guests' hardware": "1.3.6.1.4.1.14988.1.1.5.1.1.6",
    "MikroTik the access point's network": "1.3.6.1.4.1.14988.1.1.1.1.1.5",
    "Teltonika IMEI": "1.3.6.1.4.1.48690.2.2.1.3",
    "Teltonika serial number": "1.3.6.1.4.1.48690.2.2.1.7",
    "Teltonika IMSI": "1.3.6.1.4.1.48690.2.2.1.8",
    "Teltonika cell": "1.3.6.1.4.1.48690.2.2.1.18",
    "Teltonika address": "1.3.6.1.4.1.48690.2.2.1.24",
    "Teltonika ICCID": "1.3.6.1.4.1.48690.2.2.1.27",
    "Teltonika serial number of the router": "1.3.6.1.4.1.48690.1.1",
    "Teltonika passwords": "1.3.6.1.4.1.48690.3.4",
    "Ubiquiti position": "1.3.6.1.4.1.41112.1.4.9",
    "Ubiquiti the access point's network": "1.3.6.1.4.1.41112.1.4.5.1.2",
    "Ubiquiti address": "1.3.6.1.4.1.41112.1.6.3.1",
    "Cambium serial number": "1.3.6.1.4.1.17713.22.1.1.1.4",
    "Cambium address": "1.3.6.1.4.1.17713.22.1.1.1.3",
    "Peplink IMEI": "1.3.6.1.4.1.23695.200.1.12.2",
    "Teldat IMEI and IMSI": "1.3.6.1.4.1.2007.4.1.2.2.2.18.1",
    "Advantech cell": "1.3.6.1.4.1.30140.4.3",
    "Advantech address": "1.3.6.1.4.1.30140.4.20",
    "UHP commands": "1.3.6.1.4.1.8000.22.1",
    "UHP serial number": "1.3.6.1.4.1.8000.22.9.2",
    "Cradlepoint serial number": "1.3.6.1.4.1.20992.1.2.2.1.7",
    "Cradlepoint telephone number": "1.3.6.1.4.1.20992.1.2.2.1.9",
    "Cradlepoint IMSI": "1.3.6.1.4.1.20992.1.2.2.1.19",
}
"""Trees of which nothing may even come by the way, with what is asked for."""


@pytest.mark.parametrize("name", NAMES)
def test_nothing_private_comes_by_the_way(name: str) -> None:
    recorded = recording(name)
    with SnmpReplay(recorded.values) as agent:
        read(agent.host, _ACCESS, within_s=20, wish=recorded.wish)
    told = {what for what, root in PRIVATE.items() for seen in agent.told if is_below(seen, oid(root))}
    assert told == set()


def test_what_is_private_is_in_the_recordings() -> None:
    """Else the test above could not fail."""
    names = [name for fixture in NAMES for name in recording(fixture).values]
    found = {what for what, root in PRIVATE.items() if any(is_below(name, oid(root)) for name in names)}
    print(f"\n{len(found)} private trees in {len(NAMES)} recordings")
    assert len(found) >= len(PRIVATE) - 6
