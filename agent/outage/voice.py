# SPDX-License-Identifier: Apache-2.0
"""What was asked of one part of the way (the anchors, the gateway, the resolvers …), and what was answered?

Times are seconds of the monotonic clock and are given, never read. A request is settled in the order of
sending: when it was answered, or when the time-out has passed and all before it are settled. Whether one is
overdue, which is only a reason to ask more, is known sooner (RFC 6298 §2, with a floor).
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from agent.echo.way import Way
from agent.outage.asked import Asked
from agent.outage.held import LongAnswers

_KEPT = 1024
_TRAIL = 512
"""An outage of days makes it no longer: more than this is never needed to be sure."""

_FIRST_OVERDUE_S = 1.0
_LEAST_OVERDUE_S = 0.2
_LONGEST_TIMEOUT_S = 15.0
_GRAIN_S = 0.02
_HELD_TIMES, _HELD_S = 1.5, 0.3
_TOGETHER_S = 0.1
_SMOOTH, _SMOOTH_VARIATION, _VARIATIONS = 1 / 8, 1 / 4, 4


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests of a stretch of time."""

    asked: int
    answered: int

    def __str__(self) -> str:
        return f"{self.answered}/{self.asked}"


@dataclass(frozen=True, slots=True)
class _Long:
    """An answer that took long; whether it came together with another such."""

    rtt_s: float
    at_s: float
    is_together: bool


class Voice:
    """The requests to one part of the way, in sending order."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._open: deque[Asked] = deque()
        self._kept: dict[int, Asked] = {}
        self._trail: deque[Asked] = deque(maxlen=_TRAIL)
        self._variation_s: float | None = None
        self._long: _Long | None = None
        self._long_answers = LongAnswers()
        self.rtt_s: float | None = None
        self.asked_s: float | None = None
        self.answered_s: float | None = None

    @property
    def overdue_after_s(self) -> float:
        """An answer that takes longer is a reason to ask more."""
        if self.rtt_s is None or self._variation_s is None:
            return min(_FIRST_OVERDUE_S, self._timeout_s)
        wait_s = self.rtt_s + max(_GRAIN_S, _VARIATIONS * self._variation_s)
        return min(self.timeout_s, max(_LEAST_OVERDUE_S, wait_s))

    @property
    def timeout_s(self) -> float:
        """An answer that takes longer does not count; grows with a round-trip time that does."""
        return min(_LONGEST_TIMEOUT_S, max(self._timeout_s, 2 * (self.rtt_s or 0)))

    def ask(self, number: int, place: str, at_s: float, *, way: Way = "echo", counts: bool = True) -> None:
        """A request leaves now."""
        made = Asked(number, place, at_s, way, counts)
        self._open.append(made)
        if counts:
            self.asked_s = at_s
            self._trail.append(made)
        self._kept[number] = made
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def answer(self, number: int, at_s: float, *, fails: bool = False) -> Asked | None:
        """An answer came; None for one that says nothing new."""
        made = self._kept.get(number)
        if made is None or made.is_told or at_s < made.at_s:
            return None
        if not made.is_lost and self._is_long(at_s - made.at_s):
            is_doubted = made.way == "connection"
            self._long_answers.take(made, at_s, is_doubted=is_doubted)
            if is_doubted:
                return None
        self._believe(made, at_s, fails=fails)
        return made

    def _believe(self, made: Asked, at_s: float, *, fails: bool = False) -> None:
        made.answered_s, made.fails = at_s, fails
        self.answered_s = max(at_s, self.answered_s or at_s)
        self._weigh(at_s - made.at_s, at_s)
        while not fails and self._trail and self._trail[0].at_s <= made.at_s:
            self._trail.popleft()

    def void(self, number: int) -> None:
        """What became of this one says nothing."""
        made = self._kept.get(number)
        if made is None or made.is_told:
            return
        made.is_void = True
        if made in self._trail:
            self._trail.remove(made)

    def _is_long(self, took_s: float) -> bool:
        """Whether an answer took so much longer than usual that it may have been held back on the way."""
        return self.rtt_s is not None and took_s > _HELD_TIMES * self.rtt_s + _HELD_S

    def settled(self, now_s: float) -> Iterator[Asked]:
        """Those settled since the last call."""
        for made, at_s, is_held in self._long_answers.judged(now_s):
            if is_held:
                made.is_held = True
            elif not made.is_told and not made.is_lost:
                self._believe(made, at_s)
        while self._open:
            first = self._open[0]
            if not first.is_told and now_s < self._given_up_s(first):
                return
            self._open.popleft()
            first.is_lost = not first.has_helped and not first.is_void
            yield first

    def settles_s(self) -> float | None:
        """When the next one will be settled if no answer comes."""
        judged_s = self._long_answers.due_s()
        times = [] if judged_s is None else [judged_s]
        times += [self._given_up_s(self._open[0])] if self._open else []
        return min(times, default=None)

    def _given_up_s(self, made: Asked) -> float:
        """When it is lost; one that came in time is not while it is judged."""
        return math.inf if self._long_answers.is_judging(made) else made.at_s + self.timeout_s

    @property
    def trail(self) -> deque[Asked]:
        """Requests behind the last answered one, none of them answered so that it helps."""
        return self._trail

    @property
    def is_failing(self) -> bool:
        """Whether answers come that help nobody."""
        return any(made.fails for made in self._trail)

    def overdue(self, now_s: float) -> int:
        """How many of the trail are."""
        return len(self._trail) - len(self._young(now_s))

    def next_overdue_s(self, now_s: float) -> float | None:
        """When the next of the trail will be; None where all of them are."""
        young = self._young(now_s)
        return young[-1].at_s + self.overdue_after_s if young else None

    def _young(self, now_s: float) -> list[Asked]:
        """Those of the trail that are not overdue yet, the youngest first; it may be long, they are few."""
        old_s = now_s - self.overdue_after_s
        return list(itertools.takewhile(lambda made: made.at_s > old_s, reversed(self._trail)))

    def tally(self, from_s: float, until_s: float, now_s: float, *, places: AbstractSet[str]) -> Tally:
        """Requests sent to these in this stretch, without those whose answer may well be under way."""
        wait_s = self.overdue_after_s
        sent = [a for a in self._kept.values() if from_s <= a.at_s <= until_s and a.place in places]
        told = [a for a in sent if a.answered_s is not None or now_s - a.at_s >= wait_s]
        return Tally(len(told), sum(a.answered_s is not None for a in told))

    def longest_gap_s(self, from_s: float, until_s: float) -> float:
        """Longest time without an answer in this stretch; 0 where each request was answered."""
        sent = [a for a in self._kept.values() if from_s <= a.at_s < until_s]
        if all(a.answered_s is not None for a in sent):
            return 0.0
        heard_s = [from_s, *(a.at_s for a in sent if a.answered_s is not None), until_s]
        return max(b - a for a, b in itertools.pairwise(heard_s))

    def history(self) -> list[Asked]:
        """The last thousand requests, in sending order."""
        return list(self._kept.values())

    @property
    def places(self) -> frozenset[str]:
        """Whom they went to."""
        return frozenset(a.place for a in self._kept.values())

    def forget(self) -> None:
        """What is under way will not be answered: whom it went to is no longer asked."""
        self._open.clear()
        self._trail.clear()
        self._kept.clear()
        self.rtt_s = self._variation_s = self.answered_s = self.asked_s = None

    def _weigh(self, rtt_s: float, at_s: float) -> None:
        """Learn a round-trip time, but not those of requests that were held back and let go together."""
        before, self._long = self._long, None
        is_together = before is not None and at_s - before.at_s < _TOGETHER_S
        if before is not None and not is_together and not before.is_together:
            self._learn(before.rtt_s)
        if self._is_long(rtt_s):
            self._long = _Long(rtt_s, at_s, is_together)
        else:
            self._learn(rtt_s)

    def _learn(self, rtt_s: float) -> None:
        if self.rtt_s is None or self._variation_s is None:
            self.rtt_s, self._variation_s = rtt_s, rtt_s / 2
            return
        deviation_s = abs(self.rtt_s - rtt_s)
        self._variation_s += _SMOOTH_VARIATION * (deviation_s - self._variation_s)
        self.rtt_s += _SMOOTH * (rtt_s - self.rtt_s)
