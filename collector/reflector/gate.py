# SPDX-License-Identifier: Apache-2.0
"""May this test begin, and how much may it move? One gate for all services of the reflector.

admitted = gate.admit(token, address, wanted_bytes)
if isinstance(admitted, Refused): tell it why and when to come back
with admitted as grant:
    while grant.take(1500): send
"""

from __future__ import annotations

import enum
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from collector.reflector import token as tokens
from collector.reflector.meter import Meter
from collector.reflector.options import GateOptions
from collector.reflector.place import place_of
from collector.reflector.token import Token

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0
_MAX_KNOWN = 100_000
"""So many tokens are remembered; those not seen longest are forgotten first."""


class Refusal(enum.StrEnum):
    """Why a test may not begin."""

    TOKEN = "token"  # noqa: S105 -- a reason, not a secret
    BUSY = "busy"
    DEVICE_TESTS = "device_tests"
    DEVICE_BYTES = "device_bytes"
    TOO_MANY_REFUSALS = "too_many_refusals"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks.

    Attributes:
        name: whose bytes and tests are counted: a device, or, of guests, a place.
        site: where one test at a time runs.
    """

    name: str
    site: str
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No.

    Attributes:
        retry_after_s: when to come back; None where that would not help.
    """

    reason: Refusal
    retry_after_s: int | None
    detail: str = ""


class Grant:
    """One test under way; whoever got it closes it.

    Attributes:
        visitor: whose it is.
        bytes: how much it may move.
        seconds: how long it may take.
    """

    def __init__(self, gate: Gate, visitor: Visitor, wanted_bytes: int, seconds: float) -> None:
        self.visitor = visitor
        self.bytes = wanted_bytes
        self.seconds = seconds
        self.spent_bytes = 0
        self._gate = gate
        self._ends_s = gate.now_s() + seconds
        self._is_open = True

    def take(self, n: int) -> bool:
        """Whether so many bytes more may be moved now; they are counted if so."""
        if not self._is_open or self.spent_bytes + n > self.bytes or self._gate.now_s() > self._ends_s:
            return False
        self.spent_bytes += n
        return True

    def close(self) -> None:
        """The test has ended."""
        if self._is_open:
            self._is_open = False
            self._gate.ended(self)

    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self._gate.now_s() > self._ends_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Gate:
    """Safe to ask from any thread."""

    def __init__(
        self,
        options: GateOptions,
        *,
        now_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        key = options.token_public_key
        self._key = None if key is None else Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        self.now_s = now_s
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._open: dict[str, Grant] = {}
        self._known: OrderedDict[str, Token] = OrderedDict()
        self._tests = Meter(_HOUR_S)
        self._device_bytes = Meter(_DAY_S)
        self._refusals = Meter(_MINUTE_S)

    @property
    def tests(self) -> int:
        """How many are under way."""
        return len(self._open)

    def admit(self, token: str, address: str, wanted_bytes: int) -> Grant | Refused:
        """Begin a test, or say why not; the address must have been proven."""
        with self._lock:
            known = self._known_token(token)
            # Whoever else asks wrongly behind the same NAT closes it for no device that was let in before.
            if known is None and self._is_shut(place_of(address)):
                return self._shut(place_of(address))
            read = known or self._read(token, place_of(address))
            if isinstance(read, Refused):
                return read
            return self._admit(Visitor(read.device, f"site {read.site or read.device}"), wanted_bytes)

    def admit_guest(self, address: str, wanted_bytes: int) -> Grant | Refused:
        """Likewise for somebody without a token: a place is then bound as a device is."""
        name = f"guest {place_of(address)}"
        with self._lock:
            return self._admit(Visitor(name, name, is_guest=True), wanted_bytes)

    def ended(self, grant: Grant) -> None:
        """Count what it moved; called by the grant."""
        with self._lock:
            self._count(grant)

    def _known_token(self, text: str) -> Token | None:
        """What was read of it before; its signature costs more than all else here."""
        known = self._known.get(text)
        if known is None or known.expires_s < self._wall_s():
            return None
        self._known.move_to_end(text)
        return known

    def _read(self, text: str, place: str) -> Token | Refused:
        try:
            read = tokens.read(self._key, text, now_s=self._wall_s())
        except tokens.BadToken as e:
            self._refusals.add(place, 1, self.now_s())
            return Refused(Refusal.TOKEN, None, str(e))
        self._known[text] = read
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return read

    def _admit(self, visitor: Visitor, wanted_bytes: int) -> Grant | Refused:
        self._end_expired()
        if self._is_shut(visitor.name):
            return self._shut(visitor.name)
        wanted_bytes = min(wanted_bytes, self._options.test_bytes)
        refused = self._busy(visitor) or self._spent(visitor.name, wanted_bytes)
        if refused is None:
            return self._begin(visitor, wanted_bytes)
        self._refusals.add(visitor.name, 1, self.now_s())
        return refused

    def _is_shut(self, name: str) -> bool:
        return self._refusals.sum(name, self.now_s()) >= self._options.refused_per_minute

    def _shut(self, name: str) -> Refused:
        return self._refused(Refusal.TOO_MANY_REFUSALS, self._refusals, name)

    def _busy(self, visitor: Visitor) -> Refused | None:
        """Whether there is no room: of all places guests get half, so that they shut no school out."""
        under_way = [grant.visitor for grant in self._open.values()]
        guests = sum(other.is_guest for other in under_way)
        is_full = len(under_way) >= self._options.tests or (
            visitor.is_guest and guests >= max(1, self._options.tests // 2)
        )
        if is_full or visitor.name in self._open or visitor.site in {other.site for other in under_way}:
            return Refused(Refusal.BUSY, self._free_after_s())
        return None

    def _spent(self, name: str, wanted_bytes: int) -> Refused | None:
        """Which limit is reached, if one is."""
        options = self._options
        limits = (
            (Refusal.DEVICE_TESTS, self._tests, options.device_tests_per_hour, 1),
            (Refusal.DEVICE_BYTES, self._device_bytes, options.device_bytes_per_day, wanted_bytes),
        )
        for reason, meter, limit, wanted in limits:
            if meter.sum(name, self.now_s()) + wanted > limit:
                return self._refused(reason, meter, name)
        return None

    def _begin(self, visitor: Visitor, wanted_bytes: int) -> Grant:
        grant = Grant(self, visitor, wanted_bytes, self._options.test_s)
        self._open[visitor.name] = grant
        self._tests.add(visitor.name, 1, self.now_s())
        return grant

    def _refused(self, reason: Refusal, meter: Meter, name: str) -> Refused:
        return Refused(reason, meter.frees_after_s(name, self.now_s()))

    def _free_after_s(self) -> int:
        """A guess: tests seldom take all their time."""
        return max(5, round(self._options.test_s / 2))

    def _end_expired(self) -> None:
        """A test whose end nobody told holds its place no longer than its time."""
        for grant in list(self._open.values()):
            if grant.has_expired():
                grant._is_open = False  # noqa: SLF001
                self._count(grant)

    def _count(self, grant: Grant) -> None:
        if self._open.pop(grant.visitor.name, None) is not None:
            self._device_bytes.add(grant.visitor.name, grant.spent_bytes, self.now_s())
