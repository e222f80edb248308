# SPDX-License-Identifier: Apache-2.0
"""What does one record say about the slots that it touches?

A record becomes one sighting: who made it, when, and one fact. Facts are small and equal when they say the
same, so that a month of a school holds few different ones. Tuples, since a fleet has hundreds of millions.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

from agent.contract.kinds import Dns, Event, Host, Latency, Outage, Portal, Reach
from agent.contract.reason import Reason
from agent.contract.record import Record
from collector.sla.slot import SLOT_MS, slot_of

GATEWAY = "gateway"
HOLDS_MS = {"portal": 900_000, "host": 660_000, "power": 360_000}
WORD_HOLDS_MS = 100_000
"""How long after it was said a word still tells of the link, if nothing newer was said; by kind of record.

Portals are looked for each ten minutes, the supply is looked at as often; modems and routers are asked each
minute and may take some seconds to answer.
"""
LONGEST_HOLD = max(HOLDS_MS.values()) // SLOT_MS + 1
"""The same in slots, of the word that holds longest."""


class Basis(IntEnum):
    """How well a sighting's time is founded; of two times of one record the better founded counts."""

    ARRIVAL = 1
    """It was sent at once; when it arrived leads to its time."""
    CLOCK = 2
    """The device's clock was good, at that time or at another one of the same boot."""


class Round(NamedTuple):
    """Some of a minute's questions to anchors, gateway and resolver; None where that is not known."""

    up: bool | None
    anchors: int | None = None
    anchors_up: int | None = None
    asked: int | None = None
    answered: int | None = None
    gateway_asked: int | None = None
    gateway_answered: int | None = None
    dns_asked: int | None = None
    dns_answered: int | None = None
    route: bool | None = None
    carrier: bool | None = None


class Timing(NamedTuple):
    """Median round-trip time to one anchor, while no test ran."""

    rtt_ms: float


class Name(NamedTuple):
    """One resolver was asked for a name; whether it answered at all."""

    was_answered: bool


class Word(NamedTuple):
    """What a device, or a page, says of the link; no code where it says that nothing is wrong."""

    subject: str
    codes: tuple[str, ...]


class Told(NamedTuple):
    """An outage as the agent saw it."""

    scope: str
    outage: str
    revision: int
    cause: str | None
    is_closed: bool
    opened_resolution_s: float | None
    closed_resolution_s: float | None


class Start(NamedTuple):
    """The agent started. How it had ended is known to it, and how long it was away if its clock is."""

    event: str
    lasted_ms: int | None


class Alive(NamedTuple):
    """The agent lived."""


Fact: TypeAlias = Round | Timing | Name | Word | Told | Start | Alive
FACTS: dict[str, Any] = {f.__name__: f for f in (Round, Timing, Name, Word, Told, Start, Alive)}
Identity: TypeAlias = tuple[str, str, int]
"""Device, session and number of a record: the evidence id."""


class Sighting(NamedTuple):
    """One record, placed in time; sightings of one device compare by the order of their slots and times.

    Attributes:
        slot: the one that most of it lies in.
        until_ms: when it ended.
        mono_ms: what the monotonic clock of the boot showed at the begin.
        boot: of the device, in which it was made.
    """

    slot: int
    at_ms: int
    until_ms: int
    device: str
    session: str
    seq: int
    boot: str
    mono_ms: int
    basis: int
    fact: Fact

    @property
    def identity(self) -> Identity:
        """The evidence id."""
        return (self.device, self.session, self.seq)

    @property
    def placement(self) -> tuple[int, int]:
        """Of two sightings of one record the one with the greater placement counts."""
        return (self.basis, self.at_ms)

    @property
    def last_slot(self) -> int:
        """The slot in which it ended."""
        return slot_of(max(self.at_ms, self.until_ms))


def sight(device: str, session: str, record: Record, at_ms: int, basis: Basis) -> Sighting:
    """What a record says, given its true time."""
    fact = fact_of(record)
    until_ms = at_ms + record.duration_ms
    middle_ms = (at_ms + until_ms) // 2 if type(fact) is Round else at_ms
    return Sighting(
        slot=slot_of(middle_ms),
        at_ms=at_ms,
        until_ms=until_ms,
        device=device,
        session=session,
        seq=record.seq,
        boot=record.clock.boot,
        mono_ms=record.clock.mono_ms,
        basis=basis,
        fact=fact,
    )


def fact_of(record: Record) -> Fact:
    """What a record says, wherever and whenever it was made."""
    read = _READERS.get(record.kind)
    fact = read(record, record.fields) if read is not None else None
    return ALIVE if fact is None else fact


SHOWN = frozenset({"portal", "quota"})
"""Codes that matter although anchors answer: somebody puts a page of their own before the web."""


def tells(fact: Fact) -> bool:
    """Whether a fact may tell something of a slot in which an anchor answered."""
    if isinstance(fact, Word):
        return not SHOWN.isdisjoint(fact.codes)
    return isinstance(fact, Round | Timing | Name)


def holds_in(sighting: Sighting) -> int:
    """The last slot that a word tells of, if nothing newer is said."""
    fact = sighting.fact
    subject = fact.subject.partition(":")[0] if isinstance(fact, Word) else ""
    return slot_of(sighting.at_ms + HOLDS_MS.get(subject, WORD_HOLDS_MS) - 1)


ALIVE = Alive()


def _round(_record: Record, fields: Reach | None) -> Fact | None:
    if fields is None:
        return None
    return Round(
        True if fields.anchor_answered else fields.up,
        fields.anchors,
        fields.anchors_up,
        fields.anchor_asked,
        fields.anchor_answered,
        fields.gateway_asked,
        fields.gateway_answered,
        fields.dns_asked,
        fields.dns_answered,
        fields.route,
        fields.carrier,
    )


def _timing(_record: Record, fields: Latency | None) -> Fact | None:
    if fields is None or fields.rtt_median_ms is None or fields.loaded or fields.target == GATEWAY:
        return None
    return Timing(fields.rtt_median_ms)


def _name(record: Record, fields: Dns | None) -> Fact | None:
    """A refusal is an answer; silence is none. What the agent could not do says nothing."""
    if record.reason == Reason.TIMEOUT:
        return Name(was_answered=False)
    if fields is not None and (fields.lookup_ms is not None or fields.rcode is not None):
        return Name(was_answered=True)
    return None


def _portal(_record: Record, fields: Portal | None) -> Fact | None:
    if fields is None or fields.verdict is None:
        return None
    code = {"portal": ("portal",), "quota": ("quota",)}.get(fields.verdict, ())
    return Word(f"portal:{fields.target}", code)


def _host(_record: Record, fields: Host | None) -> Fact | None:
    if fields is None or fields.undervoltage is None:
        return None
    return Word("host", ("undervoltage",) if fields.undervoltage else ())


def _device(record: Record, fields: Any) -> Fact | None:
    """What a modem, router, terminal or power controller says."""
    if fields is None:
        return None
    name = getattr(fields, _DEVICE_KEYS[record.kind])
    codes = {code for code in (fields.meaning or "").split(",") if code}
    if record.kind == "modem" and record.reason == Reason.NOT_PRESENT:
        codes.add("modem_absent")
    if record.kind == "power":
        codes |= {code for code, holds in _power_codes(fields) if holds}
    if not codes and record.reason is not None:
        return None
    return Word(f"{record.kind}:{name}", tuple(sorted(codes)))


def _power_codes(fields: Any) -> tuple[tuple[str, bool], ...]:
    return (
        ("mains_lost", fields.mains_present is False),
        ("battery_low", fields.low_battery is True),
        ("load_off", fields.load_on is False),
    )


def _event(_record: Record, fields: Event | None) -> Fact | None:
    if fields is None or fields.event not in {"agent_started", "unclean_shutdown", "power_cut"}:
        return None
    lasted_ms = None if fields.lasted_s is None else round(fields.lasted_s * 1000)
    event = fields.event
    if event == "unclean_shutdown" and fields.subject not in {None, "agent killed"}:
        event = "power_cut"
    return Start(event, lasted_ms)


def _outage(record: Record, fields: Outage | None) -> Fact | None:
    if fields is None:
        return None
    return Told(
        fields.scope,
        fields.outage or f"{record.clock.boot}-{record.clock.mono_ms}",
        fields.revision or 0,
        fields.cause,
        fields.ongoing is False,
        fields.opened_resolution_s,
        fields.closed_resolution_s,
    )


_DEVICE_KEYS = {"modem": "port", "router": "router", "satellite": "dish", "power": "controller"}
_READERS: dict[str, Callable[[Record, Any], Fact | None]] = {
    "reach": _round,
    "latency": _timing,
    "dns": _name,
    "portal": _portal,
    "host": _host,
    "event": _event,
    "outage": _outage,
    **dict.fromkeys(_DEVICE_KEYS, _device),
}
