# SPDX-License-Identifier: Apache-2.0
"""Is everything that was made stored, once and equal, or counted as dropped?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from agent.contract.kinds import Event
from collector.sinks.reader import StoreReader
from collector.sinks.stored import Stored
from tests.system.trio import Trio, wait_until
from tests.system.witness import digest

Identity = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Made on one side, stored and dropped on the other."""

    made: int
    stored: int
    dropped: int
    signed: int = 0
    chained: int = 0

    def __str__(self) -> str:
        proven = f"{self.signed} batches signed, {self.chained} in their chains"
        return f"made {self.made} = stored {self.stored} + dropped {self.dropped}; {proven}"


def made(trio: Trio) -> dict[Identity, str]:
    """Content of every record that the spool took."""
    return {(session, int(seq)): content for session, seq, _, content in trio.noted("made")}


def settle(trio: Trio, within_s: float = 60) -> None:
    """Stop measuring and let all arrive.

    An agent notes what it learnt of its clock when asked to stop, and sends that after its next start. So the
    one without probes is killed, and started again where it made something just before.
    """
    assert trio.stop("agent") == 0
    silence(trio)
    for _ in range(5):
        _start(trio)
        wait_until(lambda: _is_settled(trio), within_s, "everything made is stored or counted as dropped")
        trio.kill("agent")
        if _is_settled(trio):
            return
    pytest.fail("the agent without probes goes on making records")


def silence(trio: Trio) -> None:
    """From its next start on the agent measures nothing."""
    config = trio.directory / "agent.toml"
    config.write_text(config.read_text().replace("enabled = true", "enabled = false"))


def _start(trio: Trio) -> None:
    before = len(trio.noted("made"))
    trio.start("agent")
    wait_until(lambda: len(trio.noted("made")) > before, 20, "the agent has started")


def compare(trio: Trio) -> Balance:
    """Made = stored + counted drops, each record once and equal."""
    oracle, stored = made(trio), trio.stored()
    times = Counter((r.session, r.seq) for r in stored)
    assert set(times.values()) == {1}
    assert {(r.session, r.seq): digest(r.record) for r in stored} == {
        identity: content for identity, content in oracle.items() if identity in times
    }
    missing, drops = set(oracle) - set(times), _drops(stored)
    assert all(any(_covers(drop, identity) for drop in drops) for identity in missing)
    dropped = sum(drop.count or 0 for drop in drops)
    assert len(missing) == dropped
    assert not list((trio.directory / "dead-letters").glob("*.jsonl"))
    verdict = trio.verdict()
    assert (verdict.faults, verdict.unproven) == ((), ())
    return Balance(
        made=len(oracle),
        stored=len(times),
        dropped=dropped,
        signed=verdict.signed or 0,
        chained=verdict.chained,
    )


def lost(trio: Trio) -> set[Identity]:
    """Numbers that the collector says it has lost."""
    return {
        (gap.session, seq)
        for gap in StoreReader(trio.directory / "store.sqlite").gaps("kz-1")
        for seq in range(gap.first_seq, gap.last_seq + 1)
    }


def _is_settled(trio: Trio) -> bool:
    stored = trio.stored()
    missing = set(made(trio)) - {(r.session, r.seq) for r in stored}
    return len(missing) == sum(drop.count or 0 for drop in _drops(stored))


def _drops(stored: list[Stored]) -> list[Event]:
    events = (r.fields for r in stored if isinstance(r.fields, Event))
    return [e for e in events if e.event == "spool_dropped"]


def _covers(drop: Event, identity: Identity) -> bool:
    session, seq = identity
    return drop.subject == session and (drop.first_seq or 0) <= seq <= (drop.last_seq or 0)
