# SPDX-License-Identifier: Apache-2.0
"""Does a host far away accept a connection itself, or somebody near in its name?

Where echo requests get no answer, a connection may. But accelerators of satellite terminals (RFC 3135 §4.1.2)
and captive portals accept connections for every address, whether the link lives or not. So beside each
knock at a host another goes to an address that belongs to nobody (RFC 5737, RFC 3849): what is accepted there
proves that acceptance proves nothing. Costs 60 bytes a knock beside the connection's 220.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket

from agent.contract.reason import Reason
from agent.echo import connect
from agent.echo.address import Address
from agent.echo.ledger import Outcome

NOBODY = {
    socket.AF_INET: Address(socket.AF_INET, "203.0.113.113"),
    socket.AF_INET6: Address(socket.AF_INET6, "2001:db8:0:dead::1"),
}
"""Addresses for documentation only: nothing routes them."""

_LEAST_WAIT_S = 0.3
_LONGER = 2
"""An impostor is heard of nobody as soon as of a host; to be sure it is given so many times as long."""


async def knock(address: Address, *, port: int, timeout_s: float) -> Outcome:
    """Open one connection and close it at once.

    Returns:
        What became of it; one that nobody's address accepts as well was not answered, for `untrue`.
    """
    nobody = asyncio.ensure_future(connect.connect(NOBODY[address.family], timeout_s=timeout_s, port=port))
    try:
        outcome = await connect.connect(address, timeout_s=timeout_s, port=port)
        if outcome.answered and not outcome.refused and await _is_accepted(nobody, outcome.rtt_ms):
            return dataclasses.replace(outcome, rtt_ms=None, late=False, reason=Reason.UNTRUE)
        return outcome
    finally:
        nobody.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await nobody


async def _is_accepted(nobody: asyncio.Future[Outcome], rtt_ms: float | None) -> bool:
    wait_s = max(_LEAST_WAIT_S, _LONGER * (rtt_ms or 0.0) / 1000)
    done, _ = await asyncio.wait([nobody], timeout=wait_s)
    return bool(done) and nobody.result().answered and not nobody.result().refused
