# SPDX-License-Identifier: Apache-2.0
"""What else than answers says that the link lives or whose part of it is dead?

One small interface for everything that costs no bytes of the link: the host's cable and route, and what
modems and other devices say of themselves (`agent/outage/board.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Modem = Literal["account", "sim", "absent", "denied", "offline", "connected"]
_BY_GRAVITY: tuple[Modem, ...] = get_args(Modem)
"""What explains most comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one look showed; None is not known.

    Attributes:
        carrier: the interface of the default route sees a signal.
        route: there is a default route.
        received: packets that ever came over the link itself, not over the LAN; moving means alive.
        modem: what the modem or terminal says of itself: not there, without a usable SIM, without a network,
            refused by it, without data left, or connected.
        power: what has its own supply says that the mains are lost, or that its output is switched off.
        portal: somebody on the way answers in the name of others and wants money or a password.
    """

    carrier: bool | None = None
    route: bool | None = None
    received: int | None = None
    modem: Modem | None = None
    power: Literal["lost"] | None = None
    portal: bool | None = None


class Evidence(Protocol):
    """One source; `look` must return at once and never raise."""

    def look(self) -> Sight:
        """What is to be seen now."""
        ...


def gravest(said: Iterable[Modem | None]) -> Modem | None:
    """What explains most of what several say."""
    known = set(said)
    return next((modem for modem in _BY_GRAVITY if modem in known), None)


def together(sights: list[Sight]) -> Sight:
    """All that several sources know; the first that knows something is believed.

    But modems and terminals of several kinds lie one behind the other, so the worst word holds.
    """
    names = ("carrier", "route", "received", "power", "portal")
    known = {n: next((v for s in sights if (v := getattr(s, n)) is not None), None) for n in names}
    return Sight(modem=gravest(s.modem for s in sights), **known)
