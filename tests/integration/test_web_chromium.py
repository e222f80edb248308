# SPDX-License-Identifier: Apache-2.0
"""Does a real browser show 105 schools as they are, on a wall and a telephone, and ask nobody else?"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.health import Health
from collector.web.options import WebOptions
from collector.web.server import serve
from collector.web.view import View
from tests.integration.web_browser import Browser, browser
from tests.integration.web_fleet import Country
from tests.unit.collector.web.fakes import NOW_MS
from tests.unit.collector.web.site import EVIL

pytestmark = [pytest.mark.parts("chromium"), pytest.mark.timeout(180)]

PICTURES = Path("build/screenshots")
WALL = (1920, 1080)
DESK = (1366, 768)
PHONE = (390, 844)
SMALL_PHONE = (360, 740)

DOWN, DEGRADED, UNKNOWN, PENDING, SATELLITE = "kz-00004", "kz-00003", "kz-00006", "kz-00025", "kz-00000"


@contextlib.asynccontextmanager
async def shown(directory: Path) -> AsyncIterator[tuple[Browser, str, Country]]:
    """The made-up country served, every day of it read, and a browser."""
    country = Country(NOW_MS)
    health = Health(mqtt_connected=True)
    view = View(registry=country, reader=country, health=health, now=lambda: NOW_MS / 1000)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    options = WebOptions(port=0, refresh_every_s=600)
    serving = asyncio.create_task(serve(options, view, started=address.set_result))
    async with browser(directory) as tab:
        yield tab, (await address).rstrip("/"), country
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def until_there(tab: Browser, url: str) -> None:
    """Open a page until the store was read for the first time."""
    for _ in range(60):
        await tab.open(url, DESK)
        if "One moment" not in await tab.text():
            tab.complaints.clear()  # that the store was still being read
            return
        await asyncio.sleep(0.5)
    pytest.fail("the store was never read")


async def until_read(tab: Browser, url: str) -> None:
    """Open the overview until each school that reported has its figures."""
    for _ in range(60):
        await tab.open(url, WALL)
        if not await tab.ask(
            "[...document.querySelectorAll('tr.up td.since')].some(e => e.innerText == '≥ 59 min')"
        ):
            tab.complaints.clear()  # that the store was still being read
            return
        await asyncio.sleep(0.5)
    pytest.fail("the days were never all read")


async def test_overview_and_school_pages_in_a_browser(tmp_path: Path) -> None:
    async with shown(tmp_path) as (tab, url, country):
        await until_read(tab, url)
        await overview_tells_all_states(tab, url, country)
        await unknown_looks_like_nothing_else(tab, url)
        await filters_lead_to_the_right_schools(tab, url)
        await school_pages_tell_their_stories(tab, url)
        await nothing_sticks_out(tab, url)
        await pictures_are_kept(tab, url)
        assert {r.split("/")[2] for r in tab.requested} == {url.split("/")[2]}
        assert tab.complaints == []


async def overview_tells_all_states(tab: Browser, url: str, country: Country) -> None:
    await tab.open(url, WALL)
    text = await tab.text()
    counted = await tab.ask("[...document.querySelectorAll('.tile b')].slice(0, 5).map(e => +e.innerText)")
    assert counted == [18, 5, 7, 4, 71]
    assert await tab.ask("document.querySelectorAll('table.schools tbody tr').length") == 105
    assert all(school.name in text for school in country.schools())
    assert set("ӘҒҚӨҰҮҺІңғқұі") <= set(text)
    assert "Asia/Almaty (UTC+5)" in text
    assert "14 down of 15" in text


async def unknown_looks_like_nothing_else(tab: Browser, url: str) -> None:
    await tab.open(f"{url}/?sort=name", WALL)
    script = """Object.fromEntries(['up', 'degraded', 'down', 'unknown'].map(state =>
        [state, getComputedStyle(document.querySelector(`table .strip rect.${state}`)).fill]))"""
    fills = await tab.ask(script)
    assert "hatch" in fills["unknown"]
    assert len(set(fills.values())) == 4
    words = await tab.ask(
        "[...document.querySelectorAll('tbody .badge')].every(e => e.innerText && e.querySelector('use'))"
    )
    assert words is True


async def filters_lead_to_the_right_schools(tab: Browser, url: str) -> None:
    await tab.open(url, DESK)
    tab.loaded.clear()
    await tab.ask("document.querySelector('.tile.unknown').click()")
    await tab.loaded.wait()
    await tab.open(f"{url}/?state=unknown", DESK)
    text = await tab.text()
    assert "7 of 105 schools" in text
    assert await tab.ask(
        "[...document.querySelectorAll('tbody .badge')].every(e => e.innerText == 'Unknown')"
    )
    await tab.open(f"{url}/?q=%D3%99%D0%B9%D1%82%D0%B5%D0%BA%D0%B5", DESK)
    assert "Әйтеке би" in await tab.text()


async def school_pages_tell_their_stories(tab: Browser, url: str) -> None:
    expected = {
        DOWN: ("Down", "at the school", "still going on", "412 records", "timeout"),
        DEGRADED: ("Degraded", "Outages in the last 24 h", "12 min"),
        UNKNOWN: ("Unknown", "last seen", "2 h 26 min"),
        PENDING: ("Pending", "has never reported"),
        SATELLITE: ("Up", "satellite GEO", "728 ms", "eth0", "13.5 GB"),
    }
    for school_id, said in expected.items():
        await tab.open(f"{url}/school/{school_id}", DESK)
        text = await tab.text()
        assert not [s for s in said if s not in text], (school_id, text[:600])
    gaps = "document.querySelectorAll('.chart')[0].querySelectorAll('.silence, path.line').length"
    await tab.open(f"{url}/school/{SATELLITE}", DESK)
    assert await tab.ask(gaps) >= 4


async def nothing_sticks_out(tab: Browser, url: str) -> None:
    script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for size in (WALL, DESK, (1325, 800), (1000, 800), (861, 800), PHONE, SMALL_PHONE):
        for path in ("/", f"/school/{DOWN}", "/none"):
            await tab.open(url + path, size)
            assert await tab.ask(script) <= 0, (size, path)
    tab.complaints = [c for c in tab.complaints if "404" not in c]


async def pictures_are_kept(tab: Browser, url: str) -> None:
    for name, path in (
        ("overview", "/"),
        ("school", f"/school/{SATELLITE}"),
        ("school-down", f"/school/{DOWN}"),
    ):
        for screen, size in (("desktop", WALL), ("phone", PHONE)):
            for scheme in ("light", "dark"):
                await tab.open(url + path, size, scheme=scheme)
                await tab.picture(PICTURES / f"{name}-{screen}-{scheme}.png")


async def test_hostile_name_is_only_text_in_a_browser(tmp_path: Path) -> None:
    async with shown(tmp_path) as (tab, url, country):
        place = country.places[SATELLITE]
        evil = dataclasses.replace(
            place.school, name=EVIL + "<img src=x onerror=alert(1)>", region=EVIL, operator=EVIL
        )
        country.places[SATELLITE] = dataclasses.replace(place, school=evil)
        await until_there(tab, url)
        for path in ("/", f"/school/{SATELLITE}"):
            await tab.open(url + path, DESK)
            assert EVIL in await tab.text()
            assert await tab.ask("document.querySelectorAll('script, img, [onerror]').length") == 0
        assert tab.complaints == []
