# SPDX-License-Identifier: Apache-2.0
"""What does TCP say of the way to one reflector, as findings: each direction once, in one session?"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from dataclasses import dataclass

from agent.echo.problem import NoAnswer
from agent.probes.base import Finding, Reading
from agent.throughput import responsiveness
from agent.throughput.dialogue import Direction, Server, Session, open_session
from agent.throughput.outcome import Test
from agent.throughput.responsiveness import Loaded
from agent.throughput.surroundings import Seen, Surroundings
from agent.throughput.tcp import Plan, Transfer, transfer

log = logging.getLogger("agent.throughput.steady")

_SHARE_OF_RATE = 0.5
"""Of the bytes, when the link is to be kept full afterwards."""
_LONGEST_QUEUE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What to do, and how much it may cost.

    Attributes:
        name: what the server is called in the records.
        max_bytes: of each direction.
        max_s: longest search for the rate in one direction.
        load_s: longest time the link is kept full afterwards; 0 is not at all.
    """

    name: str
    directions: tuple[Direction, ...]
    streams: int
    congestion: str
    max_bytes: int
    max_s: float
    load_s: float = 0.0

    async def findings(self, server: Server) -> Reading:
        """One for each direction, with figures or a reason."""
        try:
            async with open_session(server, self.max_bytes * len(self.directions)) as session:
                return tuple([await self._direction(session, direction) for direction in self.directions])
        except NoAnswer as e:
            return tuple(self._test(direction, self.congestion).failed(e) for direction in self.directions)

    async def _direction(self, session: Session, direction: Direction) -> Finding:
        surroundings = Surroundings(str(session.server.address))
        try:
            before = session.said_bytes()
            found, loaded = await self._measured(session, direction, surroundings)
            said = [now - then for then, now in zip(before, session.said_bytes(), strict=True)]
        except NoAnswer as e:
            return self._test(direction, self.congestion).failed(e)
        said[direction == "up"] += found.payload_bytes + (loaded.payload_bytes if loaded else 0)
        seen = surroundings.until_now(received_bytes=said[0], sent_bytes=said[1])
        return _finding(self._test(direction, found.congestion), seen, found, loaded)

    def _test(self, direction: Direction, congestion: str) -> Test:
        return Test(direction=direction, server=self.name, method=f"tcp_{congestion}_{self.streams}")

    async def _measured(
        self, session: Session, direction: Direction, around: Surroundings
    ) -> tuple[Transfer, Loaded | None]:
        plan = Plan(
            direction=direction,
            streams=self.streams,
            max_bytes=round(self.max_bytes * (_SHARE_OF_RATE if self.load_s else 1.0)),
            max_s=self.max_s,
            congestion=self.congestion,
        )
        found = await transfer(session, plan, around)
        if not self.load_s or found.segment is None:
            return found, None
        under = dataclasses.replace(
            plan,
            max_bytes=self.max_bytes - found.load_bytes,
            max_s=self.load_s,
            congestion=responsiveness.CONGESTION,
        )
        try:
            mbps = found.mbps(found.segment.rate)
            loaded = await responsiveness.under_load(session, under, mbps, around)
        except NoAnswer as e:
            log.debug("steady.unloaded problem=%s", e)
            return found, None
        # What is still in the queue belongs to this direction and not to the next.
        await asyncio.sleep(min(_LONGEST_QUEUE_S, (loaded.rtt_ms or 0.0) / 1000))
        return found, loaded


def _finding(test: Test, seen: Seen, found: Transfer, loaded: Loaded | None) -> Finding:
    segment = found.segment
    return test.found(
        seen,
        found.doubts,
        mbps=None if segment is None else found.mbps(segment.rate),
        moved_bytes=found.load_bytes + (loaded.load_bytes if loaded else 0),
        mbps_low=found.interval_mbps[0],
        mbps_high=found.interval_mbps[1],
        duration_s=found.duration_s,
        streams=found.streams,
        rtt_idle_ms=found.rtt_idle_ms,
        rtt_loaded_ms=loaded and loaded.rtt_ms,
        rpm=loaded and loaded.rpm,
    )
