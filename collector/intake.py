# SPDX-License-Identifier: Apache-2.0
"""What happens to one group of messages between the broker and its acknowledgements?

Admission, one commit to the journal, dead letters, answers, in this order. Runs in a worker thread, one
group at a time; a message that nobody foresaw costs only itself.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.contract import topics
from agent.contract.decoder import DecodeError
from agent.contract.ranges import Range, RangeSet
from collector.acknowledgement import Answer, answers
from collector.admission import MAX_MESSAGE_BYTES, Admitted, Refusal, RefusalReason, admit
from collector.authority.desk import Desk
from collector.authority.signers import Signers
from collector.condition import condition
from collector.coverage import Open, advance
from collector.deadletters import DeadLetters
from collector.entry import MAX_RANGES, NewEntry
from collector.health import Health
from collector.journal import Journal
from collector.measuring import unplaced
from collector.message import Message
from collector.pressure import pause_s
from collector.registry import Registry

log = logging.getLogger("collector.intake")


Charge = Callable[[str, float], None]
"""Told of each message what its sender has cost: its topic, and seconds of the processor."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """One batch, which of its sequence numbers nobody has accounted for yet, and whether it proves others."""

    admitted: Admitted
    new: tuple[Range, ...]
    covers: bool = False


@dataclass(kw_only=True)
class _Group:
    """What one group is about to put into the journal."""

    signers: Signers
    certificates: list[Answer] = field(default_factory=list)
    taken: list[_Taken] = field(default_factory=list)
    pending: dict[tuple[str, str], RangeSet] = field(default_factory=dict)
    opened: dict[tuple[str, str], tuple[Open, ...]] = field(default_factory=dict)

    def entries(self) -> list[NewEntry]:
        """Batches that account for anything new, or prove something that is there."""
        return [_entry(taken.admitted, taken.new) for taken in self.taken if taken.new or taken.covers]


@dataclass(kw_only=True)
class Intake:
    """The way into the journal."""

    journal: Journal
    registry: Registry
    dead_letters: DeadLetters
    health: Health
    max_message_bytes: int = MAX_MESSAGE_BYTES
    desk: Desk = field(default_factory=Desk)
    min_free_bytes: int = 0
    charge: Charge = lambda _topic, _cpu_s: None

    def take(self, messages: Iterable[Message]) -> list[Answer]:
        """Take a group in; returns what to publish.

        Raises:
            JournalUnavailable: nothing of it is stored, nothing of it is acknowledged.
        """
        group = _Group(signers=self.desk.signers())
        for message in messages:
            self._take_one(message, group)
        try:
            self.journal.write(group.entries())
            for taken in group.taken:
                self._note_stored(taken)
        finally:
            self.dead_letters.commit()
        self.note_journal()
        admitted = (t.admitted for t in group.taken)
        seen, coverage, now_ms = self.journal.seen, self.journal.coverage, int(time.time() * 1000)
        acks = answers(admitted, seen, coverage, now_ms, pause_s=self._note_pause())
        return [*acks, *group.certificates]

    def _note_pause(self) -> int | None:
        """For how long agents had better hold back, None when they need not."""
        self.health.pause_s = pause_s(self.health, self.min_free_bytes)
        return self.health.pause_s

    def _take_one(self, message: Message, group: _Group) -> None:
        began_s = time.thread_time()
        try:
            self._understand(message, group)
        finally:
            self.charge(message.topic, time.thread_time() - began_s)

    def _understand(self, message: Message, group: _Group) -> None:
        self.health.last_received_ms = message.received_ms
        try:
            if message.topic.endswith("/status"):
                self._note_presence(message, group.signers)
                return
            if message.topic.endswith("/csr"):
                group.certificates.extend(self.desk.renew(message))
                return
            outcome = admit(message, self.registry, max_bytes=self.max_message_bytes, signers=group.signers)
            if isinstance(outcome, Admitted):
                self._add(outcome, group)
        except Exception as e:  # whatever one message does, the next one is taken
            log.exception("message.failed topic=%s", message.topic)
            outcome = Refusal(message=message, reason=RefusalReason.INTERNAL, problem=repr(e))
        if isinstance(outcome, Refusal):
            self._note_refusal(outcome)

    def _add(self, admitted: Admitted, group: _Group) -> None:
        batch = admitted.batch
        pending = group.pending.setdefault((batch.device, batch.session), RangeSet())
        known = self.journal.seen.new_ranges(batch.device, batch.session, batch.first_seq, batch.last_seq)
        new = tuple(gap for low, high in known for gap in pending.missing(low, high))[:MAX_RANGES]
        for low, high in new:
            pending.add(low, high)
        group.taken.append(_Taken(admitted, new, self._covers(admitted, new, group)))

    def _covers(self, admitted: Admitted, new: tuple[Range, ...], group: _Group) -> bool:
        """Whether this batch proves others, of the journal or of this group."""
        batch = admitted.batch
        of = batch.device, batch.session
        before = group.opened[of] if of in group.opened else self.journal.coverage.of(*of)
        told = [*(r.seq for r in batch.records), *(r.seq for r in admitted.refused)]
        step = advance(before, admitted.message.payload, new, lambda: told)
        group.opened[of] = step.opened
        return step.covers

    def _note_refusal(self, refusal: Refusal) -> None:
        self.health.messages_refused[str(refusal.reason)] += 1
        if refusal.reason is RefusalReason.REVOKED and refusal.device is not None:
            self.desk.note_revoked_presence(refusal.device)
        self.dead_letters.add_refusal(refusal)

    def _note_stored(self, taken: _Taken) -> None:
        """Count, and write letters, only now that the journal has the batch: else it all comes again."""
        batch, is_new = taken.admitted.batch, RangeSet(taken.new)
        self.health.heard_ms[batch.device] = taken.admitted.message.received_ms
        if found := condition(batch, self.health.conditions.get(batch.device)):
            self.health.conditions[batch.device] = found
        accepted = sum(record.seq in is_new for record in batch.records)
        self._note_unplaced(taken)
        refused = taken.admitted.refused if taken.new else ()
        for record in refused:
            self.dead_letters.add_record(taken.admitted, record)
        self.health.records_accepted += accepted
        self.health.records_duplicate += len(batch.records) - accepted
        self.health.records_refused += len(refused)
        unread = {r.seq for r in refused if r.seq in is_new}
        self.health.records_dropped_by_agents += is_new.count() - accepted - len(unread)

    def _note_unplaced(self, taken: _Taken) -> None:
        for lost in unplaced(taken.admitted, taken.new, self.registry):
            self.dead_letters.add_record(taken.admitted, lost, reason="no_school")
            self.health.records_unplaced += 1

    def _note_presence(self, message: Message, signers: Signers) -> None:
        try:
            device = topics.parse(message.topic).device
            said = json.loads(message.payload or b"{}")
        except (DecodeError, ValueError, RecursionError) as e:
            log.debug("status.ignored topic=%s problem=%s", message.topic, e)
            return
        if device in signers.revoked:
            self.desk.note_revoked_presence(device)
        elif self.registry.knows(device) and isinstance(said, dict) and isinstance(said.get("online"), bool):
            self.health.presence[device] = said["online"]

    def note_journal(self) -> None:
        """Say how the journal stands."""
        self.health.journal_bytes = self.journal.size_bytes
        self.health.journal_entries = self.journal.entries
        self.health.journal_position = str(self.journal.committed)
        self.health.records_unproven = self.journal.coverage.records()
        self.health.journal_torn = self.journal.torn
        self.health.journal_free_bytes = self.journal.free_bytes()


def _entry(admitted: Admitted, new: tuple[Range, ...]) -> NewEntry:
    return NewEntry(
        received_ms=admitted.message.received_ms,
        device=admitted.batch.device,
        session=admitted.batch.session,
        new=new,
        payload=admitted.message.payload,
    )
