# SPDX-License-Identifier: Apache-2.0
"""Which code counted? Two installations of the same source say the same."""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_COUNTS = ("agent/contract", "collector/evidence", "collector/reports", "collector/sla", "collector/judge")
_SUFFIXES = (".py", ".html", ".css", ".toml", ".json")


@functools.cache
def code_version() -> str:
    """`0.1.0+` and twelve digits of the SHA-256 of all that has a say in the figures or their page."""
    digest = hashlib.sha256()
    for path in sorted(p.relative_to(_ROOT).as_posix() for p in _sources()):
        digest.update(f"{path}\n".encode())
        digest.update(hashlib.sha256((_ROOT / path).read_bytes()).digest())
    return f"{_release()}+{digest.hexdigest()[:12]}"


def _sources() -> list[Path]:
    found = [p for part in _COUNTS for p in (_ROOT / part).rglob("*") if p.suffix in _SUFFIXES]
    return [*found, *(_ROOT / "collector").glob("*.py")]


def _release() -> str:
    try:
        return metadata.version("schoolpulse")
    except metadata.PackageNotFoundError:
        return "0"
