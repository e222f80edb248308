# SPDX-License-Identifier: Apache-2.0
"""What is at this address, what does it say, and how is it recorded? One way for each scheme of addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.contract.reason import Reason
from firmware_bridge import modem, power, recording, router, satellite
from firmware_bridge.address import Address, parse_address
from firmware_bridge.drivers.at_modem import identify
from firmware_bridge.drivers.modem_manager import reading as managed_reading
from firmware_bridge.drivers.nmea import Nmea
from firmware_bridge.drivers.vedirect import DRIVER as VEDIRECT
from firmware_bridge.links.listening import ListenPort
from firmware_bridge.links.modem_manager import ModemManager
from firmware_bridge.links.serial import AtPort, SerialPort
from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.links.tcp import TcpPort
from firmware_bridge.reading import DeviceFailed, DeviceReading

WITHIN_S = 60.0
_LISTEN_S = 2.5
_AT_PORTS = frozenset({"serial", "vedirect", "nmea"})
_TALKERS: tuple[tuple[str, int], ...] = (
    ("vedirect", 19_200),
    ("nmea", 9600),
    ("nmea", 4800),
    ("nmea", 115_200),
)
"""What a port is listened for, and at which speed, before anything is written to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is at an address.

    Attributes:
        address: with its scheme, as it can be asked again.
        driver: which reads it.
    """

    address: str
    driver: str
    maker: str | None = None
    model: str | None = None
    firmware: str | None = None

    def __str__(self) -> str:
        """For people."""
        words = [word for word in (self.maker, self.model, self.firmware) if word]
        return f"{', '.join(words) or 'a device that does not say its name'} ({self.driver})"


@dataclass(frozen=True, slots=True)
class Way:
    """How devices of one scheme are asked; each call may raise `DeviceFailed`."""

    read: Callable[[Address, SnmpAccess], DeviceReading]
    record: Callable[[Address, SnmpAccess], Iterator[str]]


def identify_at(text: str, access: SnmpAccess) -> Found:
    """What is there.

    Args:
        text: an address, or the path of a serial port of which nothing is known.
        access: for SNMP.

    Raises:
        DeviceFailed: nothing that is known.
        ValueError: that is no address.
    """
    if text.startswith("/"):
        return _at_port(text)
    address = _parsed(text)
    if address.scheme == "serial":
        return _modem(address)
    if address.scheme == "snmp":
        known = router.identify(_host(address), access, within_s=WITHIN_S)
        said = {"maker": known.maker, "model": known.model, "firmware": known.firmware}
        return Found(address=text, driver=router.driver_of(known).name, **said)
    return _found(text, WAYS[address.scheme].read(address, access))


def read_at(text: str, access: SnmpAccess) -> DeviceReading:
    """What it says, once.

    Raises:
        DeviceFailed: nothing was told that may be believed.
        ValueError: that is no address.
    """
    address = _address(text, access)
    return WAYS[address.scheme].read(address, access)


def record_at(text: str, access: SnmpAccess) -> Iterator[str]:
    """Lines of a recording without anything that names a person, a SIM, a device or a place.

    Raises:
        DeviceFailed: it does not answer.
        ValueError: that is no address.
    """
    address = _address(text, access)
    return WAYS[address.scheme].record(address, access)


def _address(text: str, access: SnmpAccess) -> Address:
    """Of a bare path, with the scheme of what is found there."""
    found = identify_at(text, access).address if text.startswith("/") else text
    return _parsed(found)


def _parsed(text: str) -> Address:
    address = parse_address(text, WAYS)
    if bool(address.path) != (address.scheme in _AT_PORTS):
        where = "/dev/…" if address.scheme in _AT_PORTS else "//host"
        raise ValueError(f"{text!r}: {address.scheme} is asked at {address.scheme}:{where}")
    return address


def _found(text: str, reading: DeviceReading) -> Found:
    fields: Any = reading.fields[0]
    known = {name: getattr(fields, name, None) for name in ("model", "firmware")}
    return Found(address=text, driver=fields.driver, **known)


def _at_port(path: str) -> Found:
    """Listened to at first; only a port that says nothing by itself is asked for a modem.

    A port that ModemManager has is not opened: who listens there takes bytes away from it.
    """
    if (managed := _managed(path)) is not None:
        return managed
    heard = 0
    for scheme, baud in _TALKERS:
        with SerialPort(path, baud=baud) as port:
            link = _Counted(ListenPort(port, within_s=_LISTEN_S if not heard else 2 * _LISTEN_S))
            try:
                driver = VEDIRECT if scheme == "vedirect" else Nmea()
                return _found(f"{scheme}:{path}", driver.read(link, "device"))
            except DeviceFailed as e:
                if e.reason not in {Reason.TIMEOUT, Reason.BAD_ANSWER}:
                    raise
            heard += link.heard
            if not heard:
                break
    if heard > _A_REPORT_BYTES:
        raise DeviceFailed(
            path, Reason.BAD_ANSWER, f"{heard} bytes came by themselves, of nothing that is known"
        )
    return _modem(Address("serial", path=path))


_A_REPORT_BYTES = 400
"""More than modems report by themselves in a few seconds."""


class _Counted:
    """A talk, and how much of it was heard."""

    def __init__(self, link: ListenPort) -> None:
        self._link = link
        self.path = link.path
        self.heard = 0

    def pieces(self) -> Iterator[bytes]:
        for piece in self._link.pieces():
            self.heard += len(piece)
            yield piece


def _managed(path: str) -> Found | None:
    manager = ModemManager()
    told = manager.modem_of(path) if manager.is_here else None
    return None if told is None else _found(f"serial:{path}", managed_reading(told, "modem"))


def _modem(address: Address) -> Found:
    if (managed := _managed(address.path)) is not None:
        return managed
    with SerialPort(address.path) as port:
        link = AtPort(port, within_s=WITHIN_S)
        link.wake()
        known = identify(link)
    return Found(
        address=f"serial:{address.path}",
        driver=modem.driver_of(known).name,
        maker=known.maker,
        model=known.model,
        firmware=known.firmware,
    )


def _read_modem(address: Address, _: SnmpAccess) -> DeviceReading:
    return modem.read(address.path, "modem", within_s=WITHIN_S)


def _record_modem(address: Address, _: SnmpAccess) -> Iterator[str]:
    if _managed(address.path) is not None:
        raise DeviceFailed(address.path, Reason.BUSY, "ModemManager has the modem: stop it while you record")
    with SerialPort(address.path) as port:
        link = AtPort(port, within_s=2 * WITHIN_S)
        link.wake()
        yield from recording.record(link)


def _read_nmea(address: Address, _: SnmpAccess) -> DeviceReading:
    with SerialPort(address.path, baud=_baud(address)) as port:
        return Nmea().read(ListenPort(port, within_s=WITHIN_S / 6), "receiver")


def _baud(address: Address) -> int:
    """Where nothing is told the one at which sentences come."""
    for scheme, baud in _TALKERS:
        if scheme == "nmea":
            with SerialPort(address.path, baud=baud) as port:
                try:
                    Nmea().read(ListenPort(port, within_s=_LISTEN_S), "receiver")
                except DeviceFailed:
                    continue
                return baud
    return _TALKERS[1][1]


def _record_talk(address: Address, _: SnmpAccess) -> Iterator[str]:
    is_vedirect = address.scheme == "vedirect"
    baud = _TALKERS[0][1] if is_vedirect else _baud(address)
    with SerialPort(address.path, baud=baud) as port:
        pieces = ListenPort(port, within_s=WITHIN_S / 6).pieces()
        yield from recording.record_vedirect(pieces) if is_vedirect else recording.record_nmea(pieces)


def _read_power(address: Address, _: SnmpAccess) -> DeviceReading:
    return power.read(address, "controller", within_s=WITHIN_S / 6)


def _record_ups(address: Address, _: SnmpAccess) -> Iterator[str]:
    ports = {"nut": power.NUT_PORT, "apcupsd": power.APCUPSD_PORT}
    port = address.port or ports[address.scheme]
    with TcpPort(address.host, port, name=address.host, within_s=WITHIN_S / 6) as link:
        is_nut = address.scheme == "nut"
        yield from recording.record_nut(link, address.name) if is_nut else recording.record_apcupsd(link)


def _read_satellite(address: Address, _: SnmpAccess) -> DeviceReading:
    return satellite.read(address, "dish", within_s=WITHIN_S / 6)


def _record_dish(address: Address, _: SnmpAccess) -> Iterator[str]:
    return recording.record_starlink(satellite.dish(address, "dish", WITHIN_S / 6))


def _read_router(address: Address, access: SnmpAccess) -> DeviceReading:
    return router.read(_host(address), access, within_s=WITHIN_S)


def _record_router(address: Address, access: SnmpAccess) -> Iterator[str]:
    return router.record(_host(address), access, within_s=WITHIN_S)


def _host(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port is None else f"{host}:{address.port}"


WAYS: dict[str, Way] = {
    "serial": Way(_read_modem, _record_modem),
    "vedirect": Way(_read_power, _record_talk),
    "nmea": Way(_read_nmea, _record_talk),
    "nut": Way(_read_power, _record_ups),
    "apcupsd": Way(_read_power, _record_ups),
    "starlink": Way(_read_satellite, _record_dish),
    "snmp": Way(_read_router, _record_router),
}
"""By the scheme of an address; `serial` is for modems."""

PORTS = Path("/dev/serial/by-id")
USUAL = ("starlink://192.168.100.1", "nut://127.0.0.1", "apcupsd://127.0.0.1")
"""Where these are when nobody moved them."""
ROUTES = Path("/proc/net/route")


def everywhere(more: tuple[str, ...] = ()) -> list[str]:
    """All addresses to try: serial ports with a lasting name, usual places, the gateway, and more."""
    names = sorted(str(port) for port in PORTS.glob("*")) if PORTS.is_dir() else []
    return [*names, *USUAL, *(f"snmp://{host}" for host in gateways()), *more]


def gateways() -> list[str]:
    """Addresses of the default routes; their bytes stand there backwards (proc(5))."""
    try:
        rows = [line.split() for line in ROUTES.read_text().splitlines()[1:]]
    except OSError:
        return []
    words = {gateway for _, to, gateway, *_ in rows if int(to, 16) == 0 and int(gateway, 16) != 0}
    return sorted(".".join(str(byte) for byte in bytes.fromhex(word)[::-1]) for word in words)
