# SPDX-License-Identifier: Apache-2.0
"""One request to a part of the way, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.echo.way import Way


@dataclass(slots=True)
class Asked:
    """One request.

    Attributes:
        way: how it was asked.
        counts: whether its loss speaks for the whole voice: not at a place known to be mute, nor by a way
            that is asked only beside the calm one.
        is_void: what came says nothing: somebody near accepts connections in everybody's name.
        is_held: something held it back, as a router that looks for a dead neighbour does, or it was sent
            again: the way was dead when it was sent.
        fails: the answer says that nobody is helped: its sender lives, but what it is there for does not.
        is_lost: it was settled without an answer that helps; one may still come.
    """

    number: int
    place: str
    at_s: float
    way: Way = "echo"
    counts: bool = True
    answered_s: float | None = None
    fails: bool = False
    is_void: bool = False
    is_held: bool = False
    is_lost: bool = False

    @property
    def has_helped(self) -> bool:
        """Whether it was answered as it should be."""
        return self.answered_s is not None and not self.fails

    @property
    def is_told(self) -> bool:
        """Whether there is no more to wait for."""
        return self.answered_s is not None or self.is_void or self.is_held
