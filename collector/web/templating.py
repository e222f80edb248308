# SPDX-License-Identifier: Apache-2.0
"""How do figures become HTML: every value escaped, every missing name an error?"""

from __future__ import annotations

import functools
import hashlib
import urllib.parse
import zoneinfo
from pathlib import Path
from typing import Any

import jinja2

from collector.web import wording
from collector.web.chart.stack import stack
from collector.web.query import LABELS, SORTS
from collector.web.school import said
from collector.web.state import State
from collector.web.wording import Times

STATIC = Path(__file__).with_name("static")


class Pages:
    """The templates, with the words they use."""

    def __init__(self) -> None:
        loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
        self._jinja = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters |= {
            "duration": wording.duration,
            "age": wording.age,
            "ms": wording.milliseconds,
            "percent": wording.percent,
            "bit_rate": wording.bit_rate,
            "volume": wording.volume,
            "number": wording.number,
            "iso": wording.iso,
            "said": said,
            "quoted": functools.partial(urllib.parse.quote, safe=""),
            "stack": stack,
        }
        self._jinja.globals |= {
            "ABSENT": wording.ABSENT,
            "STATES": wording.STATES,
            "CAUSES": wording.CAUSES,
            "OUTAGE_CAUSES": wording.OUTAGE_CAUSES,
            "TIME_BASES": wording.TIME_BASES,
            "LABELS": LABELS,
            "SORTS": SORTS,
            "State": State,
            "style": f"/static/style.css?{_digest('style.css')}",
        }

    def render(self, name: str, **values: Any) -> str:
        """One page."""
        return self._jinja.get_template(name).render(values)


@functools.cache
def times(zone: str) -> Times:
    """Times of a zone."""
    return Times(zoneinfo.ZoneInfo(zone))


@functools.cache
def _digest(name: str) -> str:
    """Changes with the file, so that a browser may keep what it has."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
