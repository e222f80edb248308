# SPDX-License-Identifier: Apache-2.0
"""Which records of one segment still wait for their acknowledgement?"""

from __future__ import annotations

from pathlib import Path

from agent.contract.ranges import RangeSet
from agent.contract.record import ClockState, Record
from agent.spool.segment import read_segment

ROUGH_RECORD_BYTES = 400
"""What a record that is only in memory counts towards the spool's size."""


class PendingSegment:
    """One segment: its file, its pending records by number and, where need be, in memory.

    Attributes:
        pending: sequence numbers not acknowledged, ascending.
        file_bytes: size of the file.
        is_on_disk: whether every pending record is whole in the file; if not, memory is all there is.
    """

    def __init__(self, number: int, path: Path, session: str) -> None:
        self.number = number
        self.path = path
        self.session = session
        self.pending: list[int] = []
        self.file_bytes = 0
        self.is_on_disk = True
        self.oldest: ClockState | None = None
        self._memory: dict[int, Record] | None = {}

    @property
    def bytes(self) -> int:
        """What the segment counts towards the spool's size."""
        return (
            self.file_bytes
            if self.is_on_disk
            else max(self.file_bytes, len(self.pending) * ROUGH_RECORD_BYTES)
        )

    def add(self, record: Record) -> None:
        """A record that was just made, or just found in the file."""
        self.pending.append(record.seq)
        self.oldest = self.oldest or record.clock
        if self._memory is not None:
            self._memory[record.seq] = record

    def forget(self, covered: RangeSet) -> int:
        """Drop the acknowledged ones; says how many."""
        before = len(self.pending)
        self.pending = [seq for seq in self.pending if seq not in covered]
        if self._memory is not None:
            self._memory = {seq: self._memory[seq] for seq in self.pending if seq in self._memory}
        return before - len(self.pending)

    def records(self) -> dict[int, Record]:
        """Pending records by number, from memory or else from the file.

        Raises:
            OSError: the file cannot be read.
        """
        if self._memory is None:
            wanted = set(self.pending)
            self._memory = {r.seq: r for r in read_segment(self.path).records if r.seq in wanted}
        return self._memory

    def release(self) -> None:
        """Give the memory back where the file has everything."""
        if self.is_on_disk:
            self._memory = None

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
