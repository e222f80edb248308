# SPDX-License-Identifier: Apache-2.0
"""How is a view built again from the evidence? Feeds one sink from the journal, ends when it has all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collector.config import Config
from collector.consumer import Consumer
from collector.cursor import cursor_of
from collector.deadletters import DeadLetters
from collector.health import Health, SinkHealth
from collector.playback import Playback
from collector.segment import Position

_PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay.

    Attributes:
        health: how many records the sink took and refused.
        known: how many of those taken it had already; None where it cannot tell.
        end: where the journal ended.
        damaged: in how many places the journal could not be read.
    """

    health: SinkHealth
    known: int | None
    end: Position
    damaged: int


async def replay(config: Config, kind: str, start: Position) -> Replayed:
    """Feed the sink with everything from `start` on; what it has already stays as it is.

    A sink that was not fed up to `start` yet is fed from where it stands, for its place moves to the end.

    Raises:
        SinkUnavailable: it did not take a batch after several tries.
        OSError: the journal cannot be read.
    """
    directory = Path(config.options.journal.directory)
    health = Health.of([kind])
    sink = config.make_sink(kind)
    consumer = Consumer(
        sink=sink,
        cursor=cursor_of(sink, directory / "cursors"),
        playback=Playback(directory, archive=config.options.journal.archive, start=start),
        registry=config.registry,
        dead_letters=DeadLetters(Path(config.options.dead_letters.directory), health),
        health=health.sinks[kind],
        patience=_PATIENCE,
    )
    try:
        kept = await consumer.cursor.load()
        await consumer.catch_up(start if kept is None else min(start, kept))
        while await consumer.feed():
            pass
    finally:
        await sink.close()
    known: int | None = getattr(sink, "known", None)
    return Replayed(consumer.health, known, consumer.playback.at, len(consumer.damages))
