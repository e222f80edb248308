# SPDX-License-Identifier: Apache-2.0
"""What waits that is not on the card, and how much memory does it take?"""

from __future__ import annotations

from agent.spool.card import Card
from agent.spool.chunk import Chunk, Queue
from agent.spool.early import Early, EarlyLog

_RECORD_BYTES = 2000


class Memory:
    """That part of the queue of which the card knows nothing, and the early log that has it too."""

    def __init__(self, queue: Queue, card: Card, early: EarlyLog) -> None:
        self._queue = queue
        self._card = card
        self._early = early

    def young(self, session: str) -> Chunk:
        """The chunk of a session that new records enter."""
        for chunk in reversed(self._queue.of(session)):
            if chunk.place is None and chunk.payload is None:
                return chunk
        return self._queue.grow(session)

    def chunks(self) -> list[Chunk]:
        """All that is not on the card."""
        return [c for c in self._queue if c.place is None and c.seqs]

    def packed_chunks(self) -> list[Chunk]:
        """What is packed and not on the card."""
        return [c for c in self.chunks() if c.payload is not None]

    def bytes(self) -> int:
        """Of all that is not on the card."""
        return sum(map(size_bytes, self.chunks()))

    def packed_bytes(self) -> int:
        """Of what is packed and not on the card."""
        return sum(map(size_bytes, self.packed_chunks()))

    def save(self) -> None:
        """Let the early log hold what the card does not, and nothing else."""
        chunks = self.chunks()
        self._early.replace(
            Early(
                records=[(c.session, r) for c in chunks if c.payload is None for r in c.waiting()],
                payloads=[c.payload for c in chunks if c.payload is not None],
                spoiled=sorted(self._card.spoiled),
            )
        )


def size_bytes(chunk: Chunk) -> int:
    """Of memory, about."""
    return (
        len(chunk.seqs) * _RECORD_BYTES if chunk.payload is None else len(chunk.payload) + len(chunk.seqs) * 8
    )
