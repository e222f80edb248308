# SPDX-License-Identifier: Apache-2.0
"""Which schools and devices are there now, and of which of them is nothing to be told?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from collector.alerts.alarm import Alarm
from collector.registry import Registry, School

_LABELS = ("country", "region", "operator", "technology", "contract")


def _nobody(_: School) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What the registry says at a moment.

    Attributes:
        schools: by id.
        at: school of each device that stands somewhere.
        is_muted: whether nothing is to be told of a school.
    """

    schools: Mapping[str, School]
    at: Mapping[str, str]
    is_muted: Callable[[School], bool] = _nobody

    @classmethod
    def of(cls, registry: Registry, now_ms: int, is_muted: Callable[[School], bool] = _nobody) -> Fleet:
        """As the registry says."""
        found = {d: s.id for d in registry.devices() if (s := registry.school_of(d, now_ms)) is not None}
        return cls(schools={s.id: s for s in registry.schools()}, at=found, is_muted=is_muted)

    def school(self, alarm: Alarm, *, is_device: bool) -> School | None:
        """The school that an alarm is about; None where it, or its device there, is no more."""
        if is_device:
            return self.schools.get(self.at.get(alarm.subject, ""))
        return self.schools.get(alarm.subject)

    def is_quiet(self, alarm: Alarm) -> bool:
        """Whether nothing is to be told of the alarm's school."""
        school = self.schools.get(alarm.school)
        return school is None or self.is_muted(school)


def labels(school: School) -> dict[str, str]:
    """What hooks choose by and receivers group by; empty ones are left out."""
    found = {name: value for name, value in dataclasses.asdict(school).items() if name in _LABELS and value}
    return {"school": school.id, **found}
