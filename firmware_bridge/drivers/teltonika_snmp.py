# SPDX-License-Identifier: Apache-2.0
"""What do Teltonika's routers tell? (TELTONIKA-MIB, enterprise 48690; RutOS 6 and 7)

Their sysObjectID is net-snmp's. The two generations give the same numbers other meanings: what is the
firmware's version in one is the IMSI in the other, so nothing else is asked before it is known which it is.
Never asked: IMEI, serial number, IMSI, ICCID, cell, address, and users of the hotspot with their passwords.
"""

from __future__ import annotations

from firmware_bridge.drivers.radio_words import ATTACHED, PIN, REGISTRATION, SIM, TECHNOLOGY
from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Rows, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import counter_32, decimal, divided, figure, percent, text

_ROOT = "1.3.6.1.4.1.48690"
_MODEM = f"{_ROOT}.2.2.1"

RUTOS_7 = SnmpDevice(
    name="teltonika7_snmp",
    maker="Teltonika RutOS 7",
    marks=(oid(f"{_MODEM}.12"), oid(f"{_MODEM}.9")),
    router=objects(
        _ROOT,
        ("1.3.0", "model", text),
        ("1.6.0", "firmware", text),
        ("1.8.0", "cpu_ratio", percent),
    ),
    modems=(
        Rows(
            finders=(oid(f"{_MODEM}.12"), oid(f"{_MODEM}.9")),
            columns=objects(
                _MODEM,
                ("4", "model", text),
                ("6", "firmware", text),
                ("10", "", PIN),
                ("9", "", SIM),
                ("11", "", REGISTRATION),
                ("12", "rssi_dbm", figure(0)),
                ("13", "operator", text),
                ("15", "attached", ATTACHED),
                ("16", "access_technology", TECHNOLOGY),
                ("17", "temperature_c", divided(10)),
                ("19", "sinr_db", decimal),
                ("20", "rsrp_dbm", figure(0)),
                ("21", "rsrq_db", decimal),
                ("22", "tx_bytes", counter_32),
                ("23", "rx_bytes", counter_32),
            ),
        ),
    ),
)

RUTOS_6 = SnmpDevice(
    name="teltonika6_snmp",
    maker="Teltonika RutOS 6",
    marks=(oid(f"{_ROOT}.2.4"),),
    lone_modems={
        "modem": objects(
            f"{_ROOT}.2",
            ("2.0", "", PIN),
            ("1.0", "", SIM),
            ("3.0", "", REGISTRATION),
            ("4.0", "rssi_dbm", figure(0)),
            ("5.0", "operator", text),
            ("7.0", "attached", ATTACHED),
            ("8.0", "access_technology", TECHNOLOGY),
            ("9.0", "temperature_c", divided(10)),
            ("22.0", "sinr_db", decimal),
            ("23.0", "rsrp_dbm", figure(0)),
            ("24.0", "rsrq_db", decimal),
        )
    },
)
