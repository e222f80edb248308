# SPDX-License-Identifier: Apache-2.0
"""How does a table of SNMP objects become a reading of a router, a radio or a satellite terminal?

Each family has a table (`mikrotik_snmp.py` …). What every device may know (interfaces, the way out, load,
memory) is asked of all. A table that cannot be read costs its own values; what was lost is named beside what
was refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

from agent.contract.devices import Modem, Router, Satellite
from agent.contract.kinds import Fields, Interface
from agent.contract.reason import Reason
from firmware_bridge.checking import checked, merged
from firmware_bridge.counting import Ledger, Uptimes, has_agent_restarted, has_device_restarted
from firmware_bridge.drivers.at_modem import judged
from firmware_bridge.drivers.host_mib import read_load, read_memory, read_uptimes
from firmware_bridge.drivers.if_mib import (
    Port,
    default_routes,
    port_called,
    port_named_wan,
    port_of_route,
    read_ports,
)
from firmware_bridge.drivers.snmp_tables import (
    Asked,
    Object,
    Part,
    Rows,
    Tally,
    Values,
    Wish,
    coherent,
    modem_name,
    modem_rows,
    modem_values,
    tallied,
)
from firmware_bridge.meaning import told
from firmware_bridge.protocols.snmp import SYS_UPTIME, Oid, SnmpReader
from firmware_bridge.reading import DeviceFailed, DeviceReading, Identity, Unanswered

T = TypeVar("T")
SCHEME = "snmp"


@dataclass(slots=True)
class Memory:
    """What is kept of a device between two polls."""

    identity: Identity | None = None
    uptimes: Uptimes | None = None
    ledger: Ledger = field(default_factory=Ledger)
    wan: str | None = None
    unanswered: set[Oid] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class SnmpDevice:
    """A family of devices.

    Attributes:
        maker: as people call it.
        object_ids: its sysObjectID begins with one of these.
        description: what its sysDescr matches.
        marks: subtrees that only it has, looked for where sysObjectID is that of net-snmp.
        is_general: whether it takes any device.
        has_host: whether it has tables of routes and processors; else a walk would end in its own tree.
        router: scalars of the router's record.
        satellite: scalars of a satellite terminal's record; none for others.
        modems: tables with a modem in each row.
        lone_modems: scalars of a modem, by its name.
        tallies: clients and the like.
        parts: what a table cannot say; gives fields of the router's record.
    """

    scheme: ClassVar[str] = SCHEME

    name: str
    maker: str = ""
    object_ids: tuple[str, ...] = ()
    description: str = ""
    marks: tuple[Oid, ...] = ()
    is_general: bool = False
    has_host: bool = True
    router: tuple[Object, ...] = ()
    satellite: tuple[Object, ...] = ()
    modems: tuple[Rows, ...] = ()
    lone_modems: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    tallies: tuple[Tally, ...] = ()
    parts: tuple[Part, ...] = ()

    def recognises(self, identity: Identity) -> bool:
        """By mark, sysObjectID or sysDescr."""
        if self.is_general and not (self.object_ids or self.description):
            return True
        if identity.maker is not None:
            return identity.maker == self.maker
        own = f"{identity.object_id or ''}."
        if any(own.startswith(f"{prefix}.") for prefix in self.object_ids):
            return True
        return bool(self.description) and self.has_described(identity)

    def has_described(self, identity: Identity) -> bool:
        """Whether sysDescr is the maker's: some tell the name there that people gave the device."""
        return bool(re.search(self.description, identity.description or "", re.IGNORECASE))

    def read(
        self,
        reader: SnmpReader,
        device: str,
        known: Identity,
        *,
        wish: Wish | None = None,
        memory: Memory | None = None,
    ) -> DeviceReading:
        """Ask everything once.

        Raises:
            DeviceFailed: the agent is gone, refuses, started anew meanwhile, or tells nothing at all.
        """
        poll = _Poll(
            family=self,
            reader=reader,
            device=device,
            known=known,
            wish=wish or Wish(),
            memory=memory or Memory(),
        )
        return poll.reading()


@dataclass(kw_only=True, slots=True)
class _Poll:
    """One round of questions to one device."""

    family: SnmpDevice
    reader: SnmpReader
    device: str
    known: Identity
    wish: Wish
    memory: Memory
    refused: list[str] = field(default_factory=list)

    def reading(self) -> DeviceReading:
        uptimes = read_uptimes(self.reader)
        ports = self._try("interfaces", partial(read_ports, self.reader)) or []
        values = self._router_values(ports)
        modems = self._modems(ports)
        satellite = self._try("satellite", partial(self._scalars, self.family.satellite))
        self._assert_ran_on(uptimes)
        is_named = self.known.description is not None
        if uptimes.uptime_s is None and not any((is_named, ports, values, modems, satellite)):
            raise DeviceFailed(
                self.device, Reason.NOT_PERMITTED, "answers but shows nothing: widen its access rules"
            )
        values |= self._time(uptimes)
        interfaces = self._interfaces(ports, uptimes)
        self.memory.uptimes = uptimes
        meanings = [*_meanings(values), *(code for code in (values.pop("code", None),) if code)]
        router = self._checked(Router, {"router": self.device}, self._said(values, meanings))
        cellular = [self._modem(port, told) for port, told in modems]
        dishes = [self._satellite(satellite)] if satellite else []
        spoken = [code for dish, codes in dishes for code in codes]
        if self._is_cellular_way(values, ports):
            spoken += _spoken([codes for _, codes in cellular])
        records = [router, *interfaces, *(m for m, _ in cellular), *(d for d, _ in dishes)]
        return DeviceReading(tuple(records), tuple(dict.fromkeys([*meanings, *spoken])), tuple(self.refused))

    def _router_values(self, ports: Sequence[Port]) -> Values:
        asked = Asked(self.reader, ports, self.wish)
        asks: list[tuple[str, Callable[[], Values]]] = [
            ("way out", partial(self._way_out, ports)),
            *((("load", partial(read_load, self.reader)),) if self.family.has_host else ()),
            *((("memory", partial(read_memory, self.reader)),) if self.family.has_host else ()),
            ("scalars", partial(self._scalars, self.family.router)),
            *((tally.field, partial(tallied, self.reader, tally)) for tally in self.family.tallies),
            *((part.__name__, partial(part, asked)) for part in self.family.parts),
        ]
        found = merged(self._try(what, ask) or {} for what, ask in asks)
        return {name: value for name, value in found.items() if value is not None}

    def _scalars(self, wanted: Sequence[Object]) -> Values:
        told_ = self.reader.get([each.name for each in wanted])
        given = [each for each in wanted if each.name in told_]
        values = merged(each.values(told_[each.name]) for each in given)
        return coherent(Router, values, [each.field for each in given])

    def _way_out(self, ports: Sequence[Port]) -> Values:
        if self.wish.wan is not None:
            port = port_called(ports, self.wish.wan)
            if port is None:
                self.refused.append(f"wan={self.wish.wan}: there is no such interface")
                return {}
            return {"wan_interface": port.name, "wan_up": port.up}
        routes = default_routes(self.reader) if self.family.has_host else []
        port = port_of_route(ports, routes)
        if port is not None:
            self.memory.wan = port.name
        elif self.memory.wan is not None:
            # The route goes with the interface, and some interfaces (PPP) go with the line.
            port = port_called(ports, self.memory.wan)
            if port is None:
                return {"wan_interface": self.memory.wan, "wan_up": False}
        port = port or port_named_wan(ports)
        return {} if port is None else {"wan_interface": port.name, "wan_up": port.up}

    def _modems(self, ports: Sequence[Port]) -> list[tuple[str, Values]]:
        found = [
            (modem_name(rows, index, ports), values)
            for rows in self.family.modems
            for index, values in (self._try("modems", partial(modem_rows, self.reader, rows)) or {}).items()
        ]
        for name, wanted in self.family.lone_modems.items():
            raw = self._try(name, partial(self.reader.get, [each.name for each in wanted])) or {}
            found.append((name, modem_values(wanted, {each.name: raw.get(each.name) for each in wanted})))
        # The first that says something of a modem is believed.
        return list({name: values for name, values in reversed(found) if values}.items())[::-1]

    def _time(self, uptimes: Uptimes) -> Values:
        before = self.memory.uptimes
        restarted = None if before is None else has_device_restarted(before, uptimes)
        return {"uptime_s": uptimes.uptime_s, "restarted": restarted}

    def _assert_ran_on(self, before: Uptimes) -> None:
        """What was told before a restart and what after it do not belong together."""
        after = read_uptimes(self.reader)
        if has_agent_restarted(before, after):
            raise DeviceFailed(self.device, Reason.BAD_ANSWER, "started anew while it was read")

    def _interfaces(self, ports: Sequence[Port], uptimes: Uptimes) -> list[Fields]:
        totals = self.memory.ledger.follow({port.name: port.shown for port in ports}, uptimes)
        return [
            self._checked(
                Interface,
                {"interface": f"{self.device}/{port.name}", "source": SCHEME},
                {
                    "up": port.up,
                    "speed_mbps": port.speed_mbps,
                    "mtu_bytes": port.mtu_bytes,
                    "rx_bytes": totals[port.name].rx_bytes,
                    "tx_bytes": totals[port.name].tx_bytes,
                    "rx_errors": port.rx_errors,
                    "tx_errors": port.tx_errors,
                    "rx_drops": port.rx_drops,
                    "tx_drops": port.tx_drops,
                    "restarted": totals[port.name].restarted,
                },
            )
            for port in ports
        ]

    def _said(self, values: Values, meanings: Sequence[str]) -> Values:
        said = {"driver": self.family.name, "model": self.known.model, "firmware": self.known.firmware}
        return merged([said, values, {"meaning": told(list(meanings))}])

    def _modem(self, name: str, values: Values) -> tuple[Fields, list[str]]:
        known = Identity(model=values.get("model"), firmware=values.get("firmware"))
        values, meanings = judged(self.family.name, known, values)
        return self._checked(Modem, {"port": f"{self.device}/{name}"}, values), meanings

    def _satellite(self, values: Values) -> tuple[Fields, list[str]]:
        values = dict(values)
        codes = [code for code in (values.pop("code", None),) if code]
        said = self._said(values, codes)
        return self._checked(Satellite, {"dish": self.device}, said), codes

    def _checked(self, kind: type[Any], keys: Mapping[str, str], values: Values) -> Fields:
        fields, refused = checked(kind, keys, values)
        self.refused += refused
        made: Fields = fields
        return made

    def _is_cellular_way(self, values: Values, ports: Sequence[Port]) -> bool:
        """Whether the modem's state is the line's: not where it only waits for a fibre to break."""
        port = port_called(ports, values.get("wan_interface") or "")
        return port is None or port.is_cellular

    def _try(self, what: str, ask: Callable[[], T]) -> T | None:
        """A part of the poll; the device may answer the next when it cannot answer this one."""
        try:
            return ask()
        except Unanswered:
            self.refused.append(f"{what}: no answer")
            if not self.reader.get([SYS_UPTIME]):
                raise
        except DeviceFailed as e:
            if e.reason is not Reason.BAD_ANSWER:
                raise
            self.refused.append(f"{what}: {e.detail}")
        return None


def _spoken(modems: Sequence[Sequence[str]]) -> list[str]:
    """What the modems mean for the line: one without SIM beside another, or that waits, means nothing."""
    for of_those in (
        [codes for codes in modems if "connected" in codes],
        [codes for codes in modems if codes and "sim_missing" not in codes],
    ):
        if of_those:
            return [code for codes in of_those for code in codes]
    return [code for codes in modems for code in codes]


def _meanings(values: Values) -> list[str]:
    said = ["router_up"]
    if values.get("restarted"):
        said.append("router_restarted")
    if values.get("wan_up") is False:
        said.append("wan_down")
    if values.get("wan_healthy") is False:
        said.append("wan_unhealthy")
    return said
