# SPDX-License-Identifier: Apache-2.0
"""What is one difference between two revisions of a month?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs from the revision before; what, and how it was and is."""

    school: str
    what: str
    before: str
    after: str
