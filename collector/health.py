# SPDX-License-Identifier: Apache-2.0
"""How is the collector itself: what came in, what was refused, and which sink lags behind?

Plain counters since the start, each written by one thread only, read by the page and `/metrics` at any time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.condition import Condition


@dataclass(kw_only=True)
class SinkHealth:
    """How one sink keeps up with the journal.

    Attributes:
        lag_entries: journal entries not yet handed over.
        lag_s: by how much the newest entry it has is older than the newest of all; None before the first.
        written: records handed over and stored.
        rejected: records it will never take; they are among the dead letters.
        unreadable: journal entries stepped over for an error of ours; the log has its traceback.
        available: None until it was first asked.
        problem: why it is not available.
    """

    lag_entries: int = 0
    lag_s: float | None = None
    written: int = 0
    rejected: int = 0
    unreadable: int = 0
    available: bool | None = None
    problem: str | None = None


@dataclass(kw_only=True)
class Health:
    """Everything the collector counts.

    Attributes:
        messages_refused: whole messages by reason (`collector.admission.RefusalReason`).
        records_accepted: records that were new.
        records_duplicate: records that were in the journal already.
        records_refused: records of good batches that could not be understood.
        records_unplaced: records of a device that stood at no school then; they are among the dead letters.
        records_dropped_by_agents: sequence numbers that agents say no longer exist.
        queue_drops: messages not taken because too many were waiting; their agents send them again.
        messages_unstored: messages taken while the journal could not be written; they come again.
        records_unproven: stored records that no signature of their device holds for yet.
        journal_torn: torn ends of the journal ever put aside; nothing of them was acknowledged.
        journal_free_bytes: space left on its disk; None when that cannot be told.
        registry_problem: why the registry as it is written now is not used.
        checkpoint: the newest one, as its line stands in the file.
        checkpoints: signed checkpoints made.
        segments_archived: segments of the journal moved to the archive.
        upkeep_problem: why a checkpoint or the archive failed.
        journal_damaged: places in the journal that could not be read.
        dead_letters_dropped: not written, for the day's file was full or the disk did not take them.
        crl_until_s: until when the revocation list is good (Unix time), None where there is none.
        inbox_messages: messages that wait to be stored.
        pause_s: for how long agents are asked to hold back at present, None when they need not.
        heard_ms: by registered device, when something of it was last accepted.
        conditions: by registered device, how it said it was.
        device_drops: messages not taken because the device sent more than its share.
        presence: by device, whether it said it was there (`status` topic).
    """

    messages_received: int = 0
    messages_refused: Counter[str] = field(default_factory=Counter)
    records_accepted: int = 0
    records_duplicate: int = 0
    records_refused: int = 0
    records_unplaced: int = 0
    records_dropped_by_agents: int = 0
    queue_drops: int = 0
    messages_unstored: int = 0
    acks_sent: int = 0
    journal_bytes: int = 0
    journal_entries: int = 0
    journal_position: str = ""
    journal_damaged: int = 0
    records_unproven: int = 0
    journal_torn: int = 0
    journal_free_bytes: int | None = None
    journal_problem: str | None = None
    registry_problem: str | None = None
    checkpoint: str | None = None
    checkpoints: int = 0
    segments_archived: int = 0
    upkeep_problem: str | None = None
    dead_letters: int = 0
    dead_letters_dropped: int = 0
    mqtt_connected: bool = False
    mqtt_problem: str | None = None
    last_received_ms: int | None = None
    crl_until_s: float | None = None
    inbox_messages: int = 0
    pause_s: int | None = None
    heard_ms: dict[str, int] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    device_drops: Counter[str] = field(default_factory=Counter)
    presence: dict[str, bool] = field(default_factory=dict)
    sinks: dict[str, SinkHealth] = field(default_factory=dict)
    started_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    started_mono_s: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, sinks: Sequence[str]) -> Health:
        """Health of a collector that has just started with these sinks."""
        return cls(sinks={name: SinkHealth() for name in sinks})
