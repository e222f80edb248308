# SPDX-License-Identifier: Apache-2.0
"""What does a JSON batch look like, for readers in other languages? Generated, never edited.

`python -m agent.contract.schema` prints it; `agent/contract/schema.json` holds it, and a test compares the
two.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any

from agent.contract.kinds import KINDS
from agent.contract.reason import Reason
from agent.contract.record import BOOT, DEVICE, SESSION, Ack, Batch, ClockState, Record

Schema = dict[str, Any]
_PATTERNS = {"device": DEVICE, "session": SESSION, "boot": BOOT}
_SCALARS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
}


def build() -> Schema:
    """JSON Schema (draft 2020-12) of a batch in its JSON form, and under `$defs` of all it is made of."""
    definitions = {name: _table(kind) for name, kind in KINDS.items()}
    definitions |= {"clock": _table(ClockState), "ack": _table(Ack), "record": _record()}
    batch = _table(Batch)
    batch["properties"] = {"v": {"const": 1}, **batch["properties"]}
    batch["required"] = ["v", *batch["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "schoolpulse batch, version 1",
        **batch,
        "$defs": definitions,
    }


def _record() -> Schema:
    record = _table(Record)
    record["properties"]["kind"] = {"enum": list(KINDS)}
    reasons = [str(r) for r in Reason]
    record["properties"]["reason"] = {"type": ["string", "null"], "examples": reasons}
    record["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": name}}},
            "then": {"properties": {"fields": {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}}},
        }
        for name in KINDS
    ]
    return record


def _table(cls: Any) -> Schema:
    hints = typing.get_type_hints(cls)
    properties = {f.name: _property(f, hints[f.name]) for f in dataclasses.fields(cls)}
    required = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
    if cls is Batch:
        required += ["last_seq", "records"]
    doc = (cls.__doc__ or "").strip().splitlines()[0]
    return {"type": "object", "description": doc, "properties": properties, "required": required}


def _property(f: dataclasses.Field[Any], hint: Any) -> Schema:
    if f.name == "fields":
        return {"type": ["object", "null"]}
    schema = dict(_type(hint))
    if f.name in _PATTERNS:
        schema["pattern"] = f"^{_PATTERNS[f.name].pattern}$"
    bounds = {"low": "minimum", "high": "maximum"}
    schema |= {word: f.metadata[k] for k, word in bounds.items() if f.metadata.get(k) is not None}
    if "doc" in f.metadata:
        schema["description"] = f.metadata["doc"]
    return schema


def _type(hint: Any) -> Schema:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        inner = _type(next(a for a in typing.get_args(hint) if a is not type(None)))
        return {**inner, "type": [inner["type"], "null"]}
    if typing.get_origin(hint) is tuple:
        return _array(typing.get_args(hint))
    return {"$ref": f"#/$defs/{ {ClockState: 'clock', Record: 'record'}[hint] }"}


def _array(args: tuple[Any, ...]) -> Schema:
    if args[-1] is Ellipsis:
        return {"type": "array", "items": _type(args[0])}
    return {"type": "array", "prefixItems": [_type(a) for a in args], "items": False, "minItems": len(args)}


if __name__ == "__main__":
    print(json.dumps(build(), indent=2, ensure_ascii=False))  # noqa: T201 -- its output is the product
