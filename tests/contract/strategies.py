# SPDX-License-Identifier: Apache-2.0
"""What does any well-formed batch look like, for property tests?"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from hypothesis import strategies as st

from agent.contract.kinds import KINDS
from agent.contract.reason import Reason
from agent.contract.record import Batch, ClockState, Record

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
devices = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
sessions = st.integers(0, 2**64 - 1).map("{:016x}".format)
boots = st.sampled_from(["00000000", "deadbeef", "01234567"])
clocks = st.builds(
    ClockState,
    wall_ms=st.integers(-(2**53) + 1, 2**53 - 1),
    mono_ms=st.integers(0, 2**53 - 1),
    boot=boots,
    age_s=st.none() | st.integers(0, 10**9),
)
histograms = st.dictionaries(st.integers(-500, 1000), st.integers(1, 10**6), max_size=8).map(
    lambda d: tuple(sorted(d.items()))
)


def _value(hint: Any, field: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    low, high = field.metadata.get("low"), field.metadata.get("high")
    options: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        str: words,
        int: st.integers(low if low is not None else -(2**53), high if high is not None else 2**53),
        float: st.floats(low, high, allow_nan=False, allow_infinity=False)
        | st.integers(0, 10**6).map(lambda n: n / 100).filter(lambda x: high is None or x <= high),
    }
    inner = [a for a in typing.get_args(hint) if a is not type(None)] or [hint]
    strategy = options.get(inner[0], histograms)
    return strategy if field.metadata.get("key") else st.none() | strategy


def _fields(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{f.name: _value(hints[f.name], f) for f in dataclasses.fields(kind)})


any_fields = st.one_of(*(_fields(kind) for kind in KINDS.values()))


@st.composite
def records(draw: st.DrawFn, seq: int) -> Record:
    """One record of any kind, succeeded or failed."""
    fields = draw(any_fields)
    reason = draw(st.none() | st.sampled_from(list(Reason)))
    bare = reason is not None and draw(st.booleans())
    return Record(
        seq=seq,
        kind=fields.kind,
        clock=draw(clocks),
        duration_ms=draw(st.integers(0, 10**7)),
        reason=reason,
        detail=draw(st.none() | words),
        fields=None if bare else fields,
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch of up to a dozen records with gaps between their sequence numbers."""
    first_seq = draw(st.integers(1, 10**9))
    seq = first_seq
    made = []
    for gap in draw(st.lists(st.integers(0, 3), max_size=12)):
        seq += gap
        made.append(draw(records(seq)))
        seq += 1
    return Batch(
        device=draw(devices),
        session=draw(sessions),
        first_seq=first_seq,
        last_seq=seq - 1 + draw(st.integers(0, 3)),
        clock=draw(clocks),
        records=tuple(made),
        want_ack=draw(st.booleans()),
        backlog=draw(st.booleans()),
    )
