# SPDX-License-Identifier: Apache-2.0
"""Which revisions of a month are there, and how does the newest stand?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import CollectorError
from collector.evidence import manifest
from collector.evidence.configuration import FOLDER as CONFIGURATION
from collector.evidence.difference import Standing
from collector.evidence.files import FIGURES, SLOTS
from collector.evidence.manifest import Manifest

PREVIOUS = "previous"
KEPT = (manifest.FILE, manifest.SIGNATURE, FIGURES, SLOTS)
"""What a revision keeps of the one before it."""
_NAME = re.compile(r"rev([1-9]\d{0,5})")
REVISION_FOLDER = re.compile(r"\d{4}-\d{2}/" + _NAME.pattern)
"""What the last two folders of a revision are called where it was closed, and where it was copied whole."""


class SpoiledRevision(CollectorError):
    """A revision that was closed is not what it was; none is put on top of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One that is there."""

    number: int
    folder: Path


def revisions(month_folder: Path) -> list[Revision]:
    """All of a month, oldest first."""
    if not month_folder.is_dir():
        return []
    named = [(_NAME.fullmatch(p.name), p) for p in month_folder.iterdir()]
    found = [Revision(number=int(match[1]), folder=path) for match, path in named if match]
    return sorted(found, key=lambda r: r.number)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a revision.

    Raises:
        SpoiledRevision: it cannot be read, or its signature does not hold.
    """
    try:
        content = (folder / manifest.FILE).read_bytes()
        found = manifest.parse(content)
        problem = manifest.signature_problem(content, (folder / manifest.SIGNATURE).read_bytes(), found.key)
    except (OSError, ValueError, RecursionError) as e:
        raise SpoiledRevision(f"{folder}: {e}; verify says more") from e
    if problem is not None:
        raise SpoiledRevision(f"{folder}: {manifest.SIGNATURE} {problem}")
    return found


def standing(found: Manifest, files: Mapping[str, bytes]) -> Standing:
    """How a revision stands, of its manifest and its `KEPT` files.

    Raises:
        ValueError: they are not what such files are.
    """
    slots: dict[str, Any] = json.loads(files[SLOTS])
    return Standing(
        figures=json.loads(files[FIGURES]),
        slots={school: str(one["runs"]) for school, one in slots.items()},
        records={school: int(one["records"]) for school, one in slots.items()},
        configuration={
            line.path.removeprefix(f"{CONFIGURATION}/"): line.sha256
            for line in found.files
            if line.path.startswith(f"{CONFIGURATION}/")
        },
    )
