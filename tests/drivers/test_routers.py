# SPDX-License-Identifier: Apache-2.0
"""Does each recorded SNMP agent, asked over real UDP, give what is expected?"""

from __future__ import annotations

import pytest

from firmware_bridge.links.snmp_access import SnmpAccess
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
