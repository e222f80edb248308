# SPDX-License-Identifier: Apache-2.0
"""Does every language say everything, in letters that the page's font has?"""

from __future__ import annotations

import ast
import re
import string
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from collector.reports import catalogue
from collector.reports.catalogue import LANGUAGES, words
from collector.reports.page import COSTS, STANDARDS
from collector.reports.tally import FAULTS, STANDINGS
from collector.sla.allowance import Refusal
from collector.sla.cause import Cause, Confidence
from collector.sla.exclusion import ExclusionType, ScopeKind, Status
from collector.sla.slot import SlotClass
from collector.sla.standards import GigaClass

ROOM = Path(catalogue.__file__).parent
KAZAKH = "ӘәҒғҚқҢңӨөҰұҮүҺһІі₸"
FONTS = Path("/usr/share/fonts/truetype/dejavu")
_KEY = re.compile(r"[\"']((?:[a-z_]+\.)+\w+)[\"']")
_PREFIX = re.compile(r"[\"']((?:[a-z]+\.)(?:[a-z]+_)?)[\"'] ~|f['\"]([a-z]+\.[a-z]*)\{")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_language_has_every_key_with_the_same_values_to_fill_in() -> None:
    english = words("en").text

    assert {p.stem for p in catalogue.FOLDER.glob("*.toml")} == set(LANGUAGES)
    assert len(english) >= 240
    for language in LANGUAGES:
        text = words(language).text
        assert set(text) ^ set(english) == set(), language
        assert [k for k in text if placeholders(text[k]) != placeholders(english[k])] == [], language
        assert [k for k, said in text.items() if not said] == [], language


@pytest.mark.parametrize("language", ["ru", "kk"])
def test_nothing_was_left_in_english(language: str) -> None:
    text, english = words(language).text, words("en").text
    same = {k for k in text if text[k] == english[k] and re.search("[A-Za-z]{2}", placeholders_gone(text[k]))}

    assert same <= {"standard.giga"}


def placeholders_gone(text: str) -> str:
    return re.sub(r"\{\w+\}", "", text)


def test_every_key_that_a_template_asks_for_is_there_and_no_other() -> None:
    text = words("en").text
    source = "".join(p.read_text() for p in [*ROOM.glob("*.py"), *ROOM.glob("templates/*.html")])
    prefixes = {a or b for a, b in _PREFIX.findall(source)}
    sections = {key.partition(".")[0] for key in text}
    asked = {k for k in _KEY.findall(source) if k.partition(".")[0] in sections and not k.endswith("_")}

    assert len(asked) >= 100
    assert asked - set(text) == set()
    assert [k for k in text if k not in asked and not any(k.startswith(p) for p in prefixes)] == []


def test_every_word_of_the_judges_vocabularies_is_translated() -> None:
    needed = {
        "cause": [c.value for c in Cause],
        "confidence": [c.value for c in Confidence],
        "class": [c.name.lower() for c in SlotClass],
        "exclusion": [*(t.value for t in ExclusionType), *(s.value for s in Status)],
        "scope": [s.value for s in ScopeKind],
        "refusal": [r.value for r in Refusal],
        "giga": [g.value for g in GigaClass],
        "verdict": [s.lower() for s in STANDINGS],
        "fault": list(FAULTS),
        "standard": list(STANDARDS),
        "cost": list(COSTS),
    }
    asked = [f"{section}.{word}" for section, each in needed.items() for word in each]

    assert len(asked) >= 50
    assert [key for key in asked if key not in words("kk").text] == []


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"])
def test_the_pages_font_has_every_letter_of_every_language(name: str) -> None:
    known = TTFont(FONTS / name).getBestCmap()
    said = {char for language in LANGUAGES for text in words(language).text.values() for char in text}

    assert len(said) >= 120
    assert sorted(char for char in said | set(KAZAKH) if ord(char) not in known) == []


def test_the_page_asks_for_that_font_first() -> None:
    assert 'font: 14px/1.45 "DejaVu Sans"' in (ROOM / "templates" / "style.css").read_text()


@pytest.mark.parametrize(
    ("language", "value", "places", "expected"),
    [
        ("en", 1234567, 0, "1,234,567"),
        ("en", Decimal("1234.5"), 1, "1,234.5"),
        ("ru", Decimal("1234.5"), 1, "1\u00a0234,5"),
        ("kk", Fraction(-5, 2), 0, "−3"),
        ("en", 0.05, 1, "0.1"),
        ("en", None, 0, "–"),
        ("en", 999, 0, "999"),
        ("en", 1000, 0, "1,000"),
        ("en", 0, 2, "0.00"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(
    language: str, value: Decimal | float | Fraction | None, places: int, expected: str
) -> None:
    assert words(language).number(value, places) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (Fraction(98_999_999, 100_000_000), "98.99\u00a0%"),
        (Fraction(99, 100), "99.00\u00a0%"),
        (Fraction(1), "100.00\u00a0%"),
        (Fraction(2, 3), "66.66\u00a0%"),
        (0.29, "29.00\u00a0%"),
        (None, "–"),
    ],
)
def test_a_share_is_cut_so_that_it_never_reads_as_a_target_it_missed(
    ratio: Fraction | float | None, expected: str
) -> None:
    assert words("en").share(ratio) == expected


def test_no_code_asks_for_the_clock_or_the_locale() -> None:
    sources = [*ROOM.glob("*.py")]
    named = {
        node.id if isinstance(node, ast.Name) else node.attr
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name | ast.Attribute)
    }

    assert len(sources) >= 8
    assert named & {"now", "today", "utcnow", "strptime", "locale", "setlocale", "hash", "urandom"} == set()
