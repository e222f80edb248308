# SPDX-License-Identifier: Apache-2.0
"""How is a batch packed into few bytes? Columns of integers, deflated with a dictionary both sides know.

    payload = 0x01, dictionary id, raw deflate (RFC 1951) of the body with that preset dictionary
    body    = header, number of blocks, blocks
    block   = number of the kind in `KINDS`, rows, heads of columns, 0, their cells (see `columns`)

Rows of a block are ordered by their keys, so that one target's figures stand together; their seq restores the
order, or, where numbers follow the order of completion without a gap, that order gives the numbers back.
Columns that hold what the header says anyway (boot id, clock age, wall minus monotonic time) are left out,
and those that hold what is predicted (`agent.contract.prediction`) have no cells. Kinds and fields are known
by number; a reader skips numbers it does not know. The form is lossless.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.contract.columns import ColumnType, Head, Reader, Writer, head_of
from agent.contract.decoder import DecodeError
from agent.contract.dictionary import DICTIONARIES, NEWEST
from agent.contract.kinds import KINDS, key_names
from agent.contract.prediction import NEAR, PREDICTED, Predict

FORMAT = 1
MAX_ROWS = 65536
_MAX_BLOCKS = 256
_MAX_COLUMNS = 256
_SEQ, _MONO, _WALL, _BOOT, _AGE, _DURATION, _REASON, _DETAIL, _HAS_FIELDS, _FIRST_FIELD = range(10)

_UPTIME = "(seconds since boot)"
"""What predictions may use beside a row's fields."""

Plain = dict[str, Any]
_KIND_NAMES = list(KINDS)
_FIELD_NAMES = {name: [f.name for f in dataclasses.fields(kind)] for name, kind in KINDS.items()}
_KEYS = {name: key_names(kind) for name, kind in KINDS.items()}


def pack(plain: Plain) -> bytes:
    """Plain data of a batch (`record.to_plain`) as a payload."""
    blocks = _blocks(plain["records"])
    in_order = [r for _, rows in blocks for r in rows]
    in_order.sort(key=_completion_ms)
    is_complete = len(in_order) == plain["last_seq"] - plain["first_seq"] + 1
    is_steady = is_complete and all(r["seq"] == plain["first_seq"] + i for i, r in enumerate(in_order))
    out = Writer()
    _write_header(out, plain, is_steady=is_steady)
    out.varint(len(blocks))
    for kind, rows in blocks:
        _write_block(out, kind, rows, plain, has_seq=not is_steady)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[NEWEST])
    return bytes([FORMAT, NEWEST]) + squeeze.compress(out.getvalue()) + squeeze.flush()


def unpack(payload: bytes, max_bytes: int, max_rows: int = MAX_ROWS) -> Plain:
    """Plain data of a payload, not yet checked against any type.

    Raises:
        DecodeError: unknown dictionary, damaged or truncated data, more than `max_bytes` decompressed or
            `max_rows` records.
    """
    body = Reader(_inflate(payload, max_bytes), max_bytes)
    plain, is_steady = _read_header(body)
    blocks = body.varint()
    if blocks > _MAX_BLOCKS:
        raise DecodeError("records", f"{blocks} blocks are more than {_MAX_BLOCKS}")
    records: list[Plain] = []
    for _ in range(blocks):
        records.extend(_read_block(body, plain, max_rows, len(records), has_seq=not is_steady))
    body.expect_end()
    if is_steady:
        records.sort(key=_completion_ms)
        records = [{**r, "seq": plain["first_seq"] + i} for i, r in enumerate(records)]
    records.sort(key=lambda r: r["seq"])
    return {**plain, "records": records}


def _blocks(records: list[Plain]) -> list[tuple[str, list[Plain]]]:
    """Rows by kind in the order of `KINDS`, each ordered by its keys."""
    blocks: dict[str, list[Plain]] = {name: [] for name in _KIND_NAMES}
    for record in records:
        blocks[record["kind"]].append(record)
    return [(kind, sorted(rows, key=lambda r: _sort_key(kind, r))) for kind, rows in blocks.items() if rows]


def _completion_ms(record: Plain) -> int:
    return _integer(record["clock"]["mono_ms"]) + _integer(record["duration_ms"])


def _inflate(payload: bytes, max_bytes: int) -> bytes:
    dictionary = DICTIONARIES.get(payload[1]) if len(payload) > 1 else None
    if dictionary is None:
        raise DecodeError("", f"packed form with an unknown dictionary {payload[1:2]!r}")
    inflate = zlib.decompressobj(-15, dictionary)
    try:
        body = inflate.decompress(payload[2:], max_bytes)
    except zlib.error as e:
        raise DecodeError("", f"damaged packed form: {e}") from e
    if not inflate.eof or inflate.unused_data:
        problem = (
            f"more than {max_bytes} bytes decompressed, truncated" if not inflate.eof else "bytes left over"
        )
        raise DecodeError("", f"damaged packed form: {problem}")
    return body


def _write_header(out: Writer, plain: Plain, *, is_steady: bool) -> None:
    clock = plain["clock"]
    out.text(plain["device"])
    out.raw(bytes.fromhex(plain["session"]))
    out.varint(plain["want_ack"] | plain["backlog"] << 1 | is_steady << 2)
    out.varint(plain["first_seq"])
    out.zigzag(plain["last_seq"] - plain["first_seq"])
    out.zigzag(clock["wall_ms"])
    out.varint(clock["mono_ms"])
    out.raw(bytes.fromhex(clock["boot"]))
    age_s = clock.get("age_s")
    out.varint(0 if age_s is None else age_s + 1)


def _read_header(body: Reader) -> tuple[Plain, bool]:
    """The header, and whether numbers follow the order of completion."""
    device, session, flags, first_seq = body.text(), body.raw(8).hex(), body.varint(), body.varint()
    last_seq = first_seq + body.zigzag()
    clock: Plain = {"wall_ms": body.zigzag(), "mono_ms": body.varint(), "boot": body.raw(4).hex()}
    age_s = body.varint()
    if age_s:
        clock["age_s"] = age_s - 1
    header = {
        "device": device,
        "session": session,
        "want_ack": bool(flags & 1),
        "backlog": bool(flags & 2),
        "first_seq": first_seq,
        "last_seq": last_seq,
        "clock": clock,
    }
    return header, bool(flags & 4)


def _sort_key(kind: str, record: Plain) -> tuple[Any, ...]:
    fields = record.get("fields") or {}
    return (*(fields.get(name) or "" for name in _KEYS[kind]), record["seq"])


def _write_block(out: Writer, kind: str, rows: list[Plain], batch: Plain, *, has_seq: bool) -> None:
    out.varint(_KIND_NAMES.index(kind))
    out.varint(len(rows))
    tables = [{**(r.get("fields") or {}), _UPTIME: r["clock"]["mono_ms"] // 1000} for r in rows]
    columns = [_Column(*c) for c in _envelope_columns(rows, batch) if has_seq or c[0] != _SEQ]
    columns += [c for i, name in enumerate(_FIELD_NAMES[kind]) if (c := _field_column(kind, i, name, tables))]
    heads = []
    previous = -1
    for column in columns:
        heads.append(column.head(column.number - previous))
        out.head(heads[-1])
        previous = column.number
    out.varint(0)
    for head, column in zip(heads, columns, strict=True):
        if head.type is not ColumnType.PREDICTED:
            out.cells(head, column.cells, column.base, column.near)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column to be written; without cells it holds what is predicted."""

    number: int
    cells: list[Any]
    base: int = 0
    near: list[int] = field(default_factory=list)

    def head(self, step: int) -> Head:
        if not self.cells:
            return Head(step, ColumnType.PREDICTED)
        return head_of(step, self.cells, near=bool(self.near))


def _field_column(kind: str, place: int, name: str, tables: list[Plain]) -> _Column | None:
    """None where every cell is empty."""
    cells = [t.get(name) for t in tables]
    predict = PREDICTED.get(kind, {}).get(name)
    if predict and all(c is not None and c == predict(t) for c, t in zip(cells, tables, strict=True)):
        return _Column(_FIRST_FIELD + place, [])
    if all(c is None for c in cells):
        return None
    near = NEAR.get(kind, {}).get(name)
    return _Column(_FIRST_FIELD + place, cells, near=[near(t) for t in tables] if near else [])


def _envelope_columns(rows: list[Plain], batch: Plain) -> Iterator[tuple[int, list[Any], int]]:
    """Numbers, cells and bases of the columns that every kind has, without those the header tells."""
    clock = batch["clock"]
    lead = clock["wall_ms"] - clock["mono_ms"]
    clocks = [r["clock"] for r in rows]
    yield _SEQ, [r["seq"] for r in rows], batch["first_seq"]
    yield _MONO, [c["mono_ms"] for c in clocks], clock["mono_ms"]
    told: list[tuple[int, list[Any], Any]] = [
        (_WALL, [c["wall_ms"] - c["mono_ms"] - lead for c in clocks], 0),
        (_BOOT, [c["boot"] for c in clocks], clock["boot"]),
        (_AGE, [c.get("age_s") for c in clocks], clock.get("age_s")),
        (_DURATION, [r["duration_ms"] for r in rows], 0),
        (_REASON, [r.get("reason") for r in rows], None),
        (_DETAIL, [r.get("detail") for r in rows], None),
        (_HAS_FIELDS, [r.get("fields") is not None for r in rows], True),
    ]
    for number, cells, default in told:
        if any(c != default for c in cells):
            yield number, cells, 0


def _read_block(body: Reader, batch: Plain, max_rows: int, before: int, *, has_seq: bool) -> list[Plain]:
    number, n = body.varint(), body.varint()
    if before + n > max_rows:
        raise DecodeError("records", f"more than {max_rows} records")
    kind = _KIND_NAMES[number] if number < len(_KIND_NAMES) else f"#{number}"
    tables: list[Plain] = [{} for _ in range(n)]
    columns: dict[int, list[Any]] = {}
    for at, head in _read_heads(body):
        name = _name(kind, at - _FIRST_FIELD)
        cells = _read_cells(body, head, (kind, name), tables, _base(batch, at))
        columns[at] = cells
        for table, cell in zip(tables, cells, strict=True):
            if name and cell is not None:
                table[name] = cell
            elif at == _MONO:
                table[_UPTIME] = _integer(cell) // 1000
    if _MONO not in columns or (has_seq and _SEQ not in columns):
        raise DecodeError("records", "a block lacks its seq or mono_ms column")
    return [_row(kind, columns, tables[i], batch["clock"], i) for i in range(n)]


def _read_heads(body: Reader) -> list[tuple[int, Head]]:
    heads = []
    at = -1
    while (head := body.head()).step:
        at += head.step
        heads.append((at, head))
        if len(heads) > _MAX_COLUMNS:
            raise DecodeError("records", f"more than {_MAX_COLUMNS} columns")
    return heads


def _read_cells(
    body: Reader, head: Head, field_of: tuple[str, str], tables: list[Plain], base: int
) -> list[Any]:
    kind, name = field_of
    if head.type is ColumnType.PREDICTED:
        predict = PREDICTED.get(kind, {}).get(name)
        return [_predicted(predict, t) if predict else None for t in tables]
    near = NEAR.get(kind, {}).get(name) if head.is_near else None
    expected = [_predicted(near, t) if near else 0 for t in tables] if head.is_near else []
    return body.cells(head, len(tables), base, expected)


def _predicted(predict: Predict, table: Plain) -> Any:
    """What follows from the columns before, whose types nobody has looked at yet."""
    try:
        return predict(table)
    except (TypeError, ValueError, ArithmeticError, LookupError) as e:
        raise DecodeError("records", f"figures that others are predicted from make no sense: {e}") from e


def _name(kind: str, place: int) -> str:
    """Name of a field by its place; empty for columns that every kind has, and for unknown places."""
    names = _FIELD_NAMES.get(kind, [])
    return names[place] if 0 <= place < len(names) else ""


def _base(batch: Plain, number: int) -> int:
    """What the first integer of a column is close to."""
    if number == _SEQ:
        return int(batch["first_seq"])
    return int(batch["clock"]["mono_ms"]) if number == _MONO else 0


def _row(kind: str, columns: dict[int, list[Any]], fields: Plain, clock: Plain, i: int) -> Plain:
    def cell(number: int, default: Any) -> Any:
        return columns[number][i] if number in columns else default

    mono_ms = _integer(cell(_MONO, None))
    lead = clock["wall_ms"] - clock["mono_ms"] + _integer(cell(_WALL, 0))
    fields.pop(_UPTIME, None)
    record: Plain = {
        "seq": _integer(cell(_SEQ, 0)),
        "kind": kind,
        "clock": {
            "wall_ms": mono_ms + lead,
            "mono_ms": mono_ms,
            "boot": cell(_BOOT, clock["boot"]),
            "age_s": cell(_AGE, clock.get("age_s")),
        },
        "duration_ms": _integer(cell(_DURATION, 0)),
        "reason": cell(_REASON, None),
        "detail": cell(_DETAIL, None),
    }
    return {**record, "fields": fields} if cell(_HAS_FIELDS, True) else record


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise DecodeError("records", f"a seq or time is {type(value).__name__}, not a whole number")
    return value
