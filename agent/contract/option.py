# SPDX-License-Identifier: Apache-2.0
"""How is one key of a TOML table declared: its sentence, its default, its range?"""

from __future__ import annotations

import dataclasses
from typing import Any


def option(
    doc: str, default: Any, *, low: float | None = None, high: float | None = None, example: Any = None
) -> Any:
    """A key with a default; the decoder checks its range, the documents are made from its sentence.

    Args:
        doc: what it is, for whoever writes the file.
        default: what holds when it is left out; None where that is nothing at all.
        low: smallest value.
        high: largest value.
        example: what the example file shows where the default is None.
    """
    metadata = {"doc": doc, "low": low, "high": high, "example": example}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def required(doc: str, example: Any, *, low: Any = None, high: Any = None) -> Any:
    """A key that must be there.

    Args:
        doc: what it is, for whoever writes the file.
        example: what the example file shows.
        low: smallest value, a number or a day.
        high: largest value.
    """
    return dataclasses.field(metadata={"doc": doc, "low": low, "high": high, "example": example})
