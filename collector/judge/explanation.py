# SPDX-License-Identifier: Apache-2.0
"""Why has a slot its class? The records, the rule, the figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from collector.contracts.book import Contracts
from collector.judge.plain import outage_to_plain
from collector.sla import window
from collector.sla.book import Book
from collector.sla.cause import SENTENCES
from collector.sla.outage import counted, within
from collector.sla.parameters import Parameters
from collector.sla.rule import RULES
from collector.sla.sighting import Sighting
from collector.sla.slot import SLOT_MS, SlotClass

_COUNTS_AS = {
    "degraded": "a bad run too short for an outage is reported, not counted",
    "unknown": "a bad run too short for an outage, but for slots beside it of which nothing is known",
}


def explain(book: Book, school: str, slot: int, terms: Contracts) -> dict[str, Any]:
    """Plain data: judged again now from what is kept, beside what is kept."""
    (term,) = terms.terms(school, slot, slot)
    found = window.find(book, school, slot, term.parameters)
    rule = RULES[found.rule]
    kept = book.verdicts(school, slot, slot)
    outages = book.outages(school, slot, slot)
    return {
        "school": school,
        "slot": slot,
        "from": _iso(slot * SLOT_MS),
        "to": _iso((slot + 1) * SLOT_MS),
        "class": rule.class_by(term.parameters).name.lower(),
        "kept_class": SlotClass(kept.classes[0]).name.lower(),
        "counts_as": _counts_as(book, school, slot, term.parameters).name.lower(),
        "rule": rule.name,
        "because": rule.sentence,
        "cause": rule.cause,
        "confidence": rule.confidence,
        "contract": _promised(school, slot, terms),
        "parameters": _parameters(term.parameters),
        "records": [_record(one) for one in found.evidence],
        "outage": outage_to_plain(outages[0]) if outages else None,
    }


def sentences(found: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"{found['school']}, {found['from']} to {found['to']}: {found['class']}"
    yield f"rule        {found['rule']}: {found['because']}"
    if found["cause"] is not None:
        yield f"cause       {found['cause']} ({found['confidence']} confidence): {SENTENCES[found['cause']]}"
    yield f"contract    {_contract(found['contract'])}"
    if found["class"] != found["kept_class"]:
        yield f"kept        {found['kept_class']}: records or contracts that came since are not judged yet"
    if found["counts_as"] != found["kept_class"]:
        yield f"counts as   {found['counts_as']}: {_COUNTS_AS[found['counts_as']]}"
    if found["outage"] is not None:
        outage = found["outage"]
        end = "open" if outage["is_open"] else f"to {_iso(outage['end_ms'])}"
        yield f"outage      {outage['id']}: from {_iso(outage['begin_ms'])} {end}, {outage['cause']}"
    for name, value in found["parameters"].items():
        yield f"parameter   {name} = {_words(value)}"
    for record in found["records"]:
        said = ", ".join(f"{name} {value}" for name, value in record["says"].items() if value is not None)
        yield f"record      {record['device']} {record['session']} {record['seq']}, {record['at']}: {said}"
    if not found["records"]:
        yield "record      none"


def _counts_as(book: Book, school: str, slot: int, parameters: Parameters) -> SlotClass:
    """Its class in availability, which asks how long the bad run was that it is of."""
    first, last = slot - parameters.open_after, slot + parameters.open_after
    spans = within(book.outages(school, first, last), first, last + 1)
    classes = book.verdicts(school, first, last).classes
    return SlotClass(counted(classes, spans, lambda _: parameters)[slot - first])


def _promised(school: str, slot: int, contracts: Contracts) -> dict[str, Any] | None:
    """What the parameters are those of; None where nothing is promised and the standard ones hold."""
    for contract in contracts.of(school):
        if (promise := contract.at(slot)) is not None:
            return {
                "id": contract.contract,
                "lot": promise.lot,
                "since": promise.since.isoformat(),
                "is_service_time": slot in contract.service(slot, slot + 1),
            }
    return None


def _contract(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none; the standard parameters hold"
    when = "service time" if found["is_service_time"] else "outside the service time"
    return f"{found['id']}, lot {found['lot']}, version since {found['since']}; {when}"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "–" if value is None else str(value)


def _record(one: Sighting) -> dict[str, Any]:
    says = {"kind": type(one.fact).__name__.lower(), **one.fact._asdict()}
    return {
        "device": one.device,
        "session": one.session,
        "seq": one.seq,
        "at": _iso(one.at_ms),
        "until": _iso(one.until_ms),
        "says": {name: list(v) if isinstance(v, tuple) else v for name, v in says.items()},
    }


def _parameters(parameters: Parameters) -> dict[str, Any]:
    plain = dataclasses.asdict(parameters)
    return {name: sorted(v) if isinstance(v, frozenset) else v for name, v in plain.items()}


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
