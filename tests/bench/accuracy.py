# SPDX-License-Identifier: Apache-2.0
"""Where do benches write their tables? Into docs/accuracy.md, each into a part of its own."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"


def write_part(name: str, text: str) -> None:
    """Replace what stands between `<!-- bench NAME -->` and `<!-- end NAME -->`.

    Raises:
        ValueError: there is no such place, or more than one.
    """
    place = re.compile(rf"(<!-- bench {name}\b[^>]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
    written, count = place.subn(lambda found: f"{found[1]}\n{text}\n{found[2]}", DOCUMENT.read_text())
    if count != 1:
        raise ValueError(f"{DOCUMENT}: {count} places for the bench {name}, not one")
    DOCUMENT.write_text(written)
