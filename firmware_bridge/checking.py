# SPDX-License-Identifier: Apache-2.0
"""Can this value be? Only what lies in the range that the record's kind states becomes part of a record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from agent.contract.kinds import Fields
from firmware_bridge.protocols.at_fields import may_be_private

F = TypeVar("F", bound=Fields)


def checked(kind: type[F], keys: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[F, tuple[str, ...]]:
    """A record's fields, and what of the values was refused, as `name=value`.

    Raises:
        KeyError: the kind has no field of that name.
    """
    ranges = {f.name: f.metadata for f in dataclasses.fields(kind)}
    good: dict[str, Any] = {}
    refused = []
    for name, value in values.items():
        if value is None:
            continue
        if _is_within(value, ranges[name]):
            good[name] = value
        else:
            refused.append(f"{name}={'…' if may_be_private(str(value)) else value}")
    made: Callable[..., F] = kind
    return made(**keys, **good), tuple(refused)


def is_possible(kind: type[Fields], name: str, value: Any) -> bool:
    """Whether a value is in the range of the kind's field.

    Raises:
        KeyError: the kind has no field of that name.
    """
    return _is_within(value, {f.name: f.metadata for f in dataclasses.fields(kind)}[name])


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Later parts know better than earlier ones, but for what they do not know."""
    return {name: value for part in parts for name, value in part.items() if value is not None}


def _is_within(value: Any, metadata: Mapping[str, Any]) -> bool:
    if isinstance(value, bool | str):
        return True
    low, high = metadata.get("low"), metadata.get("high")
    is_finite = math.isfinite(value)
    return is_finite and (low is None or value >= low) and (high is None or value <= high)
