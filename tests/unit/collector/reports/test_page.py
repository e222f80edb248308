# SPDX-License-Identifier: Apache-2.0
"""Does the page say what the figures say, alone, safely, and the same twice?"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from collector.reports.catalogue import LANGUAGES, words
from collector.reports.model import Figures
from collector.reports.page import page
from collector.reports.tally import STANDINGS, group
from tests.unit.collector.reports.samples import CHANGES, FROZEN, figures

EMPTY = Figures(
    month="2026-11",
    zone="Asia/Almaty",
    from_ms=0,
    to_ms=1,
    parameters=(("open_after", "3"), ("close_after", "3")),
)


class Reader(HTMLParser):
    """Which elements, addresses and words there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in {"href", "src", "action", "xlink:href", "data"}]
        self.ids += [v or "" for k, v in attrs if k == "id"]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_needs_nothing_else_and_runs_nothing(language: str) -> None:
    found = read(page(figures(), FROZEN, CHANGES, language))

    assert set(found.tags) & {"script", "img", "iframe", "object", "embed", "form", "link", "base"} == set()
    assert len(found.addresses) >= 10
    assert [a for a in found.addresses if a.removeprefix("#") not in found.ids] == []
    assert "url(http" not in page(figures(), FROZEN, CHANGES, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_month_of_nothing_has_a_page_too(language: str) -> None:
    said = " ".join(read(page(EMPTY, FROZEN, (), language)).said)

    assert words(language).say("page.none") in said
    assert "nan" not in said.lower().split()


def test_names_cannot_break_out_of_the_page() -> None:
    html = page(figures(), FROZEN, CHANGES, "en")

    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_figures_give_the_same_bytes_in_any_process(language: str) -> None:
    code = (
        "import sys; from collector.reports.page import page; from collector.reports.tables import sheets;"
        "from tests.unit.collector.reports.samples import *; f = figures();"
        f"made = page(f, FROZEN, CHANGES, {language!r}).encode();"
        "sys.stdout.buffer.write(made + b''.join(sheets(f, CHANGES).values()))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "America/New_York"))
    ]

    assert len(made[0]) > 50_000
    assert made[0] == made[1]


def test_the_first_screen_says_who_met_who_did_not_and_how_many_hours_by_whose_fault() -> None:
    month = figures()
    whole = group("", month.schools)
    said = " ".join(" ".join(read(page(month, FROZEN, (), "en")).said).split())
    first = said[: said.index("By operator")]

    assert min(whole.standings[s] for s in STANDINGS) >= 1
    for verdict, word in (("BREACHED", "Breached"), ("INDETERMINATE", "Cannot be told"), ("MET", "Met")):
        assert f"{whole.standings[verdict]} {word}" in first
    hours = sum(s.service_whole.all - s.service_whole.good for s in month.schools) / 60
    assert f"{hours:,.1f}" in first.replace("\u00a0", " ")
    assert re.search(
        r"Operator: [\d.,]+ h Power: [\d.,]+ h Other causes at the school: [\d.,]+ h Not known: [\d.,]+ h",
        first.replace("\u00a0", " "),
    )


def test_the_parts_of_the_lost_time_add_up_to_what_was_not_good() -> None:
    for school in figures().schools:
        whole = group("", [school])
        assert sum(whole.lost.values()) == school.service_whole.lost_to_pupils


def test_what_changed_is_listed_only_in_a_later_revision() -> None:
    later = dataclasses.replace(FROZEN, revision=2, previous=1)

    assert 'id="changes"' not in page(figures(), FROZEN, (), "en")
    assert "service.down_provider" in page(figures(), later, CHANGES, "en")
    assert words("en").say("note.unchanged") in page(figures(), later, (), "en")


def test_every_percentage_of_availability_has_its_counts_beside_it() -> None:
    html = page(figures(), FROZEN, (), "en")
    school = figures().schools[1]

    counts = school.service
    assert f"{counts.good:,} / {counts.attributed:,}" in html
    assert f"{counts.good:,} / {counts.all:,}" in html
    assert f"{counts.all - counts.unknown:,} / {counts.all:,}" in html


def test_every_shape_has_a_colour_of_its_own_where_no_style_sheet_reaches_into_pictures() -> None:
    html = page(figures(), FROZEN, (), "en")
    shapes = re.findall(r"<(?:rect|circle|line|text) [^>]*>", html[html.index("</defs>") :])

    assert len(shapes) >= 300
    assert [s for s in shapes if "fill=" not in s and "stroke=" not in s] == []
