# SPDX-License-Identifier: Apache-2.0
"""Which figures of a record that is being made cannot be, so that whoever reads it would refuse the whole?

A driver that counts `2**64 - 1`, a division that came to no number: the figure is left out and named, the
rest of the record is kept.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from agent.contract.kinds import KINDS, Fields

_Check = tuple[str, Any]


def possible(fields: Fields) -> tuple[Fields, tuple[str, ...]]:
    """The fields without the figures that cannot be, and the names of those."""
    made: Any = fields
    values = ((name, getattr(made, name), meta) for name, meta in _checked(made.kind))
    absurd = tuple(name for name, value, meta in values if value is not None and not _can_be(value, meta))
    return (dataclasses.replace(made, **dict.fromkeys(absurd)) if absurd else fields), absurd


@functools.cache
def _checked(kind: str) -> tuple[_Check, ...]:
    found = {f.name: f.metadata for f in dataclasses.fields(KINDS[kind])}
    return tuple((name, meta) for name, meta in found.items() if "low" in meta or "check" in meta)


def _can_be(value: Any, meta: Any) -> bool:
    """NaN is within no bounds."""
    if "check" in meta:
        return meta["check"](value) is None
    return bool(meta["low"] <= value <= meta["high"])
