# SPDX-License-Identifier: Apache-2.0
"""How does the agent have a child find out something, and be rid of it in time?"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence

from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer, reason_of
from agent.trace.told import MAX_BYTES, Order, Told, read_told, write

COMMAND = (sys.executable, "-m", "agent.trace")
GRACE_S = 5.0
"""For starting Python and importing scapy on a slow board, beside the child's own budget."""


async def find_out(order: Order, command: Sequence[str] = COMMAND) -> Told:
    """Have it found out; the child is gone afterwards, whatever happens.

    Raises:
        NoAnswer: it could not ask, or said nothing that can be understood.
    """
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=null, limit=MAX_BYTES
        )
    except OSError as e:
        raise NoAnswer(reason_of(e), f"no child could be started: {e}") from e
    try:
        async with asyncio.timeout(order.budget_s + GRACE_S):
            said, _ = await child.communicate(write(order))
    except TimeoutError as e:
        raise NoAnswer(Reason.OVERRAN, "the child did not end in time") from e
    finally:
        await _end(child)
    try:
        told = read_told(said)
    except ValueError as e:
        detail = f"the child ended with {child.returncode} and said nothing that is understood"
        raise NoAnswer(Reason.INTERNAL, detail) from e
    if told.failed is not None:
        raise NoAnswer(_reason(told.failed), told.detail or "")
    return told


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _reason(word: str) -> Reason:
    try:
        return Reason(word)
    except ValueError:
        return Reason.INTERNAL
