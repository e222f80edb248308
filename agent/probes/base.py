# SPDX-License-Identifier: Apache-2.0
"""What is a probe, and how does it say what it found or why it found nothing?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, runtime_checkable

from agent.contract.kinds import Fields
from agent.contract.option import option
from agent.contract.reason import Reason


class ProbeFailed(Exception):
    """The whole measurement gave no figure; becomes a record with this reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Finding:
    """One record's worth of result: figures, or a reason beside whatever keys and figures are known."""

    fields: Fields
    reason: Reason | None = None
    detail: str | None = None


Reading = tuple[Finding, ...]
"""What one round of a probe found, one finding per target, interface or device."""


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """Keys that every probe's table has; the scheduler reads them, the probe does not.

    Attributes:
        table: its name in the configuration and the registry; its kind's unless several probes make one.
    """

    table: ClassVar[str]
    kind: ClassVar[str]

    enabled: bool = option("whether the probe runs", True)
    every_s: float = option("seconds from one start to the next", 60.0, low=1, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 55.0, low=0.1, high=86400
    )

    def __init_subclass__(cls) -> None:
        """A probe that does not say otherwise is named after the kind of its records."""
        if "kind" in cls.__dict__ and "table" not in cls.__dict__:
            cls.table = cls.kind


class Probe(Protocol):
    """One file, one frozen class whose fields are its TOML table, one method.

    Attributes:
        table: its name.
        kind: of its records.
    """

    table: ClassVar[str]
    kind: ClassVar[str]

    @property
    def enabled(self) -> bool: ...
    @property
    def every_s(self) -> float: ...
    @property
    def deadline_s(self) -> float: ...

    async def measure(self) -> Reading:
        """Measure once.

        Raises:
            ProbeFailed: nothing at all could be measured; the only exception allowed out.
        """
        ...


@runtime_checkable
class CostsData(Probe, Protocol):
    """A probe that loads the line: it has its turn by the table `[plan]`, not by the scheduler's grid."""

    def estimate_bytes(self) -> int:
        """Most one round moves, both ways, at the IP layer."""
        ...

    def least_bytes(self) -> int:
        """With less than so much no figure can be had."""
        ...

    def within(self, max_bytes: int) -> Self | None:
        """The same, told to move no more than this; None when that is too little."""
        ...
