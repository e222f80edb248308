# SPDX-License-Identifier: Apache-2.0
"""What do Teldat's routers tell? (TELDAT-MON-INTERF-CELLULAR-MIB, enterprise 2007; 0 stands for none)"""

from __future__ import annotations

from firmware_bridge.drivers.radio_words import TECHNOLOGY
from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Rows, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import figure

_STATE = "1.3.6.1.4.1.2007.4.1.2.2.2.18.3.2.1"

DRIVER = SnmpDevice(
    name="teldat_snmp",
    maker="Teldat",
    object_ids=("1.3.6.1.4.1.2007",),
    description=r"\bTELDAT\b",
    modems=(
        Rows(
            finders=(oid(f"{_STATE}.10"), oid(f"{_STATE}.22")),
            columns=objects(
                _STATE,
                ("6", "access_technology", TECHNOLOGY),
                ("8", "rscp_dbm", figure(0)),
                ("10", "rssi_dbm", figure(0)),
                ("22", "rsrp_dbm", figure(0)),
                ("23", "rsrq_db", figure(0)),
                ("24", "sinr_db", figure()),
            ),
            is_by_interface=True,
        ),
    ),
)
