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

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from agent.echo.way import Way
from agent.outage.asked import Asked
from agent.outage.ordinary import Ordinary

LEAST_SPAN_S = 0.8
"""A shorter run of lost requests is loss, however many they were."""
FAILING_SPAN_S = 30.0
"""Resolvers repeat what failed for one name for some seconds (RFC 9520 §3.2): that is no failure of names."""

_HELD_TIMES, _HELD_S = 1.5, 0.3
_LETTING_GO_S = 0.1
_SURE, _FILTERED = 2, 4
"""So many answered, or lost, decide; a connection held back for a moment only was sent before the end."""


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
class _Unsure:
    """What to tell of a silence whose end was heard by another way only.

    Attributes:
        way: the one that was silent.
        if_heard: it is answered now, too: it was silent for as long as the link was.
        if_filtered: it is not.
    """

    way: Way
    if_heard: list[Step]
    if_filtered: list[Step]
    answered: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Run:
    """Requests lost in a row.

    Attributes:
        way: how those that count were asked.
        last_by_s: sending of the last lost, by each way.
    """

    opened: Bounds
    way: Way
    first_s: float
    last_s: float
    rtt_s: float
    lost: int = 1
    fails: bool = False
    places: set[str] = field(default_factory=set)
    last_by_s: dict[Way, float] = field(default_factory=dict)
    lost_beside: int = 0


class Silence:
    """Takes settled requests in sending order."""

    def __init__(self, ordinary: Ordinary) -> None:
        self._ordinary = ordinary
        self._good: Asked | None = None
        self._run: _Run | None = None
        self._unsure: _Unsure | None = None
        self._mended_s = -math.inf
        self.is_open = False
        self._moved_s: float | None = None

    @property
    def lost(self) -> int:
        """Requests lost in the run that goes on."""
        return self._run.lost if self._run else 0

    def settle(self, asked: Asked, rtt_s: float, places: AbstractSet[str], *, beside: int = 0) -> list[Step]:
        """Take in one request.

        Args:
            asked: the next in sending order.
            rtt_s: the usual round-trip time.
            places: each of these must have been silent.
            beside: so many asked by another way must have been lost as well before a silence that lasts is
                one.
        """
        if asked.has_helped and self._may_be_held(asked):
            return []
        if asked.has_helped:
            steps = self._sure(asked) + self._end(asked, places)
            self._good = asked
            self._ordinary.learn_answer()
            return steps
        if asked.at_s < self._mended_s:
            return []
        steps = self._sure(asked)
        run = self._lengthen(asked, rtt_s, places)
        if self.is_open or run.lost_beside < beside or not self._is_more_than_loss(run, places):
            return steps
        self.is_open = True
        return [*steps, Began(run.opened)]

    def _may_be_held(self, asked: Asked) -> bool:
        """Whether it ends no outage: beside those that count, and sent again until it was answered, maybe."""
        if self._run is None or not self.is_open or asked.way == self._run.way:
            return False
        return _took_long(asked, self._run.rtt_s)

    def lost_beside(self, asked: Asked) -> None:
        """One that was asked beside those that count got no answer."""
        if self._run is not None:
            self._run.last_by_s[asked.way] = asked.at_s
            self._run.lost_beside += 1

    def moved(self, from_s: float) -> None:
        """Something was received over the link after this moment, whatever became of the requests."""
        self._moved_s = from_s

    def answered_late(self, asked: Asked, rtt_s: float) -> list[Step]:
        """A request told lost was answered after all."""
        if self._run is None or asked.at_s < self._run.first_s:
            return []
        is_slow = asked.at_s <= self._run.first_s
        ended = Ended(self._closed(self._run.last_s, rtt_s, asked), self._run.lost, is_slow)
        steps: list[Step] = [ended] if self.is_open else []
        self._run, self.is_open, self._good = None, False, asked
        return steps

    def _lengthen(self, asked: Asked, rtt_s: float, places: AbstractSet[str]) -> _Run:
        run = self._run
        if run is None:
            run = self._run = _Run(self._opened(asked, rtt_s), asked.way, asked.at_s, asked.at_s, rtt_s)
        else:
            run.lost += 1
            # One that is mute by itself says nothing of the end.
            run.last_s = asked.at_s if asked.place in places else run.last_s
        run.places.add(asked.place)
        run.last_by_s[asked.way] = run.last_s
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
        if self.is_open or self._is_more_than_loss(run, places):
            began: list[Step] = [] if self.is_open else [Began(run.opened)]
            self.is_open = False
            return self._over(run, answered, began)
        # What one way loses while the other is answered may be a filter's work, not the link's.
        if not run.fails and answered.way == run.way:
            self._ordinary.learn_run(run.lost)
        return []

    def _over(self, run: _Run, answered: Asked, began: list[Step]) -> list[Step]:
        ended: list[Step] = [*began, Ended(self._closed(run.last_s, run.rtt_s, answered), run.lost)]
        if answered.way == run.way:
            return ended
        # A filter may have kept this way silent for longer than the link was.
        last_s = run.last_by_s.get(answered.way, run.first_s)
        filtered = Ended(self._closed(last_s, run.rtt_s, answered), run.lost)
        self._unsure = _Unsure(run.way, ended, [] if began else [filtered])
        return []

    def _closed(self, last_s: float, rtt_s: float, answered: Asked) -> Bounds:
        """When the silence ended, from the last lost and the first answer after it."""
        arrived_s = answered.at_s if answered.answered_s is None else answered.answered_s
        if not rtt_s:
            # Nothing was heard before, so nobody knows whether it was held back.
            return Bounds(last_s, arrived_s)
        if not _took_long(answered, rtt_s):
            return Bounds(last_s, answered.at_s + rtt_s / 2)
        # Those sent in the meantime and not held back are lost to the same silence.
        let_go_s = self._mended_s = arrived_s - rtt_s
        return Bounds(max(last_s, let_go_s - rtt_s / 2 - _LETTING_GO_S), let_go_s + rtt_s / 2)

    def _sure(self, asked: Asked) -> list[Step]:
        """What was not sure, as soon as it is."""
        unsure = self._unsure
        if unsure is None or not asked.counts:
            return []
        unsure.answered += asked.has_helped
        unsure.lost += not asked.has_helped
        is_given_up = asked.way != unsure.way
        if unsure.answered < _SURE and unsure.lost < _FILTERED and not is_given_up:
            return []
        self._unsure = None
        return unsure.if_heard if unsure.answered >= _SURE and not is_given_up else unsure.if_filtered

    def _is_more_than_loss(self, run: _Run, places: AbstractSet[str]) -> bool:
        least_s = FAILING_SPAN_S if run.fails else LEAST_SPAN_S
        return (
            run.lost >= self._ordinary.needed and run.last_s - run.first_s >= least_s and places <= run.places
        )


def _took_long(answered: Asked, rtt_s: float) -> bool:
    """Whether something may have held it back on the way."""
    if answered.answered_s is None:
        return False
    return answered.answered_s - answered.at_s > _HELD_TIMES * rtt_s + _HELD_S
