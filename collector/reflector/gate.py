# SPDX-License-Identifier: Apache-2.0
"""May this test begin, and how much may it move? One gate for all services of the reflector.

admitted = gate.admit(token, address, wanted_bytes)
if isinstance(admitted, Refused): tell it why and when to come back
with admitted as grant:
    while grant.take(1500): send
"""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from collector.reflector import token as tokens
from collector.reflector.options import GateOptions

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0
_HOST_BITS = 64
_MAX_KNOWN = 100_000
"""So many devices and addresses are remembered; those not seen longest are forgotten first."""


class Refusal(enum.StrEnum):
    """Why a test may not begin."""

    TOKEN = "token"  # noqa: S105 -- a reason, not a secret
    BUSY = "busy"
    DEVICE_TESTS = "device_tests"
    DEVICE_BYTES = "device_bytes"
    ADDRESS_BYTES = "address_bytes"
    TOO_MANY_REFUSALS = "too_many_refusals"


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
        device: whose it is.
        bytes: how much it may move.
        seconds: how long it may take.
    """

    def __init__(self, gate: Gate, device: str, address: str, wanted_bytes: int, seconds: float) -> None:
        self.device = device
        self.address = address
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


class Meter:
    """How much was there within the last so many seconds, by name? Forgets on its own."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._entries: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    def add(self, name: str, amount: int, now_s: float) -> None:
        """Count."""
        self._entries.setdefault(name, deque()).append((now_s, amount))
        self._entries.move_to_end(name)
        while len(self._entries) > _MAX_KNOWN:
            self._entries.popitem(last=False)

    def sum(self, name: str, now_s: float) -> int:
        """What counts still."""
        entries = self._entries.get(name)
        if entries is None:
            return 0
        while entries and entries[0][0] <= now_s - self._within_s:
            entries.popleft()
        if not entries:
            del self._entries[name]
        return sum(amount for _, amount in entries)

    def frees_after_s(self, name: str, now_s: float) -> int:
        """Seconds until the oldest of it no longer counts."""
        entries = self._entries.get(name)
        return max(1, round(entries[0][0] + self._within_s - now_s)) if entries else 1


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
        self._tests = Meter(_HOUR_S)
        self._device_bytes = Meter(_DAY_S)
        self._address_bytes = Meter(_DAY_S)
        self._refusals = Meter(_MINUTE_S)

    @property
    def tests(self) -> int:
        """How many are under way."""
        return len(self._open)

    def admit(self, token: str, address: str, wanted_bytes: int) -> Grant | Refused:
        """Begin a test, or say why not; the address must have been proven."""
        return self._admit(address, lambda: self._judge(token, address, wanted_bytes))

    def admit_guest(self, address: str, wanted_bytes: int) -> Grant | Refused:
        """Likewise for somebody without a token: an address is then bound as a device is."""
        return self._admit(address, lambda: self._granted(f"guest {address}", address, wanted_bytes))

    def _admit(self, address: str, judge: Callable[[], Grant | Refused]) -> Grant | Refused:
        with self._lock:
            self._end_expired()
            if self._refusals.sum(address, self.now_s()) >= self._options.refused_per_minute:
                return self._refused(Refusal.TOO_MANY_REFUSALS, self._refusals, address)
            answer = judge()
            if isinstance(answer, Refused):
                self._refusals.add(address, 1, self.now_s())
            return answer

    def ended(self, grant: Grant) -> None:
        """Count what it moved; called by the grant."""
        with self._lock:
            self._count(grant)

    def _judge(self, token: str, address: str, wanted_bytes: int) -> Grant | Refused:
        if self._key is None:
            return Refused(Refusal.TOKEN, None, "this reflector knows no centre")
        try:
            device = tokens.read(self._key, token, now_s=self._wall_s()).device
        except tokens.BadToken as e:
            return Refused(Refusal.TOKEN, None, str(e))
        return self._granted(device, address, wanted_bytes)

    def _granted(self, device: str, address: str, wanted_bytes: int) -> Grant | Refused:
        refused = self._spent(device, address, wanted_bytes)
        return refused or self._begin(device, address, min(wanted_bytes, self._options.test_bytes))

    def _spent(self, device: str, address: str, wanted_bytes: int) -> Refused | None:
        """Which limit is reached, if one is."""
        now_s, options = self.now_s(), self._options
        wanted_bytes = min(wanted_bytes, options.test_bytes)
        here = sum(_place(grant.address) == _place(address) for grant in self._open.values())
        if device in self._open or len(self._open) >= options.tests or here >= options.address_tests:
            return Refused(Refusal.BUSY, self._free_after_s())
        limits = (
            (Refusal.DEVICE_TESTS, self._tests, device, options.device_tests_per_hour, 1),
            (Refusal.DEVICE_BYTES, self._device_bytes, device, options.device_bytes_per_day, wanted_bytes),
            (
                Refusal.ADDRESS_BYTES,
                self._address_bytes,
                address,
                options.address_bytes_per_day,
                wanted_bytes,
            ),
        )
        for reason, meter, name, limit, wanted in limits:
            if meter.sum(name, now_s) + wanted > limit:
                return self._refused(reason, meter, name)
        return None

    def _begin(self, device: str, address: str, wanted_bytes: int) -> Grant:
        grant = Grant(self, device, address, wanted_bytes, self._options.test_s)
        self._open[device] = grant
        self._tests.add(device, 1, self.now_s())
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
        if self._open.pop(grant.device, None) is not None:
            self._device_bytes.add(grant.device, grant.spent_bytes, self.now_s())
            self._address_bytes.add(grant.address, grant.spent_bytes, self.now_s())


def _place(address: str) -> str:
    """What devices at one school have in common: their NAT's address, or their network of IPv6 (RFC 6177)."""
    with contextlib.suppress(ValueError):
        found = ipaddress.IPv6Address(address.partition("%")[0])
        return address if found.ipv4_mapped else str(int(found) >> _HOST_BITS)
    return address
