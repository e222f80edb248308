# SPDX-License-Identifier: Apache-2.0
"""What do Cambium's radios and access points tell? (enterprises 17713 and 161)

ePMP and Force (CAMBIUM-PMP80211-MIB), PMP 450 subscribers (WHISP-SM-MIB), cnPilot (CAMBIUM-MIB).
"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import objects
from firmware_bridge.protocols.snmp_values import (
    count,
    decimal,
    divided,
    figure,
    of_number,
    of_text,
    percent,
    text,
)

_STATE = of_number({1: "no_signal", 2: "not_registered", 3: "connected"})
"""Scanning, connecting, connected; only of a subscriber."""
_SESSION = of_text(
    (r"^registered|in session", "connected"),
    (r"^(scanning|no signal)", "no_signal"),
    (r"^(registering|syncing|alignment|idle)", "not_registered"),
)

EPMP = SnmpDevice(
    name="epmp_snmp",
    maker="Cambium ePMP",
    object_ids=("1.3.6.1.4.1.17713.21",),
    router=objects(
        "1.3.6.1.4.1.17713.21",
        ("1.1.1.0", "firmware", text),
        ("1.2.1.0", "radio_frequency_mhz", figure(0)),
        ("1.2.3.0", "radio_signal_dbm", figure(0)),
        ("1.2.18.0", "radio_snr_db", decimal),
        ("1.2.10.0", "wifi_clients", count),
        ("1.2.16.0", "code", _STATE),
        ("2.1.64.0", "cpu_ratio", divided(1000)),
    ),
)

PMP = SnmpDevice(
    name="pmp_snmp",
    maker="Cambium PMP",
    object_ids=("1.3.6.1.4.1.161.19",),
    router=objects(
        "1.3.6.1.4.1.161.19.3",
        ("3.1.1.0", "firmware", text),
        ("2.2.1.0", "code", _SESSION),
        ("2.2.21.0", "radio_signal_dbm", figure(0)),
        ("2.2.95.0", "radio_snr_db", decimal),
        ("3.1.35.0", "temperature_c", decimal),
    ),
)

CNPILOT = SnmpDevice(
    name="cnpilot_snmp",
    maker="Cambium cnPilot",
    object_ids=("1.3.6.1.4.1.17713.22",),
    description=r"\bcnPilot\b",
    router=objects(
        "1.3.6.1.4.1.17713.22.1.1.1",
        ("5.0", "model", text),
        ("6.0", "cpu_ratio", percent),
        ("8.0", "firmware", text),
        ("14.0", "wifi_clients", count),
    ),
)
