# SPDX-License-Identifier: Apache-2.0
"""Which drivers exist? One line each; what the values of one family of devices mean is in one file each.

The first that recognises a device reads it, so that the general ones come last.
"""

from __future__ import annotations

import importlib
from typing import Any

DRIVERS: dict[str, str] = {
    "quectel_at": "firmware_bridge.drivers.quectel_at:DRIVER",
    "simcom_at": "firmware_bridge.drivers.simcom_at:DRIVER",
    "sierra_at": "firmware_bridge.drivers.sierra_at:DRIVER",
    "huawei_at": "firmware_bridge.drivers.huawei_at:DRIVER",
    "telit_at": "firmware_bridge.drivers.telit_at:DRIVER",
    "fibocom_at": "firmware_bridge.drivers.fibocom_at:DRIVER",
    "cinterion_at": "firmware_bridge.drivers.cinterion_at:DRIVER",
    "starlink": "firmware_bridge.drivers.starlink:DRIVER",
    "vedirect": "firmware_bridge.drivers.vedirect:DRIVER",
    "nut": "firmware_bridge.drivers.nut:DRIVER",
    "apcupsd": "firmware_bridge.drivers.apcupsd:DRIVER",
    "nmea": "firmware_bridge.drivers.nmea:DRIVER",
    "standard_at": "firmware_bridge.drivers.standard_at:DRIVER",
    "mikrotik_snmp": "firmware_bridge.drivers.mikrotik_snmp:DRIVER",
    "teltonika7_snmp": "firmware_bridge.drivers.teltonika_snmp:RUTOS_7",
    "teltonika6_snmp": "firmware_bridge.drivers.teltonika_snmp:RUTOS_6",
    "unifi_snmp": "firmware_bridge.drivers.ubiquiti_snmp:UNIFI",
    "airos_snmp": "firmware_bridge.drivers.ubiquiti_snmp:AIROS",
    "epmp_snmp": "firmware_bridge.drivers.cambium_snmp:EPMP",
    "pmp_snmp": "firmware_bridge.drivers.cambium_snmp:PMP",
    "cnpilot_snmp": "firmware_bridge.drivers.cambium_snmp:CNPILOT",
    "peplink_snmp": "firmware_bridge.drivers.peplink_snmp:DRIVER",
    "cisco_snmp": "firmware_bridge.drivers.cisco_snmp:DRIVER",
    "teldat_snmp": "firmware_bridge.drivers.teldat_snmp:DRIVER",
    "icr_snmp": "firmware_bridge.drivers.advantech_snmp:DRIVER",
    "uhp_snmp": "firmware_bridge.drivers.uhp_snmp:DRIVER",
    "cradlepoint_snmp": "firmware_bridge.drivers.cradlepoint_snmp:DRIVER",
    "huawei_snmp": "firmware_bridge.drivers.huawei_snmp:DRIVER",
    "openwrt_snmp": "firmware_bridge.drivers.standard_snmp:OPENWRT",
    "standard_snmp": "firmware_bridge.drivers.standard_snmp:STANDARD",
}


def load(name: str) -> Any:
    """One driver.

    Raises:
        KeyError: there is none of that name.
    """
    module, _, attribute = DRIVERS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def of_scheme(scheme: str) -> list[Any]:
    """Those for one kind of link, in the order in which they are asked whether a device is theirs."""
    return [driver for name in DRIVERS if (driver := load(name)).scheme == scheme]
