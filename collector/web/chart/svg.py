# SPDX-License-Identifier: Apache-2.0
"""How is a piece of SVG put together so that no text can break out of it?"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """One element. `stroke_width` becomes `stroke-width`, `class_` becomes `class`; None is left out."""
    given = ((k.rstrip("_").replace("_", "-"), v) for k, v in attributes.items() if v is not None)
    start = "".join(f' {key}="{escape(_written(value))}"' for key, value in given)
    inside = "".join(str(escape(c)) for c in children)
    return Markup(f"<{name}{start}>{inside}</{name}>" if inside else f"<{name}{start}/>")  # noqa: S704 - every part is escaped above


def share(place: float) -> str:
    """A place from 0 to 1 as a percentage of the width."""
    return f"{place * 100:.2f}%"


def path(points: Iterable[tuple[float, float]]) -> str:
    """A line through points in units of a 1000 × 100 box; a single point becomes a dot under a round cap."""
    drawn = [f"{x * 1000:.1f} {y * 100:.1f}" for x, y in points]
    return f"M{drawn[0]}h0" if len(drawn) == 1 else "M" + "L".join(drawn)


def _written(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
