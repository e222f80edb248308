# SPDX-License-Identifier: Apache-2.0
"""How is one quantity of a record declared: its sentence, its range, its place among InfluxDB's tags?

A figure out of its range is refused where it arrives, with its record: nothing that cannot be is stored as
if it had been measured. Upper bounds are far from anything real, as a bound too low would lose what is true.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from agent.contract.histogram import problem_of

MOST = 2**63 - 1024
"""The largest double that a whole number of InfluxDB and SQLite (64 bits, signed) can hold, too."""

MOST_TIME_MS = 86_400_000
"""Nothing is waited for as long as a day."""

MOST_MBPS = 1_000_000
"""Ten times what the agent itself believes (`agent.throughput.validity`)."""


def key(doc: str) -> Any:
    """The text that tells several records of one kind apart (a target, an interface); an InfluxDB tag."""
    return dataclasses.field(metadata={"doc": doc, "key": True})


def number(doc: str, *, low: float = 0, high: float = MOST) -> Any:
    """A measured number, None when it was not measured; its unit is in its name."""
    return dataclasses.field(default=None, metadata={"doc": doc, "low": low, "high": high})


def signed(doc: str) -> Any:
    """A number that may be below nought."""
    return number(doc, low=-MOST)


def lapse(doc: str) -> Any:
    """Milliseconds that something took, None when it was not measured."""
    return number(doc, high=MOST_TIME_MS)


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
    return dataclasses.field(default=None, metadata={"doc": doc, "histogram": True, "check": problem_of})
