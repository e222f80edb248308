# SPDX-License-Identifier: Apache-2.0
"""What does any device with an SNMP agent tell? Interfaces, load and memory.

SNMPv2-MIB, IF-MIB, HOST-RESOURCES-MIB, and UCD-SNMP-MIB where net-snmp answers
(OpenWrt and what is made of it).
"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice

OPENWRT = SnmpDevice(
    name="openwrt_snmp",
    maker="net-snmp",
    object_ids=("1.3.6.1.4.1.8072.3.2",),
    description=r"^Linux\b",
    is_general=True,
)
STANDARD = SnmpDevice(name="standard_snmp", is_general=True)
