# SPDX-License-Identifier: Apache-2.0
"""Which entries of the journal does a signature of their device hold for?

A tagged entry is proven by the chain of a later signature, or by its records coming again in a signed batch;
these must then say the same. Tags themselves prove nothing here: the collector could make them too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.contract.codec import decode_batch
from agent.contract.decoder import DecodeError
from agent.contract.envelope import (
    Chained,
    Envelope,
    Tagged,
    chain_of,
    digest,
    is_sealed,
    open_envelope,
)
from agent.contract.record import Record
from collector.authority.signers import is_signed_by_any
from collector.coverage import Coverage, Open
from collector.entry import Entry

Of = tuple[str, str]
"""Device and session."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """A tagged entry that no signature holds for.

    Attributes:
        is_passed: its device has signed later batches of that session; else a signature may still come.
    """

    entry: Entry
    is_passed: bool = False


@dataclass(kw_only=True)
class Proof:
    """The signatures of a journal, in its order.

    Attributes:
        keys: every key each device ever had.
        signed: entries with a signature of their own that holds.
        chained: tagged entries that a later signature holds for.
        unsigned: entries with neither.
    """

    keys: Mapping[str, Sequence[bytes]]
    signed: int = 0
    chained: int = 0
    unsigned: int = 0
    _coverage: Coverage = field(default_factory=Coverage)
    _waiting: dict[Of, dict[bytes, Unproven]] = field(default_factory=dict)

    def begin(self, coverage: Coverage) -> None:
        """What was open where an extract of the journal begins."""
        self._coverage = coverage

    def take(self, entry: Entry) -> str | None:
        """Look at the next entry; says what is wrong with it."""
        if not is_sealed(entry.payload):
            self.unsigned += 1
            return None
        try:
            return self._take_sealed(entry)
        except DecodeError as e:
            return f"it cannot be read: {e}"

    def unproven(self) -> list[Unproven]:
        """What no signature holds for, oldest first."""
        found = [u for waiting in self._waiting.values() for u in waiting.values()]
        return sorted(found, key=lambda u: u.entry.number)

    def _take_sealed(self, entry: Entry) -> str | None:
        envelope, of = open_envelope(entry.payload), (entry.device, entry.session)
        if isinstance(envelope, Tagged):
            if entry.new:
                self._waiting.setdefault(of, {})[digest(envelope.inner)] = Unproven(entry)
            self._coverage.take(entry)
            return None
        if not is_signed_by_any(self.keys.get(entry.device, ()), entry.device, envelope):
            return "its signature is of no key that this device ever had"
        self.signed += 1
        before = self._coverage.of(*of)
        self._coverage.take(entry)
        left = set(self._coverage.of(*of))
        changed = [o for o in before if o not in left]
        problem = None if _is_chain(envelope, changed) else self._difference(of, changed, entry)
        self._settle(of)
        return problem

    def _difference(self, of: Of, changed: Iterable[Open], signed: Entry) -> str | None:
        """Whether records that come again signed are other ones than those that were tagged."""
        waiting = self._waiting.get(of, {})
        tagged = (waiting[o.digest].entry for o in changed if o.digest in waiting)
        return next((p for p in (_difference(entry, signed) for entry in tagged) if p), None)

    def _settle(self, of: Of) -> None:
        """Take out what is proven; the rest was passed over."""
        opened, waiting = {o.digest for o in self._coverage.of(*of)}, self._waiting.get(of, {})
        left = {d: dataclasses.replace(u, is_passed=True) for d, u in waiting.items() if d in opened}
        self.chained += len(waiting) - len(left)
        self._waiting[of] = left


def _is_chain(envelope: Envelope | Chained, changed: Sequence[Open]) -> bool:
    """Whether it was the chain that proved these, and so each byte of them."""
    return isinstance(envelope, Chained) and chain_of(o.digest for o in changed) == envelope.chain


def _difference(tagged: Entry, signed: Entry) -> str | None:
    """Whether two entries that tell of the same records tell the same."""
    first, second = _records(tagged), _records(signed)
    changed = [seq for seq in first.keys() & second.keys() if first[seq] != second[seq]]
    if not changed:
        return None
    return f"it signs seq {min(changed)} with other contents than entry {tagged.number} has"


def _records(entry: Entry) -> dict[int, Record]:
    return {record.seq: record for record in decode_batch(entry.payload).batch.records}
