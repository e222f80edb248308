# SPDX-License-Identifier: Apache-2.0
"""What do Ubiquiti's radios and access points tell? (UBNT-AirMAX-MIB, UBNT-UniFi-MIB, enterprise 41112)

ubntWlStatRssi is the signal plus 96 whatever its MIB says, and is not asked; ubntHostCpuLoad is hundredths of
a percent. Nor are stations asked, of which the
tables hold addresses, nor the receiver's position.
"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Asked, Tally, Values, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import count, counter_32, divided, figure, percent, text

_AIRMAX, _UNIFI = "1.3.6.1.4.1.41112.1.4", "1.3.6.1.4.1.41112.1.6"
_SIGNAL = oid(f"{_AIRMAX}.5.1.5")
_LINK = objects(
    _AIRMAX,
    ("5.1.5", "radio_signal_dbm", figure(0)),
    ("5.1.8", "radio_noise_dbm", figure(0)),
    ("5.1.9", "radio_tx_mbps", divided(1e6)),
    ("5.1.10", "radio_rx_mbps", divided(1e6)),
    ("5.1.15", "wifi_clients", count),
    ("1.1.4", "radio_frequency_mhz", figure(0)),
    ("6.1.3", "radio_quality_ratio", percent),
)
_PRODUCT = {"model": oid("1.2.840.10036.3.1.2.1.3"), "firmware": oid("1.2.840.10036.3.1.2.1.4")}
"""dot11manufacturerProductName and -Version (IEEE802dot11-MIB)."""
_NETWORK, _NETWORK_RX, _NETWORK_TX = (oid(f"{_UNIFI}.1.2.1.{column}") for column in (6, 10, 16))
_MOST_NETWORKS = 64


def radio(asked: Asked) -> Values:
    """The first radio's link."""
    index = next(iter(asked.reader.walk(_SIGNAL, _MOST_NETWORKS)), None)
    if index is None:
        return {}
    told = asked.reader.get([each.name + index for each in _LINK])
    values: Values = {}
    for each in _LINK:
        if each.name + index in told:
            values |= each.values(told[each.name + index])
    signal, noise = values.get("radio_signal_dbm"), values.get("radio_noise_dbm")
    snr_db = None if signal is None or noise is None else signal - noise
    return values | {"radio_snr_db": snr_db}


def product(asked: Asked) -> Values:
    """Model and firmware as its wireless card says them."""
    rows = {field: asked.reader.first_below(column) for field, column in _PRODUCT.items()}
    return {field: text(row[1]) for field, row in rows.items() if row is not None}


def community(asked: Asked) -> Values:
    """Bytes of the community's network on all radios; other networks' names are dropped here."""
    if asked.wish.community is None:
        return {}
    names = asked.reader.walk(_NETWORK, _MOST_NETWORKS)
    own = [index for index, name in names.items() if text(name) == asked.wish.community]
    told = asked.reader.get([column + index for index in own for column in (_NETWORK_RX, _NETWORK_TX)])
    sums = {}
    for field, column in (("community_rx_bytes", _NETWORK_RX), ("community_tx_bytes", _NETWORK_TX)):
        octets = [counter_32(told[column + index]) for index in own if column + index in told]
        known = [each for each in octets if each is not None]
        sums[field] = sum(known) if own and len(known) == len(own) else None
    return sums


AIROS = SnmpDevice(
    name="airos_snmp",
    maker="Ubiquiti airMAX",
    object_ids=("1.3.6.1.4.1.41112.1.4",),
    marks=(_SIGNAL,),
    router=objects(
        _AIRMAX,
        ("8.3.0", "cpu_ratio", divided(10_000)),
        ("8.4.0", "temperature_c", figure(0)),
    ),
    parts=(product, radio),
)

UNIFI = SnmpDevice(
    name="unifi_snmp",
    maker="Ubiquiti UniFi",
    object_ids=("1.3.6.1.4.1.41112.1.6",),
    description=r"^(UAP|U6|U7|E7|UK|U-LTE|UniFi)\b",
    marks=(oid(f"{_UNIFI}.1.2.1.8"),),
    router=objects(_UNIFI, ("3.3.0", "model", text), ("3.6.0", "firmware", text)),
    tallies=(Tally(field="wifi_clients", column=oid(f"{_UNIFI}.1.2.1.8"), spare=8, is_sum=True),),
    parts=(community,),
)
