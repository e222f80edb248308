# SPDX-License-Identifier: Apache-2.0
"""Do many schools have one reason?

Of one operator, or of one region, at least three and three in ten of those that report went within five
minutes of each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from collector.registry import School

LEAST_SCHOOLS = 3
LEAST_SHARE = Fraction(3, 10)
TOGETHER_MS = 300_000
LABELS = ("operator", "region")


@dataclass(frozen=True, slots=True)
class Group:
    """Schools that went together.

    Attributes:
        label: operator or region; name: which one.
        members: schools, earliest first.
    """

    label: str
    name: str
    members: tuple[str, ...]


def groups(gone: Mapping[str, int], reporting: Iterable[str], schools: Mapping[str, School]) -> list[Group]:
    """Groups that went together, operators before regions; a school is in one group only.

    Args:
        gone: since when, by school.
        reporting: schools of which something was heard lately; who just went counts as one that reported.
        schools: by id.
    """
    left, found = {school: since for school, since in gone.items() if school in schools}, []
    heard = [schools[s] for s in reporting if s in schools]
    for label in LABELS:
        others: dict[str, set[str]] = defaultdict(set)
        for school in heard:
            others[getattr(school, label)].add(school.id)
        for name, members in _by(label, left, schools).items():
            those = together([(left[m], m) for m in members])
            size = len({*others[name], *those})
            if name and len(those) >= LEAST_SCHOOLS and len(those) >= LEAST_SHARE * size:
                found.append(Group(label, name, tuple(those)))
                left = {s: since for s, since in left.items() if s not in set(those)}
    return found


def _by(label: str, gone: Mapping[str, int], schools: Mapping[str, School]) -> dict[str, list[str]]:
    """Schools by what their label says, earliest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for school_id in sorted(gone, key=lambda s: (gone[s], s)):
        found[getattr(schools[school_id], label)].append(school_id)
    return found


def together(dated: list[tuple[int, str]]) -> list[str]:
    """The largest number that began within `TOGETHER_MS`, of times and schools in order."""
    first = end = low = 0
    for high, (since_ms, _) in enumerate(dated):
        while since_ms - dated[low][0] > TOGETHER_MS:
            low += 1
        if high + 1 - low > end - first:
            first, end = low, high + 1
    return [school for _, school in dated[first:end]]
