# SPDX-License-Identifier: Apache-2.0
"""Does each recorded SNMP agent, asked over real UDP, give what is expected?"""

from __future__ import annotations

import dataclasses
import random

import pytest

from agent.contract.decoder import decode
from agent.contract.kinds import Fields
from agent.contract.record import to_plain
from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.meaning import MEANINGS
from firmware_bridge.protocols.snmp import Oid, Value, is_below, oid
from firmware_bridge.reading import DeviceFailed
from firmware_bridge.router import driver_of, identify, read
from tests.drivers.snmp_recording import NAMES, by_record, read_values, recording, told
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
    "Advantech serial number": "1.3.6.1.4.1.30140.6.3",
    "Peplink serial number": "1.3.6.1.4.1.23695.200.1.1.1.1.2",
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


_STRANGE: tuple[Value | None, ...] = (
    *(None, 0, -1, 1, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**64 - 1),
    *(b"", b"NULL", b"N/A", b"-1", b"0x7fffffff", b"\xff" * 8, b"999999", b"9" * 400, b"nan", b"1e400"),
    *((), (1, 3), tuple(range(200))),
)


def test_damage_never_gives_what_cannot_be_and_never_crashes() -> None:
    read_, failed, refused = 0, 0, 0
    for name in NAMES:
        plain = {each: told(item) for each, item in recording(name).values.items()}
        for seed in range(25):
            dice = random.Random(seed)
            values = dict(plain)
            for each in dice.sample(sorted(values), k=max(1, len(values) // 6)):
                values[each] = dice.choice(_STRANGE)
            if dice.random() < 0.3:
                values = {each: value for each, value in values.items() if dice.random() < 0.7}
            try:
                reading = read_values(values, recording(name).wish)
            except DeviceFailed:
                failed += 1
                continue
            read_, refused = read_ + 1, refused + len(reading.refused)
            for fields in reading.fields:
                _assert_possible(fields)
            assert set(reading.meanings) <= set(MEANINGS)
    print(f"\n{read_} damaged recordings read, {failed} failed as a whole, {refused} values refused")
    assert read_ > 400
    assert refused > 50


def _assert_possible(fields: Fields) -> None:
    for field in dataclasses.fields(fields):
        value, low, high = getattr(fields, field.name), field.metadata.get("low"), field.metadata.get("high")
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert low is None or value >= low, field.name
            assert high is None or value <= high, field.name
        if isinstance(value, str):
            assert len(value) <= 110
    meaning = getattr(fields, "meaning", None)
    assert meaning is None or set(meaning.split(",")) <= set(MEANINGS)
    # A receiver takes it.
    assert decode(type(fields), to_plain(fields)) == fields


PLANTED = (b"250017000000123", b"8970199000000012345", b"+77012345678", b"AA:BB:CC:11:22:33")


@pytest.mark.parametrize("name", NAMES)
def test_no_number_of_a_person_or_device_gets_through(name: str) -> None:
    """Whatever text an agent has it instead of."""
    plain = {each: told(item) for each, item in recording(name).values.items()}
    for planted in PLANTED:
        values = {each: planted if isinstance(v, bytes) else v for each, v in plain.items()}
        assert planted.decode() not in repr(read_values(values, recording(name).wish))


def test_the_way_in_which_numbers_are_written_changes_nothing() -> None:
    """Integers as text, as many firmwares write them."""
    for name in NAMES:
        plain = {each: told(item) for each, item in recording(name).values.items()}
        texts: dict[Oid, Value | None] = {
            each: str(value).encode() if isinstance(value, int) and not _is_octets_of(each) else value
            for each, value in plain.items()
        }
        whole = by_record(read_values(plain, recording(name).wish))
        found = by_record(read_values(texts, recording(name).wish))
        assert found["router"] == whole["router"], name
        assert {k: v for k, v in found.items() if k.startswith("modem")} == {
            k: v for k, v in whole.items() if k.startswith("modem")
        }


_TABLE = "1.3.6.1.4.1.48690.2.2.1"
_NO_SIM = {
    9: b"not inserted",
    10: b"",
    11: b"Not registered, searching",
    12: b"0",
    16: b"No service",
    20: b"0",
}
_SEARCHING = {9: b"inserted", 10: b"READY", 11: b"Not registered, searching", 12: b"-90", 16: b"No service"}


def _with_modems(*modems: dict[int, bytes] | None) -> list[str]:
    """Meanings of a router with these modems; None for the one that works."""
    plain = {each: told(item) for each, item in recording("teltonika_rutx11").values.items()}
    own = {name: value for name, value in plain.items() if is_below(name, oid(_TABLE))}
    values = {name: value for name, value in plain.items() if name not in own}
    for at, modem in enumerate(modems, start=1):
        values |= {(*name[:-1], at): value for name, value in own.items() if modem is None}
        values |= {oid(f"{_TABLE}.{column}.{at}"): value for column, value in (modem or {}).items()}
    return list(read_values(values).meanings)


def test_a_second_modem_that_is_not_used_explains_no_outage() -> None:
    """Of several that of the line counts: else that with a SIM."""
    assert _with_modems(None, _NO_SIM) == ["router_up", "connected"]
    assert _with_modems(_SEARCHING, None) == ["router_up", "connected"]
    assert _with_modems(_NO_SIM, _SEARCHING) == ["router_up", "not_registered"]
    assert _with_modems(_NO_SIM, _NO_SIM) == ["router_up", "sim_missing"]


@pytest.mark.parametrize("keeps", [True, False], ids=["beside", "instead"])
def test_a_tree_of_another_number_tells_each_modem_once(keeps: bool) -> None:
    """Peplink's newer firmware has its tables below a second number."""
    plain = {each: told(item) for each, item in recording("pepwave_br1").values.items()}
    first, second = oid("1.3.6.1.4.1.23695.200.1.12"), oid("1.3.6.1.4.1.27662.200.1.12")
    own = {name: value for name, value in plain.items() if is_below(name, first)}
    values = plain if keeps else {name: value for name, value in plain.items() if name not in own}
    values = values | {second + name[len(first) :]: value for name, value in own.items()}
    assert by_record(read_values(values)) == by_record(read_values(plain))


def _is_octets_of(name: Oid) -> bool:
    return is_below(name, oid("1.3.6.1.2.1.2.2.1.6"))
