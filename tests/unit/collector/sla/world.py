# SPDX-License-Identifier: Apache-2.0
"""What may devices say, in any order and however senseless? Strategies for sightings and how they come."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from collector.sla.book import Placed, Verdicts
from collector.sla.ledger import Ledger
from collector.sla.memory import MemoryBook
from collector.sla.outage import Outage
from collector.sla.sighting import ALIVE, Basis, Fact, Name, Round, Sighting, Start, Timing, Told, Word
from collector.sla.slot import DAY_SLOTS, SLOT_MS, slot_of

DAY = 20_000 * DAY_SLOTS
FIRST, LAST = DAY - 40, DAY + 60
"""Slots in which things happen: midnight is among them."""
SCHOOLS = ("a", "b")

UP = Round(up=True, anchors=3, anchors_up=3, asked=10, answered=10, gateway_asked=24, gateway_answered=24)
DEAD = UP._replace(up=False, anchors_up=0, answered=0)
DARK = DEAD._replace(gateway_answered=0)
DEAF = UP._replace(gateway_answered=0)
FACTS: list[Fact] = [
    UP,
    UP,
    DEAD,
    DEAD,
    DARK,
    DEAF,
    UP._replace(answered=4),
    UP._replace(dns_asked=1, dns_answered=0),
    Round(up=None, carrier=False),
    Round(up=None),
    Timing(900.0),
    Name(was_answered=False),
    Word("modem:lte", ("connected",)),
    Word("modem:lte", ("sim_missing",)),
    Word("portal:x", ("portal",)),
    Word("portal:x", ()),
    Word("host", ("undervoltage",)),
    ALIVE,
    Start("agent_started", None),
    Start("power_cut", 7 * SLOT_MS),
    Told("link", "o1", 0, "line", is_closed=False, opened_resolution_s=0.5, closed_resolution_s=None),
    Told("link", "o1", 1, "sim", is_closed=True, opened_resolution_s=0.5, closed_resolution_s=0.2),
    Told("dns", "o2", 0, "dns", is_closed=True, opened_resolution_s=1.0, closed_resolution_s=0.2),
]


@st.composite
def _sighting(draw: st.DrawFn, seq: int) -> list[Placed]:
    """One record: where it belongs, and perhaps where it was first thought to belong."""
    fact = draw(st.sampled_from(FACTS))
    device, session = draw(
        st.sampled_from([("d1", "s1"), ("d1", "s2"), ("d1", "s3"), ("d2", "s4"), ("d2", "s5")])
    )
    boot = {"s1": "b1", "s2": "b1", "s3": "b2", "s4": "b3", "s5": "b4"}[session]
    longest = 30 * SLOT_MS if isinstance(fact, Told) else 2 * SLOT_MS
    until = draw(st.integers(0, longest))
    placed = []
    bases = draw(st.sampled_from([(Basis.CLOCK,), (Basis.ARRIVAL,), (Basis.ARRIVAL, Basis.CLOCK)]))
    for basis in bases:
        at_ms = draw(st.integers(FIRST * SLOT_MS, LAST * SLOT_MS))
        slot = slot_of(at_ms + until // 2 if isinstance(fact, Round) else at_ms)
        school = draw(st.sampled_from(["a", "a", "a", "b"]))
        one = Sighting(
            slot, at_ms, at_ms + until, device, session, seq, boot, at_ms - (FIRST - 9) * SLOT_MS, basis, fact
        )
        placed.append(Placed(school, one))
    return placed


@st.composite
def records(draw: st.DrawFn) -> list[Placed]:
    """Any records, with the times that were thought right before."""
    numbers = itertools.accumulate(draw(st.lists(st.integers(1, 4), min_size=1, max_size=24)))
    return [placed for seq in numbers for placed in draw(_sighting(seq))]


@st.composite
def deliveries(draw: st.DrawFn, of: list[Placed]) -> list[list[Placed]]:
    """The same in any order, some of it twice, in batches of any size."""
    again = draw(st.lists(st.sampled_from(of), max_size=6))
    order = draw(st.permutations([*of, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def final(records: list[Placed]) -> list[Placed]:
    """Only where each record belongs."""
    best: dict[tuple[str, str, int], Placed] = {}
    for placed in records:
        known = best.get(placed.sighting.identity)
        if known is None or placed.sighting.placement > known.sighting.placement:
            best[placed.sighting.identity] = placed
    return sorted(best.values(), key=lambda p: p.sighting)


def contents(ledger: Ledger) -> dict[str, tuple[tuple[int, int] | None, Verdicts, list[Outage]]]:
    """Everything that follows from the records, of every school."""
    book, around = ledger.book, (FIRST - 50, LAST + 80)
    return {s: (book.span(s), book.verdicts(s, *around), list(book.outages(s, *around))) for s in SCHOOLS}


def ledger_of(*batches: list[Placed]) -> Ledger:
    """A new ledger that was given these."""
    ledger = Ledger(MemoryBook())
    for batch in batches:
        ledger.apply(batch)
    return ledger
