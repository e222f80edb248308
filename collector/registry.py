# SPDX-License-Identifier: Apache-2.0
"""Which schools are there, and at which of them did a device stand at a given time?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """One school and the labels of its link; unknown labels are empty."""

    id: str
    name: str = ""
    country: str = ""
    region: str = ""
    operator: str = ""
    technology: str = ""
    contract: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One device at one school for a while; None is open-ended. The end does not belong to it any more."""

    device: str
    school: str
    from_ms: int | None = None
    to_ms: int | None = None

    def covers(self, at_ms: int) -> bool:
        """Whether the device stood there at that time."""
        return (self.from_ms is None or self.from_ms <= at_ms) and (self.to_ms is None or at_ms < self.to_ms)

    def overlaps(self, other: Placement) -> bool:
        """Whether there is a time at which both hold."""
        return _before(self.from_ms, other.to_ms) and _before(other.from_ms, self.to_ms)


@dataclass(frozen=True)
class _Contents:
    """What one reading of the file said."""

    placements: tuple[Placement, ...]
    by_id: dict[str, School]
    by_device: dict[str, list[Placement]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for placement in self.placements:
            self.by_device.setdefault(placement.device, []).append(placement)


@dataclass
class Registry:
    """Schools and placements that have been checked against each other (`collector.enrolment`).

    Any thread may ask while another lets it become what the file says now.
    """

    _now: _Contents = field(default_factory=lambda: _Contents((), {}))

    @classmethod
    def of(cls, schools: Iterable[School], placements: Iterable[Placement]) -> Registry:
        """A registry of these; every placement's school is among them."""
        return cls(_Contents(tuple(placements), {school.id: school for school in schools}))

    def become(self, other: Registry) -> None:
        """Say from now on what another says."""
        self._now = other._now

    def schools(self) -> tuple[School, ...]:
        """Every school, in the order of the file."""
        return tuple(self._now.by_id.values())

    def knows(self, device: str) -> bool:
        """Whether the device is registered, wherever it stands."""
        return device in self._now.by_device

    def devices(self) -> tuple[str, ...]:
        """Every registered device."""
        return tuple(self._now.by_device)

    def devices_of(self, school_id: str) -> tuple[Placement, ...]:
        """Which devices ever stood at a school, and when."""
        return tuple(p for p in self._now.placements if p.school == school_id)

    def school_of(self, device: str, at_ms: int) -> School | None:
        """Where a device stood at a time; None when it is not registered or stood nowhere then."""
        now = self._now
        for placement in now.by_device.get(device, ()):
            if placement.covers(at_ms):
                return now.by_id[placement.school]
        return None


def _before(start_ms: int | None, end_ms: int | None) -> bool:
    return start_ms is None or end_ms is None or start_ms < end_ms
