# SPDX-License-Identifier: Apache-2.0
"""Which of the stored records does no signature of their device hold for yet?

A tagged batch is stored as it comes, so that nobody waits for what the schools see. It is not acknowledged
before a signature holds for it: that of a chained batch which names its digest, or that of the batch in which
its records are sent again. So what a device forgets can be proven to be what it said. All of it follows from
the order of the journal alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.contract.codec import decode_batch
from agent.contract.decoder import DecodeError
from agent.contract.envelope import (
    MOST_CHAINED,
    Chained,
    Tagged,
    chain_of,
    digest,
    is_sealed,
    open_envelope,
)
from agent.contract.ranges import Range, RangeSet
from collector.entry import NewEntry
from collector.seen import PlainOpen

Told = Callable[[], Iterable[int]]
"""Numbers of the records that a batch has; asked for only when it matters."""

_TRIES = 256
_STALE = b""


@dataclass(frozen=True, slots=True)
class Open:
    """A tagged batch that no signature holds for yet; without a digest, several that were joined."""

    digest: bytes
    ranges: tuple[Range, ...]


NONE: tuple[Open, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What a payload did.

    Attributes:
        opened: what is open after it.
        covers: whether it proved something that was open.
    """

    opened: tuple[Open, ...]
    covers: bool = False


def advance(opened: tuple[Open, ...], payload: bytes, new: Iterable[Range], told: Told) -> Step:
    """What is open of a session after one more of its payloads.

    Args:
        opened: what was.
        payload: admitted, so that its signature or tag has been checked.
        new: what it brought that was not stored before.
        told: numbers of its records.
    """
    if not is_sealed(payload):
        return Step(opened)
    envelope = open_envelope(payload)
    if isinstance(envelope, Tagged):
        ranges = tuple(new)
        return Step(_bounded((*opened, Open(digest(envelope.inner), ranges))) if ranges else opened)
    left = _without_chain(opened, envelope) if isinstance(envelope, Chained) else opened
    left = _without(left, told) if left else left
    return Step(left, covers=left != opened)


class Coverage:
    """What is open, of all devices."""

    def __init__(self, plain: PlainOpen | None = None) -> None:
        self._opened: dict[tuple[str, str], tuple[Open, ...]] = {
            (device, session): tuple(Open(bytes.fromhex(text), ranges) for text, ranges in batches)
            for device, sessions in (plain or {}).items()
            for session, batches in sessions.items()
        }

    def of(self, device: str, session: str) -> tuple[Open, ...]:
        """What is open of a session, oldest first."""
        return self._opened.get((device, session), NONE)

    def take(self, entry: NewEntry) -> None:
        """This entered the journal; what this version cannot read changes nothing."""
        of = entry.device, entry.session
        try:
            step = advance(self.of(*of), entry.payload, entry.new, lambda: told_by(entry.payload))
        except DecodeError:
            return
        if step.opened:
            self._opened[of] = step.opened
        else:
            self._opened.pop(of, None)

    def keep_only(self, sessions: Mapping[str, Iterable[str]]) -> None:
        """Forget all but these, by device."""
        for device, session in list(self._opened):
            if session not in sessions.get(device, ()):
                del self._opened[device, session]

    def records(self) -> int:
        """Numbers that are stored and not acknowledged for want of a signature."""
        opened = [o for batches in list(self._opened.values()) for o in batches]
        return sum(high - low + 1 for o in opened for low, high in o.ranges)

    def to_plain(self) -> PlainOpen:
        """Everything."""
        plain: PlainOpen = {}
        for (device, session), batches in self._opened.items():
            made = tuple((o.digest.hex(), o.ranges) for o in batches)
            plain.setdefault(device, {})[session] = made
        return plain


def told_by(payload: bytes) -> list[int]:
    """Numbers of the records of a payload, those that could not be understood among them.

    Raises:
        DecodeError: it cannot be read by this version.
    """
    decoded = decode_batch(payload)
    return [*(r.seq for r in decoded.batch.records), *(r.seq for r in decoded.refused)]


def _without_chain(opened: tuple[Open, ...], chained: Chained) -> tuple[Open, ...]:
    """Without the batches that the chain is of, where they are all here; which they are, others between."""
    named = [o for o in opened if o.digest]
    for choice in _choices(named, chained.count):
        if chain_of(o.digest for o in choice) == chained.chain:
            return tuple(o for o in opened if o not in choice)
    return opened


def _choices(named: list[Open], count: int) -> Iterable[tuple[Open, ...]]:
    """Newest first; where there are too many ways to choose, only the newest."""
    if len(named) < count:
        return ()
    newest_first = named[::-1]
    if math.comb(len(named), count) > _TRIES:
        return (tuple(newest_first[:count]),)
    return itertools.combinations(newest_first, count)


def _without(opened: tuple[Open, ...], told: Told) -> tuple[Open, ...]:
    """Without what is told again; that something no longer exists proves nothing of what was told before."""
    here = RangeSet((seq, seq) for seq in told())
    cut = (Open(o.digest, _minus(o.ranges, here)) for o in opened)
    return tuple(o for o in cut if o.ranges)


def _bounded(opened: tuple[Open, ...]) -> tuple[Open, ...]:
    """A device that never signs costs no more memory than one that does."""
    if len(opened) <= MOST_CHAINED + 1:
        return opened
    joined = RangeSet((*opened[0].ranges, *opened[1].ranges))
    return (Open(_STALE, tuple(joined)), *opened[2:])


def _minus(ranges: Iterable[Range], others: RangeSet) -> tuple[Range, ...]:
    return tuple(part for low, high in ranges for part in others.missing(low, high))
