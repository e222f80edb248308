# SPDX-License-Identifier: Apache-2.0
"""Does a real browser show a month's page whole, on a screen, a telephone and paper, in letters it has?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collector.reports.catalogue import LANGUAGES, words
from collector.reports.page import page
from tests.integration.web_browser import Browser, browser
from tests.unit.collector.reports.samples import CHANGES, FROZEN, figures

pytestmark = [pytest.mark.parts("chromium"), pytest.mark.timeout(180)]

PICTURES = Path("build/screenshots")
SCREEN, PHONE, PAPER = (1280, 900), (390, 844), (1032, 730)
"""Paper: A4 on its side less its margins, at 96 dpi."""
CLIPPED = """[...document.querySelectorAll('td, th, h1, h2, h3, p, .tile span, .tile b')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && !e.closest('.scroll'))
    .map(e => e.innerText.slice(0, 40))"""
SPILLED = """[...document.querySelectorAll('.scroll')]
    .filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => e.innerText.slice(0, 40))"""
EMPTY = (
    "[...document.querySelectorAll('svg.parts, svg.days, svg.bounds')].filter(e => !e.children.length).length"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Address of the page in each language."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for language in LANGUAGES:
        path = folder / f"report.{language}.html"
        path.write_text(page(figures(), FROZEN, CHANGES, language))
        made[language] = path.as_uri()
    return made


async def fonts(tab: Browser) -> set[str]:
    """Names of the fonts in which the page's letters are drawn."""
    await tab.say("DOM.enable")
    await tab.say("CSS.enable")
    root: dict[str, Any] = await tab.say("DOM.getDocument", depth=1)
    found: dict[str, Any] = await tab.say(
        "DOM.querySelectorAll", nodeId=root["root"]["nodeId"], selector="h1, h3, td, small, b"
    )
    names: set[str] = set()
    for node in found["nodeIds"][:60]:
        used = await tab.say("CSS.getPlatformFontsForNode", nodeId=node)
        names |= {str(font["familyName"]) for font in used["fonts"]}
    return names


async def test_nothing_is_clipped_on_a_screen_a_telephone_or_paper(
    pages: dict[str, str], tmp_path: Path
) -> None:
    looked_at = 0
    async with browser(tmp_path / "profile") as tab:
        for language, url in pages.items():
            for name, size, media in (
                ("screen", SCREEN, "screen"),
                ("phone", PHONE, "screen"),
                ("paper", PAPER, "print"),
            ):
                await tab.open(url, size)
                await tab.say("Emulation.setEmulatedMedia", media=media)
                where = f"{language}, {name}"
                assert await tab.ask("document.documentElement.scrollWidth") <= size[0], where
                assert await tab.ask(CLIPPED) == [], where
                assert await tab.ask(EMPTY) == 0, where
                if name == "paper":
                    assert await tab.ask(SPILLED) == [], (where, await tab.ask(SPILLED))
                await tab.picture(PICTURES / f"report-{language}-{name}.png")
                looked_at += 1
        assert {url for url in tab.requested if url not in pages.values()} == set()
        assert tab.complaints == []

    assert looked_at == 9


async def test_the_first_screen_shows_every_verdict_and_the_hours_lost(
    pages: dict[str, str], tmp_path: Path
) -> None:
    async with browser(tmp_path / "profile") as tab:
        for language, url in pages.items():
            w = words(language)
            await tab.open(url, SCREEN)
            seen = await tab.ask(
                "[...document.querySelectorAll('h3, .tile span, .big, .legend li')]"
                ".filter(e => e.getBoundingClientRect().bottom <= innerHeight).map(e => e.innerText)"
            )
            for key in (
                "verdict.breached",
                "verdict.indeterminate",
                "verdict.met",
                "glance.lost",
                "glance.breached_schools",
            ):
                assert w.say(key) in seen, (language, key)
            for fault in ("provider", "power", "school", "unknown"):
                assert any(w.say(f"fault.{fault}") in said for said in seen), (language, fault)


async def test_every_letter_is_drawn_in_the_font_that_is_asked_for(
    pages: dict[str, str], tmp_path: Path
) -> None:
    async with browser(tmp_path / "profile") as tab:
        for url in pages.values():
            await tab.open(url, SCREEN)
            assert await fonts(tab) <= {"DejaVu Sans", "DejaVu Sans Mono"}
