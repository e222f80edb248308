# SPDX-License-Identifier: Apache-2.0
"""How does a dataclass of options become an annotated TOML example and a table of keys?"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import types
import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_LARGE = 100_000
_NAMES = {
    int: "whole number",
    float: "number",
    Decimal: "number",
    str: "text",
    bool: "true/false",
    dt.date: "date",
}


def example(tables: list[tuple[str, Any]], opening: str) -> str:
    """An example file in telegraf's form: `##` explains, `#` is the default; only what must be set is set."""
    parts = ["".join(f"## {line}\n" for line in opening.splitlines())]
    parts += [_example_table(name, cls) for name, cls in tables]
    return "\n".join(parts)


def _example_table(name: str, cls: Any) -> str:
    lines = [f"[{name}]"] if name else []
    for f in keys(cls):
        lines.append(f"## {_sentence(f)}")
        given = f.metadata.get("example")
        default = default_of(f)
        if default is dataclasses.MISSING:
            lines.append(f"{f.name} = {toml(given)}")
        elif default is None:
            lines.append(f"# {f.name} = {toml(given if given is not None else _placeholder(f))}")
        else:
            lines.append(f"# {f.name} = {toml(default)}")
    return "\n".join(lines) + "\n"


def table(cls: Any) -> str:
    """A Markdown table of the keys."""
    hints = typing.get_type_hints(cls)
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for f in keys(cls):
        default = default_of(f)
        shown = {dataclasses.MISSING: "*required*", None: "–"}.get(_hashable(default)) or f"`{toml(default)}`"
        rows.append(f"| `{f.name}` | {_type(hints[f.name])} | {shown} | {_sentence(f)} |")
    return "\n".join(rows) + "\n"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Decimal | dt.date):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and value >= _LARGE:
        return f"{value:_}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {toml(v)}' for name, v in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def keys(cls: Any) -> Iterator[dataclasses.Field[Any]]:
    """The keys of a table: what is documented and is no table itself."""
    for f in dataclasses.fields(cls):
        is_table = f.default_factory is not dataclasses.MISSING and not isinstance(default_of(f), list)
        if f.init and f.metadata.get("doc") and not is_table:
            yield f


def default_of(f: dataclasses.Field[Any]) -> Any:
    """Its default as TOML has it; `dataclasses.MISSING` where it must be given."""
    if f.default_factory is not dataclasses.MISSING:
        return f.default_factory()
    return list(map(_plain, f.default)) if isinstance(f.default, tuple) else f.default


def _plain(value: Any) -> Any:
    """A table of its own as a dict of what it says."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    return {name: v for name, v in dataclasses.asdict(value).items() if v not in (None, "")}


def _hashable(value: Any) -> Any:
    return value if value is dataclasses.MISSING or value is None else ""


def _sentence(f: dataclasses.Field[Any]) -> str:
    low, high = f.metadata.get("low"), f.metadata.get("high")
    doc: str = f.metadata["doc"].replace("|", "\\|")
    if low is None and high is None:
        return doc
    return f"{doc} ({_bound(low, '−∞')} to {_bound(high, '∞')})"


def _bound(value: float | None, missing: str) -> str:
    return missing if value is None else toml(value).replace("_", "\u202f")


def _placeholder(f: dataclasses.Field[Any]) -> Any:
    kind = str(f.type)
    if "int" in kind or "float" in kind:
        return f.metadata.get("low") or 0
    return "…"


def _type(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _type(next(a for a in args if a is not type(None)))
    if origin is typing.Literal:
        return " or ".join(f"`{a}`" for a in args)
    if origin in (tuple, list):
        return f"list of {_type(args[0])}"
    return _NAMES.get(hint, "table")
