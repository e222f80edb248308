# SPDX-License-Identifier: Apache-2.0
"""Between which moments did a silence begin and end, and was it one at all?

A request that was answered proves that the way lived when it passed the place that died later, a lost one
that it did not. That place may be the near end of the link, the far end or anything between, so with S the
sending of the last answered and F that of the first lost request, and R the round-trip time:

    the silence began in [S + R/2, F + R], and ended in [L, A + R/2]

where L is the sending of the last lost, A of the first answered request after it. A router that looks for a
dead neighbour holds requests back and delivers them when it is found: one whose answer took much longer than
R counts as sent at its arrival less R, and the way as dead until then. (Proof for the near end: an answer
passes it at S + R, a request at its sending; for the far end both at S + R/2.) The middle of each is
told, and half its width as resolution.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from agent.outage.ordinary import Ordinary
from agent.outage.voice import Asked

LEAST_SPAN_S = 0.8
"""A shorter run of lost requests is loss, however many they were."""
FAILING_SPAN_S = 30.0
"""Resolvers repeat what failed for one name for some seconds (RFC 9520 §3.2): that is no failure of names."""

_HELD_TIMES, _HELD_S = 1.5, 0.3
_LETTING_GO_S = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """A moment that is known to lie between two; `earliest_s` is None when nothing bounds it on that side."""

    earliest_s: float | None
    latest_s: float

    @property
    def at_s(self) -> float:
        """The moment told."""
        return self.latest_s if self.earliest_s is None else (self.earliest_s + self.latest_s) / 2

    @property
    def resolution_s(self) -> float | None:
        """How far the truth may be from it; None when nobody knows."""
        return None if self.earliest_s is None else (self.latest_s - self.earliest_s) / 2

    def within(self, earliest_s: float, latest_s: float) -> Bounds:
        """What both say; this where they exclude each other."""
        low_s = earliest_s if self.earliest_s is None else max(self.earliest_s, earliest_s)
        high_s = min(self.latest_s, latest_s)
        return Bounds(low_s, high_s) if low_s <= high_s else self


@dataclass(frozen=True, slots=True)
class Began:
    """A silence has begun."""

    opened: Bounds


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over.

    Attributes:
        lost: requests without answer in it.
        is_slow: it never was one: answers came after the time-out.
    """

    closed: Bounds
    lost: int
    is_slow: bool = False


Step = Began | Ended


@dataclass(slots=True)
class _Run:
    """Requests lost in a row."""

    opened: Bounds
    first_s: float
    last_s: float
    rtt_s: float
    lost: int = 1
    fails: bool = False
    places: set[str] = field(default_factory=set)


class Silence:
    """Takes settled requests in sending order."""

    def __init__(self, ordinary: Ordinary) -> None:
        self._ordinary = ordinary
        self._good: Asked | None = None
        self._run: _Run | None = None
        self.is_open = False
        self._moved_s: float | None = None

    @property
    def lost(self) -> int:
        """Requests lost in the run that goes on."""
        return self._run.lost if self._run else 0

    def settle(self, asked: Asked, rtt_s: float, places: AbstractSet[str]) -> list[Step]:
        """Take in one request.

        Args:
            asked: the next in sending order.
            rtt_s: the usual round-trip time.
            places: each of these must have been silent.
        """
        if asked.has_helped:
            steps = self._end(asked, places)
            self._good = asked
            self._ordinary.learn_answer()
            return steps
        run = self._lengthen(asked, rtt_s)
        if self.is_open or not self._is_more_than_loss(run, places):
            return []
        self.is_open = True
        return [Began(run.opened)]

    def moved(self, from_s: float) -> None:
        """Something was received over the link after this moment, whatever became of the requests."""
        self._moved_s = from_s

    def answered_late(self, asked: Asked, rtt_s: float) -> list[Step]:
        """A request told lost was answered after all."""
        if self._run is None or asked.at_s < self._run.first_s:
            return []
        is_slow = asked.at_s <= self._run.first_s
        closed = Bounds(self._run.first_s, max(self._run.first_s, asked.at_s + rtt_s / 2))
        ended = Ended(closed, self._run.lost, is_slow)
        steps: list[Step] = [ended] if self.is_open else []
        self._run, self.is_open, self._good = None, False, asked
        return steps

    def _lengthen(self, asked: Asked, rtt_s: float) -> _Run:
        run = self._run
        if run is None:
            run = self._run = _Run(self._opened(asked, rtt_s), asked.at_s, asked.at_s, rtt_s)
        else:
            run.lost += 1
            run.last_s = asked.at_s
        run.places.add(asked.place)
        run.fails |= asked.fails
        return run

    def _opened(self, first: Asked, rtt_s: float) -> Bounds:
        latest_s = first.at_s + rtt_s
        if self._good is None:
            return Bounds(None, latest_s)
        opened = Bounds(min(self._good.at_s + rtt_s / 2, latest_s), latest_s)
        return opened if self._moved_s is None else opened.within(self._moved_s, latest_s)

    def _end(self, answered: Asked, places: AbstractSet[str]) -> list[Step]:
        run, self._run = self._run, None
        if run is None:
            return []
        closed = _closed(run, answered)
        if self.is_open:
            self.is_open = False
            return [Ended(closed, run.lost)]
        if self._is_more_than_loss(run, places):
            return [Began(run.opened), Ended(closed, run.lost)]
        if not run.fails:
            self._ordinary.learn_run(run.lost)
        return []

    def _is_more_than_loss(self, run: _Run, places: AbstractSet[str]) -> bool:
        least_s = FAILING_SPAN_S if run.fails else LEAST_SPAN_S
        return (
            run.lost >= self._ordinary.needed and run.last_s - run.first_s >= least_s and places <= run.places
        )


def _closed(run: _Run, answered: Asked) -> Bounds:
    """When the silence ended, from the first answer after it."""
    rtt_s = run.rtt_s
    arrived_s = answered.at_s if answered.answered_s is None else answered.answered_s
    if arrived_s - answered.at_s <= _HELD_TIMES * rtt_s + _HELD_S:
        return Bounds(run.last_s, answered.at_s + rtt_s / 2)
    let_go_s = arrived_s - rtt_s
    return Bounds(max(run.last_s, let_go_s - rtt_s / 2 - _LETTING_GO_S), let_go_s + rtt_s / 2)
