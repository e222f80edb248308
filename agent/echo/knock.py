# SPDX-License-Identifier: Apache-2.0
"""Does a host far away accept a connection itself, or somebody near in its name?

Where echo requests get no answer, a connection may. But accelerators of satellite terminals (RFC 3135 §4.1.2)
and captive portals accept connections for every address, whether the link lives or not. So beside each
knock at a host another goes to an address that belongs to nobody (RFC 5737, RFC 3849): what is accepted there
proves that acceptance proves nothing, and what is refused there as well, that refusal does not. A filter may
hide nobody's address from the accelerator: where echoes were answered before, a handshake much shorter than
theirs is not believed either. Costs 60 bytes a knock beside the connection's 220.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import time

from agent.contract.reason import Reason
from agent.echo import connect
from agent.echo.address import Address
from agent.echo.ledger import Outcome
from agent.echo.way import FAR

NOBODY = {
    socket.AF_INET: Address(socket.AF_INET, "203.0.113.113"),
    socket.AF_INET6: Address(socket.AF_INET6, "2001:db8:0:dead::1"),
}
"""Addresses for documentation only: nothing routes them."""

_LEAST_WAIT_S, _MOST_WAIT_S = 0.3, 1.0
"""An impostor is heard of nobody as soon as of a host; to be sure it is given as long again, within these."""
_BELIEVED_S, _CHECKED_EVERY_S = 180.0, 60.0


async def knock(address: Address, *, port: int, timeout_s: float) -> Outcome:
    """Open one connection and close it at once.

    Returns:
        What became of it; one that an impostor accepted or refused was not answered, for `untrue`. A refusal
        that is left is the host's own word.
    """
    nobody = asyncio.ensure_future(connect.connect(NOBODY[address.family], timeout_s=timeout_s, port=port))
    try:
        outcome = await connect.connect(address, timeout_s=timeout_s, port=port)
        if not outcome.answered:
            return outcome
        is_nobodys = not _is_too_near(outcome) and await _is_answered(nobody, outcome)
        return _untrue(outcome) if is_nobodys else _judged(outcome)
    finally:
        nobody.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await nobody


class Knocker:
    """Knocks again and again; nobody is asked each minute only, and not waited for.

    A connection is so told as soon as it is made, once the first has shown that nobody accepts any.
    """

    def __init__(self) -> None:
        self._known: dict[socket.AddressFamily, _Nobody] = {}
        self._checks: dict[socket.AddressFamily, asyncio.Task[None]] = {}

    async def knock(self, address: Address, *, port: int, timeout_s: float) -> Outcome:
        """Open one connection and close it at once; returns what the function of that name does."""
        known = self._known.get(address.family)
        if known is not None and known.age_s < _BELIEVED_S:
            self._check_soon(address.family, known, port, timeout_s)
            outcome = _judged(await connect.connect(address, timeout_s=timeout_s, port=port))
            if not known.may_have_given(outcome):
                return outcome
        outcome = await knock(address, port=port, timeout_s=timeout_s)
        if outcome.answered:
            self._known[address.family] = _Nobody(time.monotonic(), may_refuse=not outcome.refused)
        return outcome

    async def close(self) -> None:
        """Stop asking nobody."""
        for check in self._checks.values():
            check.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)

    def _check_soon(self, family: socket.AddressFamily, known: _Nobody, port: int, timeout_s: float) -> None:
        is_under_way = family in self._checks and not self._checks[family].done()
        if known.age_s >= _CHECKED_EVERY_S and not is_under_way:
            check = self._check(family, port, timeout_s)
            self._checks[family] = asyncio.create_task(check, name="knock at nobody")

    async def _check(self, family: socket.AddressFamily, port: int, timeout_s: float) -> None:
        nobody = await connect.connect(NOBODY[family], timeout_s=timeout_s, port=port)
        if nobody.answered and not nobody.refused:
            self._known.pop(family, None)
        else:
            self._known[family] = _Nobody(time.monotonic(), may_refuse=nobody.answered)


@dataclasses.dataclass(frozen=True, slots=True)
class _Nobody:
    """When nobody was last seen to accept no connection; whether he may refuse them."""

    seen_s: float
    may_refuse: bool

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.seen_s

    def may_have_given(self, outcome: Outcome) -> bool:
        """Whether an answer may be one that nobody would have given, too."""
        return outcome.refused and self.may_refuse


def _judged(outcome: Outcome) -> Outcome:
    """It, or that it cannot have come from so far."""
    return _untrue(outcome) if _is_too_near(outcome) else outcome


def _untrue(outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, rtt_ms=None, first_syn_ms=None, late=False, reason=Reason.UNTRUE)


def _is_too_near(outcome: Outcome) -> bool:
    return outcome.rtt_ms is not None and FAR.is_too_near(outcome.rtt_ms / 1000, time.monotonic())


def _doubted_s(rtt_s: float | None) -> float:
    """How long a connection that was accepted may yet turn out to be an impostor's."""
    return min(_MOST_WAIT_S, max(_LEAST_WAIT_S, rtt_s or 0.0))


async def _is_answered(nobody: asyncio.Future[Outcome], outcome: Outcome) -> bool:
    """Whether nobody accepts, too; where the host refused, whether nobody refuses."""
    rtt_s = None if outcome.rtt_ms is None else outcome.rtt_ms / 1000
    done, _ = await asyncio.wait([nobody], timeout=_doubted_s(rtt_s))
    if not done or not nobody.result().answered:
        return False
    return outcome.refused or not nobody.result().refused
