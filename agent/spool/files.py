# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder hold the spool, and which have another in their place already?

`00000012.blocks` is a file by its number. `00000005-00000012.blocks` came in the place of all from 5 to 12:
what is still there of those does not count, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SUFFIX = ".blocks"
_NAME = re.compile(r"(?:(\d{1,18})-)?(\d{1,18})\.blocks", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A file's name; its number is `last`."""

    last: int
    first: int

    def __str__(self) -> str:
        span = "" if self.first == self.last else f"{self.first:08d}-"
        return f"{span}{self.last:08d}{SUFFIX}"

    def covers(self, other: Name) -> bool:
        """Whether it came in the place of the other."""
        return self != other and self.first <= other.first and other.last <= self.last


def read_names(names: Iterable[str]) -> tuple[list[Name], list[Name]]:
    """Files that count, oldest first, and those that do not any more; others' names are passed over."""
    matches = [m for n in names if (m := _NAME.fullmatch(n))]
    found = [name for m in matches if str(name := Name(int(m[2]), int(m[1] or m[2]))) == m[0]]
    covered = [n for n in found if any(other.covers(n) for other in found)]
    return sorted(set(found) - set(covered)), sorted(covered)
