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
        if _is_too_near(outcome.rtt_ms) or await _is_answered(nobody, outcome):
            return dataclasses.replace(
                outcome, rtt_ms=None, first_syn_ms=None, late=False, reason=Reason.UNTRUE
            )
        return outcome
    finally:
        nobody.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await nobody


def _is_too_near(rtt_ms: float | None) -> bool:
    return rtt_ms is not None and FAR.is_too_near(rtt_ms / 1000, time.monotonic())


def doubted_s(rtt_s: float | None) -> float:
    """How long a connection that was accepted may yet turn out to be an impostor's."""
    return min(_MOST_WAIT_S, max(_LEAST_WAIT_S, rtt_s or 0.0))


async def _is_answered(nobody: asyncio.Future[Outcome], outcome: Outcome) -> bool:
    """Whether nobody accepts, too; where the host refused, whether nobody refuses."""
    rtt_s = None if outcome.rtt_ms is None else outcome.rtt_ms / 1000
    done, _ = await asyncio.wait([nobody], timeout=doubted_s(rtt_s))
    if not done or not nobody.result().answered:
        return False
    return outcome.refused or not nobody.result().refused
