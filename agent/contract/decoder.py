# SPDX-License-Identifier: Apache-2.0
"""How does plain data (JSON, TOML) become a typed, frozen dataclass, or a sentence that says why not?

One strict decoder serves the wire and both configuration files. The wire ignores unknown keys (fields are
only ever added), configuration refuses them and names the nearest valid key.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import enum
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

T = TypeVar("T")
Decode = Callable[[object, str], Any]
_SHOWN = 60
_DIGITS = 30
"""A number with an exponent of millions is short to write; as an exact fraction it fills the memory."""


class DecodeError(ValueError):
    """A value does not fit its type.

    Attributes:
        path: where, as a dotted key path (`probes.latency.every_s`); empty at the top.
        problem: what is wrong there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


def decode(cls: type[T], data: object, *, strict: bool = False, path: str = "") -> T:
    """Build `cls` from plain data.

    Args:
        cls: a dataclass whose annotations are resolvable at run time.
        data: what a JSON or TOML parser returned.
        strict: refuse unknown keys (configuration) instead of ignoring them (wire).
        path: prefix of the key paths in errors.

    Raises:
        DecodeError: unknown key (strict), missing key, wrong type, or a `ValueError` of `__post_init__`.
    """
    read: Callable[[object, str], T] = _decoder(typing.cast(typing.Hashable, cls), strict)
    return read(data, path)


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """A hint for a misspelt word: `; did you mean 'x'?` or the empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


@functools.cache
def _decoder(kind: Any, strict: bool) -> Decode:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(kind, strict)
    if origin in (tuple, list):
        return _sequence(kind, strict)
    if origin in (dict, Mapping):
        return _mapping(kind, strict)
    if origin is typing.Literal:
        return functools.partial(_choice, typing.get_args(kind))
    if kind is Any:  # before 3.14 `Any` is a class too
        return lambda value, _path: value
    if isinstance(kind, type):
        return _plain(kind, strict)
    raise TypeError(f"no decoder for {kind!r}")


def _plain(kind: type, strict: bool) -> Decode:
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, strict)
    if issubclass(kind, enum.Enum):
        return functools.partial(_enum, kind)
    if kind in _SCALARS:
        return _written if strict and kind is str else _SCALARS[kind]
    raise TypeError(f"no decoder for {kind!r}")


def _dataclass(cls: Any, strict: bool) -> Decode:
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    decoders = {name: _bounded(_decoder(hints[name], strict), f) for name, f in fields.items()}
    required = [n for n, f in fields.items() if _is_required(f)]

    def read(value: object, path: str) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise DecodeError(path, f"expected a table, got {_describe(value)}")
        if strict:
            _refuse_unknown(value, decoders, path)
        made = {key: decoders[key](item, _join(path, key)) for key, item in value.items() if key in decoders}
        for name in required:
            if name not in made:
                raise DecodeError(_join(path, name), "is required")
        return _construct(cls, made, path)

    return read


def _refuse_unknown(table: dict[Any, Any], known: Mapping[str, Decode], path: str) -> None:
    for key in table:
        if key not in known:
            raise DecodeError(_join(path, str(key)), "unknown key" + nearest(str(key), known))


def _construct(cls: Any, made: dict[str, Any], path: str) -> Any:
    try:
        return cls(**made)
    except DecodeError as e:
        raise DecodeError(_join(path, e.path), e.problem) from e
    except ValueError as e:
        raise DecodeError(path, str(e)) from e


def _bounded(inner: Decode, f: dataclasses.Field[Any]) -> Decode:
    """Add what a field's metadata ask for: the range `low` to `high`, or a `check` that tells a problem."""
    low, high = f.metadata.get("low"), f.metadata.get("high")
    if (check := f.metadata.get("check")) is not None:
        return _checked(inner, check)
    if low is None and high is None:
        return inner

    def read(value: object, path: str) -> Any:
        made = inner(value, path)
        if made is None:
            return None
        if (low is not None and made < low) or (high is not None and made > high):
            raise DecodeError(path, f"{_show(made)} is outside {_range(low, high)}")
        return made

    return read


def _checked(inner: Decode, check: Callable[[Any], str | None]) -> Decode:
    def read(value: object, path: str) -> Any:
        made = inner(value, path)
        if made is not None and (problem := check(made)):
            raise DecodeError(path, problem)
        return made

    return read


def _range(low: float | None, high: float | None) -> str:
    return f"{'-∞' if low is None else low} … {'∞' if high is None else high}"


def _optional(kind: Any, strict: bool) -> Decode:
    inner = [a for a in typing.get_args(kind) if a is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"no decoder for the union {kind!r}")
    read_inner = _decoder(inner[0], strict)
    return lambda value, path: None if value is None else read_inner(value, path)


def _sequence(kind: Any, strict: bool) -> Decode:
    args = typing.get_args(kind)
    fixed = [_decoder(a, strict) for a in args if a is not Ellipsis]
    is_open = len(args) == 1 or args[-1] is Ellipsis

    def read(value: object, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise DecodeError(path, f"expected a list, got {_describe(value)}")
        if not is_open and len(value) != len(fixed):
            raise DecodeError(path, f"expected {len(fixed)} items, got {len(value)}")
        item = fixed[0]
        return tuple((item if is_open else fixed[i])(v, f"{path}[{i}]") for i, v in enumerate(value))

    return read


def _mapping(kind: Any, strict: bool) -> Decode:
    _, value_kind = typing.get_args(kind)
    inner = _decoder(value_kind, strict)

    def read(value: object, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise DecodeError(path, f"expected a table, got {_describe(value)}")
        return {str(k): inner(v, _join(path, str(k))) for k, v in value.items()}

    return read


def _choice(choices: tuple[Any, ...], value: object, path: str) -> Any:
    if isinstance(value, str | int) and not isinstance(value, bool) and value in choices:
        return value
    known = ", ".join(repr(c) for c in choices)
    raise DecodeError(path, f"{_show(value)} is not one of {known}")


def _enum(kind: type[enum.Enum], value: object, path: str) -> enum.Enum:
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            hint = nearest(value, [str(m.value) for m in kind])
            raise DecodeError(path, f"{_show(value)} is not a known {kind.__name__}{hint}") from None
    raise DecodeError(path, f"expected text, got {_describe(value)}")


def _int(value: object, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DecodeError(path, f"expected a whole number, got {_describe(value)}")


def _float(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(path, f"expected a number, got {_describe(value)}")
    try:
        number = float(value)
    except OverflowError as e:
        raise DecodeError(path, "the number is too large") from e
    if not math.isfinite(number):
        raise DecodeError(path, f"expected a finite number, got {number}")
    return number


def _decimal(value: object, path: str) -> Decimal:
    """As it was written, when the parser keeps that; of a float the shortest that reads as the same."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise DecodeError(path, f"expected a number, got {_describe(value)}{_as_number(value)}")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise DecodeError(path, f"expected a finite number, got {value}")
    if abs(number.adjusted()) > _DIGITS or len(number.as_tuple().digits) > _DIGITS:
        raise DecodeError(path, f"{_show(value)} has more than {_DIGITS} digits")
    return number


def _as_number(value: object) -> str:
    """A hint for a number between quotes."""
    if isinstance(value, str):
        try:
            return f"; write {Decimal(value.replace(',', '.'))} without quotes"
        except InvalidOperation:
            pass
    return ""


def _date(value: object, path: str) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise DecodeError(path, f"expected a date such as 2026-09-01 without quotes, got {_describe(value)}")


def _str(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise DecodeError(path, f"expected text, got {_describe(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DecodeError(path, f"text with half a character: {value!a:.60}") from None
    return value


def _written(value: object, path: str) -> str:
    """Text of a file that people write; a NUL in it ends every name that a system is handed."""
    text = _str(value, path)
    if "\0" in text:
        raise DecodeError(path, f"text with a NUL: {_show(text)}")
    return text


def _bool(value: object, path: str) -> bool:
    if isinstance(value, bool):
        return value
    raise DecodeError(path, f"expected true or false, got {_describe(value)}")


_SCALARS: dict[Any, Decode] = {
    int: _int,
    float: _float,
    str: _str,
    bool: _bool,
    Decimal: _decimal,
    dt.date: _date,
}


def _is_required(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


_WORDS: dict[type, str] = {
    dict: "a table",
    list: "a list",
    str: "text",
    bool: "true/false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    dt.date: "a date",
    dt.datetime: "a date with a time",
    type(None): "nothing",
}


def _describe(value: object) -> str:
    return f"{_WORDS.get(type(value), type(value).__name__)} ({_show(value)})"


def _show(value: object) -> str:
    text = str(value) if isinstance(value, Decimal | dt.date) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
