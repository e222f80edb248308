# SPDX-License-Identifier: Apache-2.0
"""What does the router at this address say by SNMP? Versions 1, 2c and 3; nothing is ever set."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agent.contract.reason import Reason
from firmware_bridge.drivers import of_scheme
from firmware_bridge.drivers.host_mib import DESCRIPTION, OBJECT_ID
from firmware_bridge.drivers.snmp_device import SCHEME, Memory, SnmpDevice
from firmware_bridge.drivers.snmp_tables import Wish
from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.protocols.snmp import Oid, SnmpReader, Value, dotted
from firmware_bridge.protocols.snmp_values import text
from firmware_bridge.reading import DeviceFailed, DeviceReading, Identity
from firmware_bridge.scrubbing import scrubbed

if TYPE_CHECKING:
    from firmware_bridge.links.snmp import SnmpAgent

PORT = 161
_TIMEOUT_S = 2.0
"""Of one request, which is sent twice."""
_LINUX = re.compile(r"^Linux \S+ (?P<kernel>\d\S*)(?:.* (?P<machine>\S+))?$")
_SIGNED, _UNSIGNED = 1 << 31, 1 << 32


def read(
    host: str,
    access: SnmpAccess,
    device: str = "router",
    *,
    within_s: float,
    wish: Wish | None = None,
) -> DeviceReading:
    """Ask once.

    Args:
        host: an address or a name, `:port` behind it where it is not 161; IPv6 with a port in brackets.
        access: what the agent is told.
        device: its name in records and errors.
        within_s: no longer than this, and one request.
        wish: which interface is the way out, which wireless network the community's.

    Raises:
        DeviceFailed: nothing was told that may be believed.
    """
    with Router(host, access, device, wish=wish) as router:
        return router.read(within_s=within_s)


def identify(host: str, access: SnmpAccess, device: str = "router", *, within_s: float) -> Identity:
    """What the agent says it is.

    Raises:
        DeviceFailed: it does not answer.
    """
    with _agent(host, access, device) as agent:
        return identified(SnmpReader(agent, device, within_s=within_s))


def record(host: str, access: SnmpAccess, device: str = "router", *, within_s: float) -> Iterator[str]:
    """Lines of a recording: all that a driver asks for, `name|type|value` in the order of names (.snmprec).

    Numbers are written as the narrowest type that holds them; the agent's own types are not kept.

    Raises:
        DeviceFailed: it does not answer.
    """
    with _agent(host, access, device) as agent:
        reader = SnmpReader(agent, device, within_s=within_s)
        known = identified(reader)
        driver_of(known).read(reader, device, known)
    yield from lines_of(reader.seen, known)


def identified(reader: SnmpReader) -> Identity:
    """By sysDescr and sysObjectID; where these are only net-snmp's by what subtrees there are.

    Raises:
        DeviceFailed: the agent does not answer.
    """
    told = reader.get([DESCRIPTION, OBJECT_ID])
    said, object_id = told.get(DESCRIPTION), told.get(OBJECT_ID)
    # All of it, for the drivers; what is told of it is shorter.
    described = said.decode(errors="replace") if isinstance(said, bytes) else None
    known = Identity(
        description=described,
        object_id=dotted(object_id) if isinstance(object_id, tuple) else None,
    )
    family = driver_of(known)
    if family.is_general:
        marked = (d for d in of_scheme(SCHEME) if any(reader.first_below(mark) for mark in d.marks))
        driver = next(marked, None)
        return _described(known, None if driver is None else driver.maker)
    described_by = _described(known, None)
    return described_by if family.has_described(known) else replace(described_by, model=None)


def lines_of(seen: Mapping[Oid, Value], known: Identity) -> Iterator[str]:
    """Lines of a recording; a description that people wrote is left empty."""
    for name, value in sorted(seen.items()):
        is_named = name == DESCRIPTION and not driver_of(known).has_described(known)
        yield recorded(name, b"" if is_named else value)


def driver_of(identity: Identity) -> SnmpDevice:
    """The first driver that takes a device for one of its own; the standard one takes any."""
    found: SnmpDevice = next(driver for driver in of_scheme(SCHEME) if driver.recognises(identity))
    return found


class Router:
    """One router that is asked again and again; what its counters showed before is kept.

    Args:
        host: as `read`.
        access: what the agent is told.
        device: its name in records and errors.
        wish: as `read`.
    """

    def __init__(self, host: str, access: SnmpAccess, device: str, *, wish: Wish | None = None) -> None:
        self._agent: SnmpAgent | None = None
        self._host, self._access = host, access
        self._device = device
        self._wish = wish or Wish()
        self._memory = Memory()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, *, within_s: float) -> DeviceReading:
        """Ask once, within so many seconds and one request.

        Raises:
            DeviceFailed: nothing was told that may be believed; also while another thread asks.
        """
        if not self._lock.acquire(blocking=False):
            raise DeviceFailed(self._device, Reason.BUSY, "is still being asked since the last round")
        try:
            return self._read(within_s)
        except DeviceFailed:
            self._memory.identity = None
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """Leave no socket open."""
        with self._lock:
            if self._agent is not None:
                self._agent.close()
            self._agent = None

    def _read(self, within_s: float) -> DeviceReading:
        self._agent = self._agent or _agent(self._host, self._access, self._device)
        silencing = self._memory.unanswered
        reader = SnmpReader(self._agent, self._device, within_s=within_s, unanswered=silencing)
        known = self._memory.identity or identified(reader)
        self._memory.identity = known
        driver = driver_of(known)
        return driver.read(reader, self._device, known, wish=self._wish, memory=self._memory)


def recorded(name: Oid, value: Value) -> str:
    """A line of a recording; no number of a person, a SIM or a device is in it."""
    if isinstance(value, tuple):
        return f"{dotted(name)}|6|{dotted(value)}"
    if isinstance(value, bytes):
        return f"{dotted(name)}|{_octets(value)}"
    tag = 2 if -_SIGNED <= value < _SIGNED else 66 if 0 <= value < _UNSIGNED else 70
    return f"{dotted(name)}|{tag}|{value}"


def _octets(value: bytes) -> str:
    said = value.decode("latin-1")
    is_plain = said.isascii() and said.isprintable()
    return f"4|{scrubbed(said)}" if is_plain else f"4x|{'00' * len(value)}"


def _described(known: Identity, maker: str | None) -> Identity:
    described = known.description or ""
    linux = _LINUX.match(described)
    # What follows Linux is the host's name.
    model = f"Linux {linux['machine'] or ''}".strip() if linux else text(scrubbed(described).encode())
    firmware = linux["kernel"] if linux else None
    return Identity(
        maker=maker,
        model=model,
        firmware=firmware,
        description=known.description,
        object_id=known.object_id,
    )


def _agent(host: str, access: SnmpAccess, device: str) -> SnmpAgent:
    try:
        from firmware_bridge.links.snmp import SnmpAgent  # noqa: PLC0415 -- large, and most schools need it not
    except ModuleNotFoundError as e:
        detail = f"cannot be asked: {e.name} is not installed, install schoolpulse[bridge]"
        raise DeviceFailed(device, Reason.INTERNAL, detail) from e

    address, port = address_of(host)
    return SnmpAgent(address, access, device=device, port=port, timeout_s=_TIMEOUT_S)


def address_of(host: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port`, `[v6]:port` or a bare v6 address.

    Raises:
        ValueError: the port is none.
    """
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", host)
    plain = re.fullmatch(r"([^:]+):(\d+)", host)
    match = bracketed or plain
    if match is None:
        if not host or host.endswith(":"):
            raise ValueError(f"{host!r} is no address")
        return host, PORT
    port = int(match[2] or PORT)
    if not 0 < port < 1 << 16:
        raise ValueError(f"{host!r}: there is no port {port}")
    return match[1], port
