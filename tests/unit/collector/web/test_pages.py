# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.contract.kinds import Dns, Host, Latency
from collector.condition import Condition
from collector.health import Health
from collector.registry import School
from collector.web.api import ENVELOPE, FIELDS
from collector.web.board import Board
from collector.web.options import WebOptions
from collector.web.server import application
from tests.unit.collector.web.fakes import NOW_MS, Reader, Seen, Stored, view
from tests.unit.collector.web.site import EVIL, client, one_school

PLAIN = School(
    id="kz-1", name="№1 Әйтеке би", region="Алматы облысы", operator="Operator B", technology="LTE"
)
HOSTILE = School(id=f"../{EVIL}", name=EVIL, region=EVIL, operator=EVIL, technology=EVIL, contract=EVIL)


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def get(path: str, *schools: School, reader: Reader | None = None, status: int = 200) -> str:
    shown = reader or (one_school(schools[0]) if schools else Reader())
    async with client(view(shown, *schools)) as site, site.get(path) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main>")[2]))


async def test_overview_tells_state_age_and_figures() -> None:
    page = words(await get("/", PLAIN, School(id="kz-2", name="Бөрлі")))
    assert "№1 Әйтеке би" in page
    assert "1 min ago" in page
    assert "7.3 ms" in page
    assert "never" in page
    assert "of 2 schools" in page


async def test_overview_tells_how_old_its_view_is() -> None:
    async with client(view(one_school(PLAIN), PLAIN)) as site:
        assert "view 0 s old" in words(await (await site.get("/")).text())


async def test_school_page_does_not_say_never_when_the_store_was_not_looked_at() -> None:
    shown = view(Reader(), PLAIN)
    board = Board(shown, refresh_every_s=1)
    board.ready.set()
    async with TestClient(TestServer(application(WebOptions(), shown, board))) as site:
        page = words(await (await site.get("/school/kz-1")).text())
        overview = words(await (await site.get("/")).text())
    board.close()
    assert "not known whether it ever reported" in page
    assert "never " not in overview.partition("Region")[2]


async def test_overview_is_calm_when_there_is_no_school() -> None:
    assert "No school is registered" in await get("/")


async def test_overview_says_so_when_no_school_matches() -> None:
    page = await get("/?q=nothing&state=up", PLAIN)
    assert "No school matches" in page


async def test_overview_is_cut_into_pages_when_there_are_many() -> None:
    schools = [School(id=f"kz-{i:03}") for i in range(25)]
    async with client(view(Reader(), *schools), WebOptions(schools_per_page=10)) as site:
        pages = [await (await site.get(f"/?sort=name&page={n}")).text() for n in (1, 3, 99)]
    assert "page 1 of 3" in pages[0]
    assert "kz-024" in pages[1]
    assert "kz-024" in pages[2]
    assert "Previous" in pages[1]
    assert "Next" not in pages[1].partition("Pages")[2]


async def test_times_are_local_and_can_be_utc() -> None:
    assert "18 Nov 2026 16:07:00" in await get("/", PLAIN)
    utc = await get("/?tz=utc", PLAIN)
    assert "18 Nov 2026 11:07:00" in utc
    assert "/school/kz-1?tz=utc" in utc


async def test_trouble_of_the_collector_is_told_on_every_page() -> None:
    health = Health(mqtt_connected=True, journal_problem="disk full")
    async with client(view(one_school(PLAIN), PLAIN, health=health)) as site:
        page = await (await site.get("/")).text()
        answer = await site.get("/healthz")
        assert answer.status == 503
        assert (await answer.json())["failing"] == ["journal"]
    assert "Collector: journal" in page
    assert "disk full" in page


async def test_the_collectors_page_tells_its_parts_figures_and_silent_devices() -> None:
    health = Health.of(["influxdb"])
    health.sinks["influxdb"].problem = "429 Too Many Requests"
    health.dead_letters, health.pause_s, health.checkpoint = 4_711, 90, '{"date":"2026-11-18"}'
    health.messages_refused["unknown_device"] = 12
    health.heard_ms["pi-kz-1"] = NOW_MS - 7_200_000
    health.device_drops["pi-kz-1"] = 31
    host = Host(spool_records=54_321, spool_oldest_s=7 * 86_400.0, spool_dropped=678)
    health.conditions["pi-kz-1"] = Condition(clock_age_s=540, host=host)
    other = School(id="kz-2", name="Never heard")
    async with client(view(one_school(PLAIN), PLAIN, other, health=health)) as site:
        answer = await site.get("/collector")
        page = words(await answer.text())
    for said in ("429 Too Many Requests", "4 711", "hold back for", "2026-11-18", "unknown_device", "31"):
        assert said in page
    for said in ("54 321", "7 d", "678", "good 9 min ago"):
        assert said in page
    assert page.index("not since the start") < page.index("2 h")


async def test_school_page_tells_everything() -> None:
    page = words(await get("/school/kz-1", PLAIN))
    for said in (
        "№1 Әйтеке би",
        "Latency to 1.1.1.1",
        "3 records, oldest 1 min",
        "last set 12 s before",
        "pi-kz-1",
    ):
        assert said in page
    for said in ("Outages in the last 24 h", "9 min", "provider side", "sent later", "timeout"):
        assert said in page
    assert "lookup_ms=12.5" in page
    assert "rtt_histogram" not in page
    assert "pi-gone" not in page


async def test_school_page_is_short_when_it_never_reported() -> None:
    page = words(await get("/school/kz-2", PLAIN, School(id="kz-2")))
    assert "has never reported" in page
    assert "Newest records" not in page


async def test_school_page_opens_when_only_the_store_knows_it() -> None:
    reader = Reader(seen={"new": Seen(at_ms=NOW_MS - 10, received_ms=NOW_MS)})
    assert "No latency record" in await get("/school/new", reader=reader)


@pytest.mark.parametrize(
    "path", ["/school/none", "/none", "/school/", "/school", "/static/none.css", "/api/"]
)
async def test_page_is_not_found_when_the_address_is_wrong(path: str) -> None:
    page = await get(path, PLAIN, status=404)
    assert "To the overview" in page
    assert "none" not in page.replace("'none'", "").partition("<main>")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2foptions.py",
        "/static/%2e%2e/options.py",
        "/static/..%5coptions.py",
        "/school/..%2f..%2fetc%2fpasswd",
        "/..%2f..%2fetc/passwd",
        "/static/%00",
    ],
)
async def test_nothing_outside_is_read_when_the_path_climbs(path: str) -> None:
    assert "root:" not in await get(path, PLAIN, status=404)


async def test_no_name_becomes_markup() -> None:
    reader = one_school(HOSTILE)
    async with client(view(reader, HOSTILE, School(id="b"))) as site:
        overview = await (await site.get("/", params={"q": "script", "region": EVIL})).text()
        link = next(
            a["href"] for tag, a in Tags(overview).found if tag == "a" and "/school/" in (a.get("href") or "")
        )
        school = await (await site.get(link or "", allow_redirects=False)).text()
    for page in (overview, school):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert not [a for _, attrs in Tags(page).found for a in attrs if a.startswith("on") or a == "style"]


async def test_school_page_opens_when_a_stored_text_is_no_unicode() -> None:
    reader = one_school(PLAIN)
    lone = "dns-\ud800"
    told = (Dns(target=lone, lookup_ms=3.0), Latency(target=lone, sent=1, received=1))
    reader.stored["kz-1"] += [Stored(at_ms=NOW_MS - 9, kind=f.kind, fields=f, detail=lone) for f in told]
    page = await get("/school/kz-1", PLAIN, reader=reader)
    assert "target=dns-?" in page
    assert "Latency to dns-?" in page


async def test_pages_name_no_other_host() -> None:
    for path in ("/", "/school/kz-1", "/none"):
        async with client(view(one_school(PLAIN), PLAIN)) as site, site.get(path) as answer:
            tags = Tags(await answer.text()).found
            policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert not [
            v
            for _, a in tags
            for k, v in a.items()
            if k in {"href", "src", "action"} and (v or "").startswith(("http", "//"))
        ]


async def test_api_has_the_documented_fields_and_no_other() -> None:
    made = json.loads(await get("/api/schools.json?state=up", PLAIN, School(id="kz-2")))
    assert set(made) == set(ENVELOPE)
    (school,) = made["schools"]
    assert set(school) == set(FIELDS)
    assert (school["name"], school["state"], school["data_age_s"]) == ("№1 Әйтеке би", "up", 60.0)
    assert (made["total"], made["matching"], made["counts"]["pending"]) == (2, 1, 1)
    assert school["strip"][-1][0] == "up"


async def test_metrics_name_registered_schools_only() -> None:
    reader = one_school(PLAIN)
    reader.seen["stranger"] = Seen(at_ms=1, received_ms=1)
    page = await get("/metrics", PLAIN, reader=reader)
    assert 'schoolpulse_school_data_age_seconds{school="kz-1"} 60.0' in page
    assert "stranger" not in page


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 503), ("/school/kz-1", 503), ("/api/schools.json", 503), ("/healthz", 503), ("/metrics", 200)],
)
async def test_page_asks_for_patience_when_the_store_was_never_read(
    path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.web.pages.PATIENCE_S", 0.01)
    async with client(view(Reader(problem="no such file"), PLAIN)) as site, site.get(path) as answer:
        assert answer.status == status
        assert status == 200 or "no such file" in await answer.text()


async def test_page_is_being_read_when_the_first_pass_is_not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.web.pages.PATIENCE_S", 0.01)
    async with client(view(Reader(), PLAIN), is_read=False) as site, site.get("/") as answer:
        assert "being read for the first time" in await answer.text()


async def test_overview_stays_when_the_store_goes_away_and_the_school_page_says_so() -> None:
    reader = one_school(PLAIN)
    async with client(view(reader, PLAIN)) as site:
        reader.problem = "disk gone"
        assert (await site.get("/")).status == 200
        answer = await site.get("/school/kz-1")
        assert answer.status == 503
        assert "disk gone" in await answer.text()
