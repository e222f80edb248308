# SPDX-License-Identifier: Apache-2.0
"""By what is a revision of a month frozen?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What a revision is frozen by, as the page prints it.

    Attributes:
        previous: number of the revision that this one replaces.
        entries: of the journal, up to `journal_end`.
    """

    revision: int
    previous: int | None
    data_sha256: str
    configuration_sha256: str
    code: str
    key: str
    journal_end: str
    journal_root: str
    entries: int
