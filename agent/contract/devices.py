# SPDX-License-Identifier: Apache-2.0
"""Which figures do modems, routers, satellite terminals, power controllers and GNSS receivers tell?

The kinds of record that `firmware_bridge` fills. Never among them: IMSI, IMEI, ICCID, telephone and serial
numbers, MAC addresses of clients, names of networks, positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agent.contract.fields import flag, key, number, ratio, signed, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Modem:
    """What does a cellular modem hear, and is it on a network? (3GPP TS 27.007, TS 36.133, TS 38.133)"""

    kind: ClassVar[str] = "modem"

    port: str = key("the modem as configured, or router/interface where a router told of it")
    driver: str | None = text("which driver read it")
    model: str | None = text("what it says it is")
    firmware: str | None = text("version of its firmware")
    state: str | None = text("ok, searching, no_signal, sim_missing, sim_locked, denied, busy, mute or stuck")
    meaning: str | None = text(
        "what this says of the link: comma separated codes of `firmware_bridge/meaning.py`"
    )
    registered: bool | None = flag("whether it is registered, at home or roaming")
    roaming: bool | None = flag("whether the network it is on is not its own")
    attached: bool | None = flag("whether it is attached to packet service")
    sim_ready: bool | None = flag("whether the SIM is there and unlocked")
    access_technology: str | None = text("gsm, umts, lte, nr_nsa, nr_sa, lte_m, nb_iot")
    operator: str | None = text("the network it is on, by name or MCC and MNC")
    band: str | None = text("B3, n78 …, comma separated where several carriers are joined")
    channel: int | None = number("EARFCN, NR-ARFCN or UARFCN of the serving cell", high=3279165)
    rssi_dbm: float | None = number("received power, everything in the channel", low=-140, high=0)
    rsrp_dbm: float | None = number("received power of LTE's reference signal", low=-157, high=-31)
    rsrq_db: float | None = number("its quality", low=-43, high=20)
    sinr_db: float | None = number("signal to noise and interference, LTE", low=-24, high=40)
    sinr_raw: float | None = signed("the same as the modem says it, where its scale is not known")
    nr_rsrp_dbm: float | None = number("received power of 5G's synchronisation signal", low=-157, high=-31)
    nr_rsrq_db: float | None = number("its quality", low=-43, high=20)
    nr_sinr_db: float | None = number("signal to noise and interference, 5G", low=-24, high=40)
    rscp_dbm: float | None = number("received power of UMTS' pilot", low=-121, high=-24)
    ecio_db: float | None = number("its share of all power received", low=-32.5, high=0)
    temperature_c: float | None = number("the hottest part it tells of", low=-60, high=150)
    rx_bytes: int | None = number("bytes received since its counter started")
    tx_bytes: int | None = number("bytes sent since its counter started")
    ipv4: bool | None = flag("whether it was given an IPv4 address")
    ipv6: bool | None = flag("whether it was given an IPv6 address")
    shared_address: bool | None = flag("whether its IPv4 address is private or of RFC 6598 (CGNAT)")
    uptime_s: int | None = number("seconds since its connection, or it itself, started")


@dataclass(frozen=True, kw_only=True, slots=True)
class Router:
    """How is the router, radio or access point between the school and the line? (RFC 1213, RFC 2790)"""

    kind: ClassVar[str] = "router"

    router: str = key("the device as configured")
    driver: str | None = text("which profile read it")
    model: str | None = text("what it says it is")
    firmware: str | None = text("version of its firmware")
    meaning: str | None = text(
        "what this says of the link: comma separated codes of `firmware_bridge/meaning.py`"
    )
    uptime_s: int | None = number("seconds since the device, or where it does not say its agent, started")
    restarted: bool | None = flag("whether it started anew since the last record; None at first")
    cpu_ratio: float | None = ratio("share of all cores busy")
    memory_ratio: float | None = ratio("share of memory in use")
    temperature_c: float | None = number("the hottest part it tells of", low=-60, high=150)
    voltage_v: float | None = number("its supply", high=400)
    power_w: float | None = number("what it draws", high=10000)
    wan_interface: str | None = text("the interface taken for the way out")
    wan_up: bool | None = flag("whether that interface is up")
    wan_healthy: bool | None = flag("what the router's own check of it says")
    wifi_clients: int | None = number("stations on its radios")
    dhcp_leases: int | None = number("addresses it has given away")
    hotspot_sessions: int | None = number("people signed in at its hotspot")
    community_rx_bytes: int | None = number("bytes from stations of the community's network since it started")
    community_tx_bytes: int | None = number("bytes to them")
    radio_signal_dbm: float | None = number("received power of the radio link", low=-140, high=10)
    radio_noise_dbm: float | None = number("its noise floor", low=-140, high=0)
    radio_snr_db: float | None = number("its signal to noise", low=-30, high=80)
    radio_quality_ratio: float | None = ratio("its quality as the maker counts it")
    radio_rx_mbps: float | None = number("rate of its modulation, inwards")
    radio_tx_mbps: float | None = number("rate of its modulation, outwards")
    radio_frequency_mhz: float | None = number("its frequency", high=100000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Satellite:
    """What does a satellite terminal see of the sky and of its network?"""

    kind: ClassVar[str] = "satellite"

    dish: str = key("the terminal as configured")
    driver: str | None = text("which driver read it")
    model: str | None = text("what it says it is")
    firmware: str | None = text("version of its firmware")
    state: str | None = text("connected, or what it does instead: booting, searching, stowed, obstructed …")
    meaning: str | None = text(
        "what this says of the link: comma separated codes of `firmware_bridge/meaning.py`"
    )
    connected: bool | None = flag("whether it says it is connected")
    outage_cause: str | None = text("why not, in its own words")
    alerts: str | None = text("what it complains of, comma separated")
    uptime_s: int | None = number("seconds since it started")
    drop_ratio: float | None = ratio("share of its own pings to the ground that were lost")
    latency_ms: float | None = number("round-trip time of these", high=60000)
    down_bps: float | None = number("what it receives now")
    up_bps: float | None = number("what it sends now")
    obstruction_ratio: float | None = ratio("share of the time its view was obstructed")
    obstructed: bool | None = flag("whether it is so now")
    snr_db: float | None = number("signal to noise of the receiver", low=-30, high=60)
    rx_level_dbm: float | None = number("power at the receiver's input", low=-140, high=20)
    tx_level_dbm: float | None = number("power at the transmitter's output", low=-140, high=80)
    ethernet_mbps: int | None = number("speed of its cable")
    temperature_c: float | None = number("the hottest part it tells of", low=-60, high=150)
    power_w: float | None = number("what it draws", high=10000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """Is there mains, sun, and charge in the battery?"""

    kind: ClassVar[str] = "power"

    controller: str = key("the charger, battery monitor or UPS as configured")
    driver: str | None = text("which driver read it")
    model: str | None = text("what it says it is")
    firmware: str | None = text("version of its firmware")
    state: str | None = text("what it does: off, bulk, absorption, float, on_line, on_battery, fault …")
    meaning: str | None = text(
        "what this says of the link: comma separated codes of `firmware_bridge/meaning.py`"
    )
    error: str | None = text("what it complains of")
    mains_present: bool | None = flag("whether the mains are there")
    low_battery: bool | None = flag("whether it says its battery is nearly empty")
    battery_v: float | None = number("voltage of the battery", high=1000)
    battery_a: float | None = number("current into it; out of it below 0", low=-10000, high=10000)
    battery_ratio: float | None = ratio("its charge")
    battery_temperature_c: float | None = number("its temperature", low=-60, high=150)
    runtime_s: int | None = number("how long it will last as things are; None also where it says for ever")
    load_w: float | None = number("what is drawn from it", high=1e6)
    load_ratio: float | None = number("the same as a share of what it can give", high=10)
    load_on: bool | None = flag("whether its output is switched on")
    mains_v: float | None = number("voltage of the mains", high=1000)
    solar_v: float | None = number("voltage of the panel", high=1000)
    solar_w: float | None = number("power of the panel", high=1e6)
    yield_today_wh: float | None = number("what the panel gave today")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gnss:
    """What time is it by the satellites, and is the receiver where it was? No position is told."""

    kind: ClassVar[str] = "gnss"

    receiver: str = key("the receiver as configured")
    driver: str | None = text("which driver read it")
    meaning: str | None = text(
        "what this says of the site: comma separated codes of `firmware_bridge/meaning.py`"
    )
    fix: bool | None = flag("whether it knows where it is")
    satellites: int | None = number("satellites it uses", high=200)
    hdop: float | None = number("horizontal dilution of precision")
    clock_offset_ms: int | None = signed("its time less the device's, which includes what the port took")
    moved: bool | None = flag("whether it is further from where it was first seen than `moved_m` allows")
