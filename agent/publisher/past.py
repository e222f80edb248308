# SPDX-License-Identifier: Apache-2.0
"""What of the forgotten can still be told, should the collector forget too?

A collector that was restored from a backup knows less than it has acknowledged. The agent sees it in an
answer that covers less than an earlier one did. What it sent is kept for a while, packed, in memory alone
(some 50 kB a day), and goes out again; of what is no longer here, and of sessions of earlier starts, it says
up to where they went, so that the loss is counted.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.contract.codec import decode_batch
from agent.contract.ranges import Range, RangeSet
from agent.contract.record import MAX_SPAN, Ack, Batch, ClockState

log = logging.getLogger("agent.publisher")

_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch that went out; without a payload it says that nothing of these numbers is here."""

    session: str
    low: int
    high: int
    payload: bytes = b""


class Past:
    """What one start of the agent knows of the past.

    Attributes:
        session: the one that runs.
    """

    def __init__(
        self,
        session: str,
        ended: Mapping[str, int] | None = None,
        is_pending: Callable[[str], bool] = lambda _session: False,
    ) -> None:
        self.session = session
        self._is_pending = is_pending
        self._ended = dict(ended or {})
        self._unsettled = set(self._ended)
        self._acknowledged = 0
        self._newest_ms = -(2**63)
        self._sent: deque[_Sent] = deque()
        self._bytes = 0
        self._again: deque[_Sent] = deque()

    def keep(self, batch: Batch, payload: bytes) -> None:
        """This went out."""
        if not batch.records:
            return
        self._sent.append(_Sent(batch.session, batch.records[0].seq, batch.records[-1].seq, payload))
        self._bytes += len(payload)
        while self._bytes > _MAX_BYTES:
            self._bytes -= len(self._sent.popleft().payload)

    def first_seq(self, session: str, stated: int, first: int) -> int:
        """From where on a batch that begins with `first` may say that nothing else exists any more."""
        kept = (s.high for s in self._sent if s.session == session and s.high < first)
        return max(stated, max(kept, default=0) + 1)

    def unsettled(self) -> list[str]:
        """Sessions of earlier starts of which nothing waits, and the collector has yet to say what it has."""
        return sorted(s for s in self._unsettled if not self._is_pending(s))

    def answered(self, ack: Ack) -> bool:
        """Whether the collector forgot something of this session, and must be asked of earlier ones."""
        if ack.wall_ms < self._newest_ms:
            return False
        self._newest_ms = ack.wall_ms
        if ack.session != self.session:
            if ack.session in self.unsettled():
                self._unsettled.discard(ack.session)
                self._tell_again(ack, self._ended[ack.session])
            return False
        before, self._acknowledged = self._acknowledged, ack.up_to_seq
        if ack.up_to_seq >= before:
            return False
        log.warning("collector.forgot before=%d now=%d", before, ack.up_to_seq)
        self._unsettled = set(self._ended)
        self._tell_again(ack, before)
        return True

    def next(self, device: str, now: ClockState) -> Batch | None:
        """What to tell again now; None when there is nothing."""
        if not self._again:
            return None
        sent = self._again[0]
        if sent.payload:
            batch = decode_batch(sent.payload).batch
            return dataclasses.replace(batch, first_seq=sent.low, clock=now, want_ack=True, backlog=True)
        low = max(sent.low, sent.high - MAX_SPAN + 1)
        return Batch(
            device=device, session=sent.session, first_seq=low, last_seq=sent.high, clock=now, backlog=True
        )

    def told(self) -> None:
        """The collector has what `next` gave."""
        if self._again:
            self._again.popleft()

    def _tell_again(self, ack: Ack, end: int) -> None:
        """First what is here, then that the rest is not."""
        missing = RangeSet([(1, ack.up_to_seq), *ack.ranges]).missing(1, end)
        if not missing:
            return
        kept = [s for s in self._sent if s.session == ack.session and _overlaps(s, missing)]
        self._again = deque(s for s in self._again if s.session != ack.session)
        self._again.extend([*sorted(kept, key=lambda s: s.low), _Sent(ack.session, 1, end)])


def _overlaps(sent: _Sent, missing: Iterable[Range]) -> bool:
    return any(low <= sent.high and sent.low <= high for low, high in missing)
