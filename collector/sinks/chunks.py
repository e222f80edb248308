# SPDX-License-Identifier: Apache-2.0
"""How is a day of one kind of record kept small? By columns, each written the shortest way, then deflated.

    body   = zlib (RFC 1950) of JSON {"rows": n, "sessions": [[device, session], …],
             "envelope": {name: column}, "fields": {name: column}}
    column = {"all": value} when every row has the same, {"steps": [first, difference, …]} for whole numbers,
             {"scaled": [power of ten, first, difference, …]} for decimals where that is exact,
             {"each": [values]} for anything else

Columns are named, so a field added later reads as None from an older chunk. Lossless but for the sign of
-0.0.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from agent.contract.record import ClockState
from collector.moment import TimeBasis
from collector.sinks.stored import Damaged, Stored, field_names, histogram_names, make_fields

LEVEL = 6
_MAX_POWER = 6
_EXACT = 2**53

Column = dict[str, Any]


def encode(rows: Sequence[Stored]) -> bytes:
    """Records of one kind as a chunk, in the order of time."""
    rows = sorted(rows, key=lambda r: r.order)
    sessions = {key: i for i, key in enumerate(sorted({(r.device, r.session) for r in rows}))}
    envelope = {name: _pack([of(r) for r in rows]) for name, of in _ENVELOPE.items()}
    envelope["session"] = _pack([sessions[r.device, r.session] for r in rows])
    document = {
        "rows": len(rows),
        "sessions": list(sessions),
        "envelope": envelope,
        "fields": {name: _pack(values) for name, values in _field_columns(rows)},
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), LEVEL)


def decode(kind: str, body: bytes) -> list[Stored]:
    """The records of a chunk, ascending.

    Raises:
        Damaged: the body is not what `encode` made.
    """
    try:
        return _decode(kind, json.loads(zlib.decompress(body)))
    except (zlib.error, ValueError, LookupError, TypeError) as e:
        raise Damaged(f"chunk of {len(body)} bytes: {e}") from e


_ENVELOPE: dict[str, Callable[[Stored], Any]] = {
    "at_ms": lambda r: r.at_ms,
    "seq": lambda r: r.seq,
    "wall": lambda r: r.clock.wall_ms - r.at_ms,
    "mono": lambda r: r.clock.mono_ms - r.at_ms,
    "received": lambda r: r.received_ms - r.at_ms,
    "boot": lambda r: r.clock.boot,
    "age_s": lambda r: r.clock.age_s,
    "duration_ms": lambda r: r.duration_ms,
    "reason": lambda r: r.reason,
    "detail": lambda r: r.detail,
    "backlog": lambda r: r.backlog,
    "time_basis": lambda r: r.time_basis,
    "has_fields": lambda r: r.fields is not None,
}


def _field_columns(rows: Sequence[Stored]) -> list[tuple[str, list[Any]]]:
    kind = rows[0].kind
    columns = [
        (name, [None if r.fields is None else getattr(r.fields, name) for r in rows])
        for name in field_names(kind)
    ]
    histograms = histogram_names(kind)
    return [(name, list(map(_flat, values)) if name in histograms else values) for name, values in columns]


def _decode(kind: str, document: Any) -> list[Stored]:
    n = document["rows"]
    envelope = _table(document["envelope"], n)
    histograms = histogram_names(kind)
    fields = _table(document["fields"], n)
    for values in fields:
        values.update({name: _pairs(values[name]) for name in histograms if values.get(name) is not None})
    sessions = document["sessions"]
    return [_row(kind, sessions[e["session"]], e, f) for e, f in zip(envelope, fields, strict=True)]


def _row(kind: str, session: Sequence[str], cells: dict[str, Any], fields: dict[str, Any]) -> Stored:
    at_ms = cells["at_ms"]
    clock = ClockState(
        wall_ms=at_ms + cells["wall"], mono_ms=at_ms + cells["mono"], boot=cells["boot"], age_s=cells["age_s"]
    )
    return Stored(
        device=session[0],
        session=session[1],
        seq=cells["seq"],
        kind=kind,
        at_ms=at_ms,
        duration_ms=cells["duration_ms"],
        reason=cells["reason"],
        detail=cells["detail"],
        fields=make_fields(kind, fields) if cells["has_fields"] else None,
        clock=clock,
        received_ms=at_ms + cells["received"],
        backlog=cells["backlog"],
        time_basis=TimeBasis(cells.get("time_basis", TimeBasis.DEVICE)),
    )


def _table(columns: dict[str, Column], n: int) -> list[dict[str, Any]]:
    names = list(columns)
    cells = [_unpack(column, n) for column in columns.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]


def _pack(values: list[Any]) -> Column:
    first = values[0]
    if all(v == first and type(v) is type(first) for v in values):
        return {"all": first}
    if all(type(v) is int for v in values):
        return {"steps": _steps(values)}
    power = _power(values)
    return (
        {"each": values}
        if power is None
        else {"scaled": [power, *_steps([round(v * 10**power) for v in values])]}
    )


def _unpack(column: Column, n: int) -> list[Any]:
    ((form, content),) = column.items()
    if form == "all":
        return [content] * n
    if form == "steps":
        return list(itertools.accumulate(content))
    if form == "scaled":
        scale = 10 ** content[0]
        return [v / scale for v in itertools.accumulate(content[1:])]
    return list(content)


def _steps(values: Sequence[int]) -> list[int]:
    return [values[0], *(b - a for a, b in itertools.pairwise(values))]


def _power(values: list[Any]) -> int | None:
    """The power of ten that makes whole numbers of all of them, None where there is none."""
    if not all(type(v) is float for v in values):
        return None
    exact = (k for k in range(_MAX_POWER + 1) if all(_is_exact(v, 10**k) for v in values))
    return next(exact, None)


def _is_exact(value: float, scale: int) -> bool:
    scaled = value * scale
    return abs(scaled) < _EXACT and round(scaled) / scale == value


def _flat(histogram: Sequence[tuple[int, int]] | None) -> list[int] | None:
    """Pairs (bucket, count) as one list, buckets as differences."""
    if histogram is None:
        return None
    buckets = _steps([b for b, _ in histogram]) if histogram else []
    return [x for bucket, (_, count) in zip(buckets, histogram, strict=True) for x in (bucket, count)]


def _pairs(flat: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(itertools.accumulate(flat[::2]), flat[1::2], strict=True))
