# SPDX-License-Identifier: Apache-2.0
"""What do Cradlepoint's routers tell of their modems? (WIPIPE-MIB, enterprise 20992)

Never asked: serial number, telephone number, IMSI, IMEI (columns 7, 9, 19, 20).
"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Rows, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import decimal, figure, of_number, text

_MODEM = "1.3.6.1.4.1.20992.1.2.2.1"

DRIVER = SnmpDevice(
    name="cradlepoint_snmp",
    maker="Cradlepoint",
    object_ids=("1.3.6.1.4.1.20992",),
    description=r"\bCradlepoint\b",
    modems=(
        Rows(
            finders=(oid(f"{_MODEM}.4"), oid(f"{_MODEM}.13")),
            columns=objects(
                _MODEM,
                ("4", "rssi_dbm", figure(0)),
                ("5", "attached", of_number({1: True})),
                ("13", "sinr_db", decimal),
                ("14", "rsrp_dbm", figure(0)),
                ("15", "rsrq_db", decimal),
                ("17", "band", text),
            ),
        ),
    ),
)
