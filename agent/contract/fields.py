# SPDX-License-Identifier: Apache-2.0
"""How is one quantity of a record declared: its sentence, its range, its place among InfluxDB's tags?"""

from __future__ import annotations

import dataclasses
from typing import Any


def key(doc: str) -> Any:
    """The text that tells several records of one kind apart (a target, an interface); an InfluxDB tag."""
    return dataclasses.field(metadata={"doc": doc, "key": True})


def number(doc: str, *, low: float | None = 0, high: float | None = None) -> Any:
    """A measured number, None when it was not measured; its unit is in its name."""
    return dataclasses.field(default=None, metadata={"doc": doc, "low": low, "high": high})


def ratio(doc: str) -> Any:
    """A share between 0 and 1, None when it was not measured."""
    return number(doc, high=1)


def flag(doc: str) -> Any:
    """True, false or None (not known); 1, 0 or absent in InfluxDB."""
    return dataclasses.field(default=None, metadata={"doc": doc})


def text(doc: str) -> Any:
    """A word of a small vocabulary; kept as evidence, never an InfluxDB field."""
    return dataclasses.field(default=None, metadata={"doc": doc})


def histogram(doc: str) -> Any:
    """Buckets of `agent.contract.histogram`; None when it was not measured."""
    return dataclasses.field(default=None, metadata={"doc": doc, "histogram": True})
