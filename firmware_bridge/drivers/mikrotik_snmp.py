# SPDX-License-Identifier: Apache-2.0
"""What do RouterOS devices tell? (MIKROTIK-MIB, enterprise 14988; RouterOS 6 and 7)

Never asked: cell, IMEI, IMSI and UICC (columns 5 and 8 to 13 of the LTE table), users and addresses of the
hotspot, tables whose index is a client's address, serial number. mtxrSystemReboot is not even read.
"""

from __future__ import annotations

from firmware_bridge.drivers.radio_words import TECHNOLOGY
from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Asked, Rows, Tally, Values, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import count, decimal, divided, figure, integer, of_number, text

_ROOT = "1.3.6.1.4.1.14988.1.1"
_LTE = f"{_ROOT}.16.1.1"
_TECHNOLOGIES = of_number(
    # Not known; so it is with modems that report no registration, however well they work.
    {-1: {"is_unknown": True}}
    | {
        number: {"access_technology": word}
        for word, numbers in {
            "gsm": (0, 1, 3),
            "umts": (2, 4, 5, 6),
            "lte": (7,),
            "nr_sa": (11,),
            "nr_nsa": (13,),
        }.items()
        for number in numbers
    }
)
_HEALTH = {"voltage_v": 8, "temperature_c": 10, "cpu_temperature_c": 11, "power_w": 12}
_GAUGE_VALUE, _GAUGE_UNIT = oid(f"{_ROOT}.3.100.1.3"), oid(f"{_ROOT}.3.100.1.4")
_CELSIUS, _DECIVOLT, _DECIWATT = 1, 3, 5
_STATION_RATE, _STATION = oid(f"{_ROOT}.1.1.1.2"), f"{_ROOT}.1.1.1"
_GIGAHERTZ_60_POWER, _GIGAHERTZ_60 = oid(f"{_ROOT}.1.8.1.12"), f"{_ROOT}.1.8.1"
_NETWORK = oid(f"{_ROOT}.1.3.1.4")


def health(asked: Asked) -> Values:
    """Voltage, power, and the hottest part: the old scalars in tenths, or the gauges that came after."""
    names = {field: oid(f"{_ROOT}.3.{below}.0") for field, below in _HEALTH.items()}
    told = asked.reader.get(list(names.values()))
    tenth = divided(10, 0)
    values = {field: tenth(told[name]) for field, name in names.items() if name in told}
    heats = [values.pop(field, None) for field in ("temperature_c", "cpu_temperature_c")]
    gauges = asked.reader.walk(_GAUGE_VALUE, spare=1)
    units = asked.reader.get([_GAUGE_UNIT + index for index in gauges])
    for index, value in gauges.items():
        unit, shown = integer(units.get(_GAUGE_UNIT + index, 0)), decimal(value)
        if unit == _CELSIUS:
            heats.append(shown or None)
        elif unit == _DECIVOLT and not values.get("voltage_v"):
            values["voltage_v"] = tenth(value)
        elif unit == _DECIWATT and not values.get("power_w"):
            values["power_w"] = tenth(value)
    known = [heat for heat in heats if heat is not None]
    return values | {"temperature_c": max(known, default=None)}


def radio(asked: Asked) -> Values:
    """The link of a station, or of a 60 GHz bridge; the first where there are several."""
    for finder, root, rows in (
        (_STATION_RATE, _STATION, _STATION_OBJECTS),
        (_GIGAHERTZ_60_POWER, _GIGAHERTZ_60, _GIGAHERTZ_60_OBJECTS),
    ):
        index = next(iter(asked.reader.walk(finder, _MOST_RADIOS)), None)
        if index is None:
            continue
        names = {oid(f"{root}.{column}") + index: (field, parse) for column, field, parse in rows}
        told = asked.reader.get(list(names))
        return {field: parse(told[name]) for name, (field, parse) in names.items() if name in told}
    return {}


_MOST_RADIOS = 16
_MEGA = divided(1e6)
_STATION_OBJECTS = (
    (2, "radio_tx_mbps", _MEGA),
    (3, "radio_rx_mbps", _MEGA),
    (4, "radio_signal_dbm", figure(0)),
    (7, "radio_frequency_mhz", figure(0)),
    (10, "radio_quality_ratio", divided(100)),
)
_GIGAHERTZ_60_OBJECTS = (
    (6, "radio_frequency_mhz", figure(0)),
    (8, "radio_quality_ratio", divided(100)),
    (12, "radio_signal_dbm", figure(0)),
    (13, "radio_tx_mbps", decimal),
)


def community(asked: Asked) -> Values:
    """Bytes of the interfaces that carry the community's network; other networks' names are dropped here."""
    if asked.wish.community is None:
        return {}
    networks = asked.reader.walk(_NETWORK, _MOST_RADIOS)
    own = {index[0] for index, name in networks.items() if text(name) == asked.wish.community}
    ports = [port for port in asked.ports if port.index in own]
    if not ports or None in [octets for port in ports for octets in (port.rx_bytes, port.tx_bytes)]:
        return {}
    return {
        "community_rx_bytes": sum(port.rx_bytes or 0 for port in ports),
        "community_tx_bytes": sum(port.tx_bytes or 0 for port in ports),
    }


DRIVER = SnmpDevice(
    name="mikrotik_snmp",
    maker="MikroTik",
    object_ids=("1.3.6.1.4.1.14988",),
    description=r"^RouterOS\b",
    router=objects(
        _ROOT,
        ("4.4.0", "firmware", text),
        ("7.9.0", "model", text),
        ("6.1.0", "dhcp_leases", count),
    ),
    modems=(
        Rows(
            finders=tuple(oid(f"{_LTE}.{column}") for column in (2, 3, 4, 7)),
            columns=objects(
                _LTE,
                ("2", "rssi_dbm", figure(0)),
                ("3", "rsrq_db", decimal),
                ("4", "rsrp_dbm", figure(0)),
                ("7", "sinr_db", decimal),
                ("14", "access_technology", TECHNOLOGY),
                ("6", "", _TECHNOLOGIES),
            ),
            is_by_interface=True,
        ),
    ),
    tallies=(
        # Sessions by their connect time: what follows are times and counters, what precedes are people.
        Tally(field="hotspot_sessions", column=oid(f"{_ROOT}.5.1.1.7"), spare=12),
        Tally(field="wifi_clients", column=oid(f"{_ROOT}.1.3.1.6"), spare=4, is_sum=True),
    ),
    parts=(health, radio, community),
)
