# SPDX-License-Identifier: Apache-2.0
"""How is one round of a probe run so that whatever it does costs only itself?

Each round has a thread and an event loop of its own: a probe that blocks, spins in a system call or never
returns holds up neither the other probes nor the sending.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass
from typing import Any

from agent.contract.decoder import DecodeError, decode
from agent.contract.kinds import Fields, keys_of
from agent.contract.reason import Reason
from agent.contract.record import to_plain
from agent.probes.base import Finding, Probe, ProbeFailed, Reading

log = logging.getLogger("agent.round")

_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Failed:
    """A round that gave no reading at all."""

    reason: Reason
    detail: str


Outcome = Reading | Failed


class Round:
    """One run of `measure()` in its own thread."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._caller = asyncio.get_running_loop()
        self._done: asyncio.Future[Outcome | None] = self._caller.create_future()
        self._inner: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Outcome] | None = None
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name=f"probe-{probe.table}", daemon=True)

    def has_ended(self) -> bool:
        """Whether the probe has come back; a hanging one outlives its round."""
        return self._has_ended

    async def outcome(self) -> Outcome | None:
        """Run to the end or the deadline; None when it was cancelled, which is no measurement."""
        self._thread.start()
        deadline_s = self._probe.deadline_s
        try:
            async with asyncio.timeout(deadline_s + _GRACE_S):
                return await asyncio.shield(self._done)
        except TimeoutError:
            return Failed(Reason.OVERRAN, f"did not answer to being stopped after {deadline_s:g} s")
        except asyncio.CancelledError:
            self._cancel()
            raise

    def _cancel(self) -> None:
        inner, task = self._inner, self._task
        if inner is not None and task is not None and not inner.is_closed():
            inner.call_soon_threadsafe(task.cancel)

    def _run(self) -> None:
        result: Outcome | None = None
        try:
            result = asyncio.run(self._measure())
        except asyncio.CancelledError:
            log.debug("round.cancelled probe=%s", self._probe.table)
        finally:
            self._has_ended = True
            self._report(result)

    def _report(self, result: Outcome | None) -> None:
        def settle() -> None:
            if not self._done.done():
                self._done.set_result(result)

        if not self._caller.is_closed():
            self._caller.call_soon_threadsafe(settle)

    async def _measure(self) -> Outcome:
        self._inner = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        deadline_s = self._probe.deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                return tuple(_checked(f) for f in await self._probe.measure())
        except ProbeFailed as e:
            return Failed(e.reason, e.detail)
        except TimeoutError:
            return Failed(Reason.OVERRAN, f"took longer than {deadline_s:g} s")
        except Exception as e:
            log.exception("round.failed probe=%s", self._probe.table)
            return Failed(Reason.INTERNAL, f"{type(e).__name__}: {e}"[:200])


def _checked(finding: Finding) -> Finding:
    """The sender is strict: what the receiver would refuse becomes a failure here."""
    try:
        decode(type(finding.fields), to_plain(finding.fields))
    except DecodeError as e:
        kind: Any = type(finding.fields)
        bare: Fields = kind(**keys_of(finding.fields))
        return Finding(bare, Reason.INTERNAL, f"a figure out of range: {e}"[:200])
    return finding
