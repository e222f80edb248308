# SPDX-License-Identifier: Apache-2.0
"""Which files does a bundle hold beside its evidence, each made from the figures alone?"""

from __future__ import annotations

from collections.abc import Sequence

from collector.evidence.figures import Counted
from collector.evidence.manifest import Extent, canonical
from collector.reports.catalogue import LANGUAGES
from collector.reports.change import Change
from collector.reports.frozen import Frozen
from collector.reports.page import page
from collector.reports.plain import to_plain
from collector.reports.tables import sheets

FIGURES, SLOTS = "figures.json", "slots.json"


def numbers(counted: Counted) -> dict[str, bytes]:
    """The figures themselves."""
    slots = {
        school: {"runs": runs, "records": counted.records[school]} for school, runs in counted.slots.items()
    }
    return {FIGURES: canonical(to_plain(counted.figures)), SLOTS: canonical(slots)}


def pages(counted: Counted, frozen: Frozen, changes: Sequence[Change]) -> dict[str, bytes]:
    """What people read: a page in each language, and the tables."""
    made = {
        f"report.{word}.html": page(counted.figures, frozen, changes, word).encode() for word in LANGUAGES
    }
    return {**made, **sheets(counted.figures, changes)}


def frozen_by(
    *,
    revision: int,
    previous: int | None,
    counted: Counted,
    configuration_sha256: str,
    code: str,
    key: str,
    extent: Extent,
) -> Frozen:
    """What the page prints of it."""
    return Frozen(
        revision=revision,
        previous=previous,
        data_sha256=counted.data_sha256,
        configuration_sha256=configuration_sha256,
        code=code,
        key=key,
        journal_end=extent.end,
        journal_root=extent.root,
        entries=extent.entries,
    )
