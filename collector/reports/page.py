# SPDX-License-Identifier: Apache-2.0
"""How do a month's figures become one page that needs nothing else: no script, no picture, no address?"""

from __future__ import annotations

import dataclasses
import functools
import zoneinfo
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import jinja2
from markupsafe import Markup

from collector.reports import graph
from collector.reports.catalogue import Words, words
from collector.reports.change import Change
from collector.reports.compare import LEAST_RANKED
from collector.reports.frozen import Frozen
from collector.reports.model import Figures, OutageLine, SchoolMonth
from collector.reports.tally import FAULTS, STANDINGS, Group, group, grouped, standing
from collector.sla.cost import Costs
from collector.sla.penalty import Day

MOST_ROWS = 600
"""Lines of one table on the page; all of them are in the sheets."""
_TEMPLATES = Path(__file__).with_name("templates")
STANDARDS = ("contract", "kazakhstan_pilot", "itu")
COSTS = tuple(f.name for f in dataclasses.fields(Costs) if f.name != "fee")
_FILL = {"provider": "down_provider", "power": "power", "school": "down_other", "unknown": "unknown"}


def page(figures: Figures, frozen: Frozen, changes: Sequence[Change], language: str) -> str:
    """The report in one language."""
    w, zone = words(language), zoneinfo.ZoneInfo(figures.zone)
    return _jinja().get_template("report.html").render(
        f=figures,
        frozen=frozen,
        changes=changes,
        w=w,
        t=w.say,
        time=functools.partial(_time, w, zone),
        whole=group("", figures.schools),
        operators=grouped(figures, lambda s: s.operator),
        parameters=dict(figures.parameters),
        floor=graph.scale_floor(s.service.availability for s in figures.schools),
        by_id={s.school: s for s in figures.schools},
        several={name: n > 1 for name, n in Counter(s.school for s in figures.schools).items()},
        outages=_longest(figures.outages),
        judged_schools=[s for s in figures.schools if s.figures is not None],
        owing=[s for s in figures.schools if s.figures is not None and s.figures.counted.penalties],
        priced=[s for s in figures.schools if s.figures is not None and s.figures.costs],
        drawn=_Drawn(w, figures),
    )  # fmt: skip


def _time(w: Words, zone: zoneinfo.ZoneInfo, at_ms: int | None) -> str:
    return w.time(at_ms, zone)


def _longest(outages: Sequence[OutageLine]) -> list[OutageLine]:
    """Those that fit the page, in the order of time."""
    kept = sorted(outages, key=lambda o: (-o.service_minutes, -o.wall_minutes, o.id))[:MOST_ROWS]
    return sorted(kept, key=lambda o: (o.began_ms, o.school, o.id))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The pictures, with words in the page's language."""

    w: Words
    figures: Figures

    def standings(self, whole: Group) -> Markup:
        """Schools by verdict."""
        n = whole.standings
        said = {s.lower(): self.w.number(n[s]) for s in STANDINGS}
        parts = [(s.lower(), n[s], self.w.say(f"verdict.{s.lower()}")) for s in STANDINGS]
        return graph.proportions(parts, title=self.w.say("glance.bar", **said))

    def faults(self, lost: Mapping[str, int]) -> Markup:
        """Hours lost by whose fault."""
        parts = [(_FILL[f], lost[f], f"{self.w.say(f'fault.{f}')}: {self.hours(lost[f])}") for f in FAULTS]
        return graph.proportions(parts, title="; ".join(said for _, n, said in parts if n))

    def hours(self, minutes: int | Fraction) -> str:
        """Minutes as hours, for large sums."""
        return self.w.say("unit.hours", n=self.w.number(Fraction(minutes, 60), 1))

    def day_numbers(self) -> Markup:
        """The head of the calendar."""
        days = next((s.days for s in self.figures.schools if s.days), ())
        return graph.day_numbers([str(day.day.day) for day in days])

    def key(self, kind: str) -> Markup:
        """The little square of a legend."""
        return graph.proportions([(_FILL.get(kind, kind), 1, "")], title="")

    def days(self, school: SchoolMonth) -> Markup:
        """A school's month."""
        said = [self._day(day) for day in school.days]
        return graph.month_grid(school.days, said, title=f"{school.school} {school.name}")

    def bounds(self, school: SchoolMonth, floor: Fraction) -> Markup:
        """Availability, bounds and target."""
        counts = school.service
        said = " … ".join(map(self.w.share, (counts.lower, counts.availability, counts.upper)))
        return graph.bounds(counts, school.target, floor=floor, title=said)

    def interval(self, low: float, mean: float, high: float, floor: Fraction) -> Markup:
        """A mean with its interval."""
        said = f"{self.w.share(low)} … {self.w.share(mean)} … {self.w.share(high)}"
        return graph.interval(low, mean, high, floor=float(floor), title=said)

    def _day(self, day: Day) -> str:
        if not day.counts.all:
            return f"{day.day}: {self.w.say('class.closed')}"
        kinds = [(k, getattr(day.counts, k)) for k in graph.ORDER]
        return f"{day.day}: " + ", ".join(
            f"{self.w.say(f'class.{k}')} {self.w.hours(n)}" for k, n in kinds if n
        )


@functools.cache
def _jinja() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "STANDINGS": STANDINGS,
        "FAULTS": FAULTS,
        "ORDER": graph.ORDER,
        "MOST_ROWS": MOST_ROWS,
        "LEAST_RANKED": LEAST_RANKED,
        "STANDARDS": STANDARDS,
        "COSTS": COSTS,
        "style": Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        "standing": standing,
        "fraction": Fraction,
    }
    return made
