# SPDX-License-Identifier: Apache-2.0
"""Do round-trip times stay what they are while the wall clock is set, again and again, during a round?

The kernel's wall clock belongs to everything on the machine (no namespace has one of its own), so what is set
is the program's readings of it. For the program that is the same: the kernel's stamps and its own readings
differ by the step. ICMP, sockets and stamps are the kernel's.
"""

from __future__ import annotations

import itertools
import time

import pytest

from agent.echo import stamp
from agent.echo.address import parse
from agent.echo.ask import ask
from agent.echo.plan import evenly

pytestmark = pytest.mark.root

_COUNT = 40
STEPS_NS = {
    "never": [0],
    "now and then": [0] * 7 + [3600 * 10**9] * 7,
    "ever further ahead": [n * 10**9 for n in range(1000)],
    "ever further back": [-n * 10**7 for n in range(1000)],
}


@pytest.mark.parametrize("name", STEPS_NS)
async def test_round_trips_are_no_longer_and_none_is_lost_whatever_the_wall_clock_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves_ns, read, believed = itertools.cycle(STEPS_NS[name]), time.time_ns, []
    mono_of = stamp.mono_of

    def noted(stamp_ns: int, *, since: stamp.Instant, until: stamp.Instant) -> int | None:
        found = mono_of(stamp_ns, since=since, until=until)
        believed.append(found is not None)
        return found

    monkeypatch.setattr(stamp, "mono_of", noted)
    monkeypatch.setattr(time, "time_ns", lambda: read() + next(moves_ns))
    began_ns = time.monotonic_ns()
    answers = await ask(evenly([parse("127.0.0.1")], every_s=0.005, count=_COUNT), timeout_s=1000, tcp_port=1)
    took_ms = (time.monotonic_ns() - began_ns) / 1e6
    rtts_ms = [outcome.rtt_ms for outcome in answers.outcomes if outcome.rtt_ms is not None]
    print(f"{name}: at most {max(rtts_ms)} ms, {sum(believed)} of {len(believed)} stamps believed")

    assert answers.method == "icmp"
    assert len(rtts_ms) == _COUNT
    assert max(rtts_ms) <= took_ms
    assert any(believed) == (not name.startswith("ever"))
    assert name == "never" or not all(believed)
