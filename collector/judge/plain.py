# SPDX-License-Identifier: Apache-2.0
"""How do facts and outages become text in the file, and come back the same?"""

from __future__ import annotations

import json
from typing import Any

from collector.sla.cause import Cause, Confidence
from collector.sla.outage import Outage, Part
from collector.sla.sighting import FACTS, Fact, Word
from collector.sla.slot import SlotClass


def fact_to_text(fact: Fact) -> str:
    """One line of JSON: kind and values."""
    return json.dumps([type(fact).__name__, *fact], separators=(",", ":"))


def fact_from_text(text: str) -> Fact:
    """What `fact_to_text` was given."""
    kind, *values = json.loads(text)
    if kind == Word.__name__:
        return Word(values[0], tuple(values[1]))
    fact: Fact = FACTS[kind](*values)
    return fact


def outage_to_plain(outage: Outage) -> dict[str, Any]:
    """Plain data."""
    return {
        "id": outage.id,
        "school": outage.school,
        "first_slot": outage.first_slot,
        "last_slot": outage.last_slot,
        "is_open": outage.is_open,
        "begin_ms": outage.begin_ms,
        "end_ms": outage.end_ms,
        "begin_resolution_s": outage.begin_resolution_s,
        "end_resolution_s": outage.end_resolution_s,
        "slot_class": outage.slot_class.name.lower(),
        "cause": outage.cause,
        "confidence": outage.confidence,
        "slots": {c.name.lower(): outage.slots[c] for c in SlotClass},
        "parts": [_part_to_plain(part) for part in outage.parts],
    }


def outage_from_plain(plain: dict[str, Any]) -> Outage:
    """What `outage_to_plain` was given."""
    unknown, up, degraded, provider, other = (plain["slots"][c.name.lower()] for c in SlotClass)
    return Outage(
        school=plain["school"],
        first_slot=plain["first_slot"],
        last_slot=plain["last_slot"],
        is_open=plain["is_open"],
        begin_ms=plain["begin_ms"],
        end_ms=plain["end_ms"],
        begin_resolution_s=plain["begin_resolution_s"],
        end_resolution_s=plain["end_resolution_s"],
        cause=Cause(plain["cause"]),
        confidence=_confidence(plain["confidence"]),
        slots=(unknown, up, degraded, provider, other),
        parts=tuple(map(_part_from_plain, plain["parts"])),
    )


def _part_to_plain(part: Part) -> dict[str, Any]:
    return {
        "first_slot": part.first_slot,
        "last_slot": part.last_slot,
        "slot_class": part.slot_class.name.lower(),
        "rule": part.rule,
        "cause": part.cause,
        "confidence": part.confidence,
        "evidence": [list(identity) for identity in part.evidence],
    }


def _part_from_plain(plain: dict[str, Any]) -> Part:
    return Part(
        first_slot=plain["first_slot"],
        last_slot=plain["last_slot"],
        slot_class=SlotClass[plain["slot_class"].upper()],
        rule=plain["rule"],
        cause=Cause(plain["cause"]),
        confidence=_confidence(plain["confidence"]),
        evidence=tuple((device, session, seq) for device, session, seq in plain["evidence"]),
    )


def _confidence(word: str | None) -> Confidence | None:
    return None if word is None else Confidence(word)
