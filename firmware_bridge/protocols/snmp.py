# SPDX-License-Identifier: Apache-2.0
"""What is asked of an SNMP agent, in which portions, and which of its answers are believed? (RFC 3416)

Nothing here opens a socket: a link (`links/snmp.py`, or a recording in tests) carries one request and brings
its answer or says that there was none. Only GET, GETNEXT and GETBULK exist in this house.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from agent.contract.reason import Reason
from firmware_bridge.reading import DeviceFailed, Unanswered

Oid = tuple[int, ...]
Value = int | bytes | Oid
"""Integers, counters and ticks; octets; an object's name. An IP address is four octets."""

SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
_MOST_AT_ONCE = 20
_ROWS_AT_ONCE = 25
MOST_ROWS = 2000

_NO_SUCH_NAME, _TOO_BIG, _AUTHORIZATION = 2, 1, 16


def oid(dotted: str) -> Oid:
    """From the usual notation."""
    return tuple(int(part) for part in dotted.strip(".").split("."))


def dotted(name: Oid) -> str:
    """The usual notation."""
    return ".".join(map(str, name))


def is_below(name: Oid, root: Oid) -> bool:
    """Whether an object is in a subtree."""
    return name[: len(root)] == root


@dataclass(frozen=True, slots=True)
class Answer:
    """One response.

    Attributes:
        rows: names and values in the order of the response; None where the agent has no such object.
        error_status: of RFC 3416, 0 for none.
        error_index: the row that it speaks of, from 1; 0 for none.
    """

    rows: tuple[tuple[Oid, Value | None], ...]
    error_status: int = 0
    error_index: int = 0


class SnmpLink(Protocol):
    """What carries requests to one agent."""

    def get(self, names: Sequence[Oid]) -> Answer:
        """GET.

        Raises:
            Unanswered: no answer that could be read, after its retries.
            DeviceFailed: the agent cannot be asked at all.
        """
        ...

    def following(self, name: Oid, most: int) -> Answer:
        """GETBULK of at most so many rows, or GETNEXT where the version has no other.

        Raises:
            Unanswered: no answer that could be read, after its retries.
            DeviceFailed: the agent cannot be asked at all.
        """
        ...


class SnmpReader:
    """Asks one agent until a deadline.

    Args:
        link: to the agent.
        device: its name in errors.
        within_s: no request is begun after that.
        unanswered: objects that kept the agent from answering before; they are not asked for, and those that
            do so now are added.
    """

    def __init__(
        self, link: SnmpLink, device: str, *, within_s: float, unanswered: set[Oid] | None = None
    ) -> None:
        self._link = link
        self._device = device
        self._until_s = time.monotonic() + within_s
        self._unanswered = set() if unanswered is None else unanswered
        self._has_answered = False
        self.seen: dict[Oid, Value] = {}
        """All that was asked for and told, by name."""

    def get(self, names: Sequence[Oid]) -> dict[Oid, Value]:
        """The values that the agent has, by name; what was not asked is not believed.

        Raises:
            DeviceFailed: the agent is gone, refuses, or answers something else.
        """
        found: dict[Oid, Value] = {}
        wanted = [name for name in dict.fromkeys(names) if name not in self._unanswered]
        for start in range(0, len(wanted), _MOST_AT_ONCE):
            portion = self._portion(wanted[start : start + _MOST_AT_ONCE])
            found |= {name: value for name, value in portion if value is not None}
        self.seen |= found
        return found

    def first_below(self, root: Oid) -> tuple[Oid, Value] | None:
        """The first object of a subtree; None where it is empty.

        Raises:
            DeviceFailed: as `get`.
        """
        rows = self._following(root, 1)
        name, value = rows[0] if rows else ((), None)
        if value is None or not is_below(name, root):
            return None
        self.seen[name] = value
        return name, value

    def walk(self, column: Oid, most: int = MOST_ROWS, *, spare: int = 0) -> dict[Oid, Value]:
        """A column of a table by index.

        Args:
            column: its name.
            most: rows; more are not believed.
            spare: columns next to it that hold nothing private. A request for many rows brings some of what
                follows the last one; it never brings more than these hold.

        Raises:
            DeviceFailed: as `get`; also names that do not grow, and more than `most` rows.
        """
        found: dict[Oid, Value] = {}
        at, count = column, 0
        while True:
            rows = self._following(at, min(_ROWS_AT_ONCE, max(1, spare * count)))
            for name, value in rows:
                if not is_below(name, column) or (value is None and name <= at):
                    self.seen |= {column + index: told for index, told in found.items()}
                    return found
                if name <= at:
                    self._fail(f"answers {dotted(name)} as what follows {dotted(at)}: it goes in circles")
                at, count = name, count + 1
                if count > most:
                    self._fail(f"has more than {most} rows below {dotted(column)}")
                if value is not None:
                    found[name[len(column) :]] = value
            if not rows:
                return found

    def _portion(self, names: list[Oid]) -> Iterator[tuple[Oid, Value | None]]:
        """Halved where it is too much; asked for one by one where something silences the agent."""
        if not names:
            return
        try:
            answer = self._ask(names)
        except Unanswered:
            self._assert_alive(names)
            yield from self._singly(names)
            return
        if answer.error_status == 0:
            yield from self._asked_for(names, answer)
        elif (absent := _absent(names, answer)) is not None:
            yield from self._portion([name for name in names if name != absent])
        elif len(names) == 1:
            self._unanswered.add(names[0])
        else:
            middle = len(names) // 2
            yield from self._portion(names[:middle])
            yield from self._portion(names[middle:])

    def _singly(self, names: list[Oid]) -> Iterator[tuple[Oid, Value | None]]:
        if len(names) == 1:
            self._unanswered.add(names[0])
            return
        for name in names:
            yield from self._portion([name])

    def _asked_for(self, names: Sequence[Oid], answer: Answer) -> Iterator[tuple[Oid, Value | None]]:
        asked = set(names)
        believed = [(name, value) for name, value in answer.rows if name in asked]
        if not believed:
            told = dotted(answer.rows[0][0]) if answer.rows else "nothing"
            self._fail(f"answers {told} to a question for {dotted(names[0])}")
        yield from believed

    def _assert_alive(self, names: Sequence[Oid]) -> None:
        """Tell an agent that is gone from one that a single object makes mute."""
        if list(names) == [SYS_UPTIME]:
            raise self._silent()
        self._ask([SYS_UPTIME])

    def _ask(self, names: Sequence[Oid]) -> Answer:
        self._assert_in_time()
        return self._allowed(self._link.get(names))

    def _following(self, name: Oid, most: int) -> tuple[tuple[Oid, Value | None], ...]:
        """Fewer rows where many do not fit; none at the end of version 1's view."""
        while True:
            self._assert_in_time()
            try:
                answer = self._allowed(self._link.following(name, most))
            except Unanswered:
                if most == 1:
                    raise
                answer = Answer((), _TOO_BIG)
            if answer.error_status == _NO_SUCH_NAME:
                return ()
            if answer.error_status == 0 and answer.rows:
                return answer.rows
            if most == 1:
                error = answer.error_status or "nothing"
                self._fail(f"answers with error {error} when asked what follows {dotted(name)}")
            most = most // 5 or 1

    def _silent(self) -> Unanswered:
        return Unanswered(self._device, Reason.TIMEOUT, "no answer; is SNMP on, for this address and name?")

    def _allowed(self, answer: Answer) -> Answer:
        self._has_answered = True
        if answer.error_status == _AUTHORIZATION:
            raise DeviceFailed(self._device, Reason.NOT_PERMITTED, "its access rules do not let us read")
        return answer

    def _assert_in_time(self) -> None:
        if time.monotonic() >= self._until_s:
            if not self._has_answered:
                raise self._silent()
            raise DeviceFailed(self._device, Reason.OVERRAN, "answers too slowly to be read in time")

    def _fail(self, detail: str) -> NoReturn:
        raise DeviceFailed(self._device, Reason.BAD_ANSWER, detail)


def _absent(names: Sequence[Oid], answer: Answer) -> Oid | None:
    """The object for which an agent of version 1 refuses the whole request."""
    is_told = answer.error_status == _NO_SUCH_NAME and 1 <= answer.error_index <= len(names)
    return names[answer.error_index - 1] if is_told else None
