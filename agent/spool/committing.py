# SPDX-License-Identifier: Apache-2.0
"""How do records that wait in memory get to the card?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.contract.record import Record
from agent.spool.block import pack_all, slots_of
from agent.spool.card import Card, Place
from agent.spool.chunk import Chunk, Queue, packed
from agent.spool.memory import Memory

log = logging.getLogger("agent.spool")

_JOINED_RECORDS = 100
"""A block is packed anew with each commit until it holds so many; that is some milliseconds of work."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What becomes one block, and the chunks it takes the place of."""

    session: str
    records: Sequence[Record]
    payload: bytes
    instead: tuple[Chunk, ...]


class Committing:
    """Group commits."""

    def __init__(self, queue: Queue, card: Card, memory: Memory, make_room: Callable[[int], None]) -> None:
        self._queue = queue
        self._card = card
        self._memory = memory
        self._make_room = make_room
        self._tip: Chunk | None = None

    def store(self) -> bool:
        """Bring everything to the card; False when there was nothing.

        Raises:
            OSError: the card does not take it all.
        """
        if not self._memory.chunks():
            return False
        while self._memory.chunks():
            self._store_some()
        self._memory.save()
        self.tidy()
        return True

    def probe(self) -> None:
        """Find out whether something could be stored.

        Raises:
            OSError: nothing could.
        """
        if not self._card.has_room(1):
            self._make_room(1)
        self._card.probe()

    def tidy(self) -> None:
        """Give back what no record needs."""
        try:
            self._card.tidy()
        except OSError as e:
            log.debug("spool.untidy problem=%s", e)

    def _store_some(self) -> None:
        """What fits into one file."""
        pieces = self._first(self._plan())
        slots = sum(slots_of(p.payload) for p in pieces)
        if not self._card.has_room(slots):
            self._make_room(slots)
            pieces = self._first(self._plan())
        places = self._card.store([p.payload for p in pieces])
        for piece, place in zip(pieces, places, strict=True):
            self._settle(piece, place)

    def _first(self, pieces: Sequence[_Piece]) -> Sequence[_Piece]:
        """Whole chunks, as many as fit into one file."""
        slots = 0
        for i, piece in enumerate(pieces):
            slots += slots_of(piece.payload)
            if i and piece.instead and slots > self._card.file_slots:
                return pieces[:i]
        return pieces

    def _plan(self) -> list[_Piece]:
        """Blocks to be written: what is packed already, and the rest together with the newest block."""
        pieces: list[_Piece] = []
        for chunk in self._memory.chunks():
            if chunk.payload is not None:
                pieces.append(_Piece(chunk.session, (), chunk.payload, (chunk,)))
                continue
            joined = self._joined(chunk)
            pieces += [joined] if joined else self._split(chunk)
        return pieces

    def _split(self, chunk: Chunk) -> list[_Piece]:
        pieces = list(pack_all(chunk.session, chunk.waiting()))
        if len(pieces) <= self._card.file_slots:
            return [
                _Piece(chunk.session, records, payload, () if i else (chunk,))
                for i, (records, payload) in enumerate(pieces)
            ]
        parts = self._queue.replace(chunk, [packed(chunk.session, *piece) for piece in pieces])
        return [_Piece(chunk.session, (), part.payload or b"", (part,)) for part in parts]

    def _joined(self, chunk: Chunk) -> _Piece | None:
        """The newest block and what has come since as one block, where that fits.

        It goes into another slot of the same file, so that the old one stands until the new one does, and no
        file ever holds what was dropped from another.
        """
        tip = self._tip
        if tip is None or tip.session != chunk.session or not tip.waiting() or tip.place is None:
            return None
        if len(tip.seqs) + len(chunk.seqs) > _JOINED_RECORDS:
            return None
        if tip.place.file != self._card.current or not self._card.has_room(1):
            return None
        records = sorted([*tip.waiting(), *chunk.waiting()], key=lambda r: r.seq)
        first, *more = pack_all(chunk.session, records)
        return None if more or slots_of(first[1]) > 1 else _Piece(chunk.session, *first, (tip, chunk))

    def _settle(self, piece: _Piece, place: Place) -> None:
        """A block is on the card: count its records there."""
        if not piece.records:
            made = piece.instead[0]
            made.payload, made.place, made.records = None, place, None
            return
        for chunk in piece.instead:
            self._queue.remove(chunk)
            if chunk.place is not None:
                self._card.free(chunk.place)
        made = packed(piece.session, piece.records, piece.payload, place, keep=True)
        self._queue.put(made)
        if self._tip is not None:
            self._tip.records = None
        self._tip = made
