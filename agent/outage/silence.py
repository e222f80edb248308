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

from agent.echo.way import Way
from agent.outage.ordinary import LEAST, Ordinary
from agent.outage.voice import Asked

LEAST_SPAN_S = 0.8
"""A shorter run of lost requests is loss, however many they were."""
FAILING_SPAN_S = 30.0
"""Resolvers repeat what failed for one name for some seconds (RFC 9520 §3.2): that is no failure of names."""

Places = AbstractSet[tuple[Way, str]]
"""Hosts, each with the way it is asked by."""

_RATIONS = 4
"""A silence of connections that is so many times as long as a ration is an outage, however lossy the link."""

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
    first_by_s: dict[Way, float] = field(default_factory=dict)
    last_at_s: dict[tuple[Way, str], float] = field(default_factory=dict)

    def spans_s(self, way: Way) -> float:
        """From the first to the last one lost that was sent by this way; 0 for none."""
        first_s = self.first_by_s.get(way, 0.0)
        return max((at_s for (by, _), at_s in self.last_at_s.items() if by == way), default=first_s) - first_s

    def until_s(self, way: Way, places: Places) -> float:
        """Sending of the last one lost by this way at a place that is not silent by itself."""
        by_way = {where: at_s for where, at_s in self.last_at_s.items() if where[0] == way}
        heard = [at_s for where, at_s in by_way.items() if where in places]
        return max(heard or by_way.values() or [self.last_s])


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

    def settle(self, asked: Asked, rtt_s: float, places: Places, *, connections_s: float = 0.0) -> list[Step]:
        """Take in one request.

        Args:
            asked: the next in sending order.
            rtt_s: the usual round-trip time.
            places: each of these must have been silent when asked this way, or it may be a filter.
            connections_s: so long must connections have been silent, or it may be a ration.
        """
        if asked.has_helped:
            steps = self._end(asked, places, connections_s)
            self._good = asked
            self._ordinary.learn_answer()
            return steps
        run = self._lengthen(asked, rtt_s)
        if self.is_open or not self._is_more_than_loss(run, places, connections_s):
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
            if self._good is not None and asked.way == self._good.way and asked.way not in run.first_by_s:
                # Those lost before it went another way than the last that was answered: a filter on theirs?
                run.opened = self._opened(asked, rtt_s)
        run.first_by_s.setdefault(asked.way, asked.at_s)
        run.last_at_s[asked.way, asked.place] = asked.at_s
        run.fails |= asked.fails
        return run

    def _opened(self, first: Asked, rtt_s: float) -> Bounds:
        latest_s = first.at_s + rtt_s
        if self._good is None:
            return Bounds(None, latest_s)
        opened = Bounds(min(self._good.at_s + rtt_s / 2, latest_s), latest_s)
        return opened if self._moved_s is None else opened.within(self._moved_s, latest_s)

    def _end(self, answered: Asked, places: Places, connections_s: float) -> list[Step]:
        run, self._run = self._run, None
        if run is None:
            return []
        closed = _closed(run, answered, places)
        if self.is_open:
            self.is_open = False
            return [Ended(closed, run.lost)]
        if self._is_more_than_loss(run, places, connections_s):
            return [Began(run.opened), Ended(closed, run.lost)]
        # What one way loses while the other is answered is a filter on the way, not the link's loss.
        if not run.fails and answered.way in run.first_by_s:
            self._ordinary.learn_run(run.lost)
        return []

    def _is_more_than_loss(self, run: _Run, places: Places, connections_s: float) -> bool:
        least_s = FAILING_SPAN_S if run.fails else LEAST_SPAN_S
        # Where they are rationed, runs in doubts tell how they were asked, not what the link loses.
        is_long = connections_s > 0 and run.spans_s("connection") >= _RATIONS * connections_s
        return (
            (run.lost >= LEAST if is_long else run.lost >= self._ordinary.needed)
            and run.last_s - run.first_s >= least_s
            and places <= run.last_at_s.keys()
            and run.spans_s("connection") >= connections_s
        )


def _closed(run: _Run, answered: Asked, places: Places) -> Bounds:
    """When the silence ended, from the first answer after it."""
    rtt_s = run.rtt_s
    # A filter on the other way, or a dead host, may have kept silent for longer than the link was.
    last_s = run.until_s(answered.way, places)
    arrived_s = answered.at_s if answered.answered_s is None else answered.answered_s
    if arrived_s - answered.at_s <= _HELD_TIMES * rtt_s + _HELD_S:
        return Bounds(last_s, answered.at_s + rtt_s / 2)
    let_go_s = arrived_s - rtt_s
    return Bounds(max(last_s, let_go_s - rtt_s / 2 - _LETTING_GO_S), let_go_s + rtt_s / 2)
