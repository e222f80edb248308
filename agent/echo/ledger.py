# SPDX-License-Identifier: Apache-2.0
"""What became of each request of a round: answered, late, twice, lost, never sent?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.contract.reason import Reason
from agent.echo.address import Address
from agent.echo.plan import Ask
from agent.echo.stamp import Instant

STEP_MS = 0.01
"""Round-trip times are told in steps of 10 µs, and never as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request.

    Attributes:
        sent: it left the host; otherwise `reason` says why not.
        rtt_ms: round-trip time, None unless it was answered within the time-out.
        late: it was answered, but after the time-out.
        duplicates: further answers.
        refused: the answer was a refusal to connect (TCP only).
        first_syn_ms: of a late one, how long the answer to its first SYN took, where time stamps show that it
            was the first's (TCP only). On a short way it may be an answer that was lost and sent again.
        reason: why there was no answer in time.
    """

    address: Address
    sent: bool = True
    rtt_ms: float | None = None
    late: bool = False
    duplicates: int = 0
    refused: bool = False
    first_syn_ms: float | None = None
    reason: Reason | None = None

    @property
    def answered(self) -> bool:
        """Whether an answer came at all, however late."""
        return self.late or self.rtt_ms is not None


def in_ms(duration_ns: int) -> float:
    """A round-trip time as it is told."""
    return max(STEP_MS, round(duration_ns / 1e4) / 100)


class Ledger:
    """Keeps the times of one round; all of them nanoseconds of the monotonic clock."""

    def __init__(self, asks: Sequence[Ask], timeout_s: float) -> None:
        self._entries = [_Entry(ask.address) for ask in asks]
        self._timeout_ns = round(timeout_s * 1e9)
        self._open = len(self._entries)

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is waited for."""
        return self._open == 0

    def sent_at(self, index: int) -> Instant | None:
        """When the request was handed to the kernel; None for one that never was."""
        return self._entries[index].handed if index < len(self._entries) else None

    def is_from(self, index: int, host: str) -> bool:
        """Whether this is the host that was asked."""
        return self._entries[index].address.host == host

    def sent(self, index: int, at: Instant) -> None:
        """The request was handed to the kernel."""
        self._entries[index].handed = at

    def left(self, index: int, at_ns: int) -> None:
        """The request left for the wire, by the kernel's stamp."""
        self._entries[index].left_ns = at_ns

    def failed(self, index: int, reason: Reason) -> None:
        """The request could not be sent, or the network says it cannot be delivered."""
        entry = self._entries[index]
        entry.reason = reason
        self._settle(entry)

    def answered(self, index: int, at_ns: int) -> None:
        """An answer arrived; the first one counts."""
        entry = self._entries[index]
        if entry.received_ns is not None:
            entry.duplicates += 1
            return
        entry.received_ns = at_ns
        self._settle(entry)

    def outcomes(self) -> list[Outcome]:
        """One outcome per request, in the order of the plan."""
        return [entry.outcome(self._timeout_ns) for entry in self._entries]

    def _settle(self, entry: _Entry) -> None:
        if not entry.settled:
            entry.settled = True
            self._open -= 1


class _Entry:
    __slots__ = ("address", "duplicates", "handed", "left_ns", "reason", "received_ns", "settled")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.handed: Instant | None = None
        self.left_ns: int | None = None
        self.received_ns: int | None = None
        self.duplicates = 0
        self.reason: Reason | None = None
        self.settled = False

    def outcome(self, timeout_ns: int) -> Outcome:
        if self.handed is None:
            return Outcome(address=self.address, sent=False, reason=self.reason)
        if self.received_ns is None:
            return Outcome(address=self.address, reason=self.reason or Reason.TIMEOUT)
        rtt_ns = self.received_ns - (self.left_ns or self.handed.mono_ns)
        late = rtt_ns > timeout_ns
        return Outcome(
            address=self.address,
            rtt_ms=None if late else in_ms(rtt_ns),
            late=late,
            duplicates=self.duplicates,
            reason=Reason.TIMEOUT if late else None,
        )
