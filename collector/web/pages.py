# SPDX-License-Identifier: Apache-2.0
"""Which address answers with what?"""

from __future__ import annotations

import asyncio
import functools
import json

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from collector.sinks.base import SinkUnavailable
from collector.web import alerts, api, healthz, inside, metrics, overview, school
from collector.web.board import Board
from collector.web.fleet import Fleet
from collector.web.healthz import Part
from collector.web.options import WebOptions
from collector.web.query import Query
from collector.web.templating import STATIC, Pages, times
from collector.web.view import View
from collector.web.wording import Times

PATIENCE_S = 3.0
"""How long a visitor waits for the first reading of the store."""

STATIC_TYPES = {"style.css": "text/css", "favicon.svg": "image/svg+xml"}


class Site:
    """The handlers and what they share."""

    def __init__(self, options: WebOptions, view: View, board: Board) -> None:
        self._options = options
        self._view = view
        self._board = board
        self._pages = Pages()

    def routes(self) -> list[web.RouteDef]:
        """The map of the site."""
        return [
            web.get("/", self.overview),
            web.get("/school/{id}", self.school),
            web.get("/api/schools.json", self.schools_json),
            web.get("/api/alerts.json", self.alerts_json),
            web.get("/collector", self.collector),
            web.get("/healthz", self.healthz),
            web.get("/checkpoints", self.checkpoints),
            web.get("/metrics", self.metrics),
            web.get("/static/{name}", self.static),
            web.get("/favicon.ico", self.favicon),
        ]

    async def overview(self, request: web.Request) -> web.Response:
        """All schools."""
        if not await self._is_ready():
            return self._not_ready()
        query, fleet = Query.of(request.query), self._fleet()
        shown = self._times(query)
        made = overview.make(fleet, query, shown, per_page=self._options.schools_per_page)
        shared = {"view": made, "query": query, "fleet": fleet, "times": shown}
        return self._html("overview.html", **shared, alerts=alerts.make(self._view))

    async def school(self, request: web.Request) -> web.Response:
        """One school."""
        if not await self._is_ready():
            return self._not_ready()
        query, fleet = Query.of(request.query), self._fleet()
        found = fleet.school(request.match_info["id"])
        if found is None:
            return self.message(
                404, "No such school", "Neither the registry nor the store knows this school."
            )
        devices = self._devices(found.id)
        read = functools.partial(school.Found.read, self._view.reader, found.id, fleet.now_ms, devices)
        try:
            records = await self._board.ask(read)
        except SinkUnavailable as e:
            return self.message(503, "The store cannot be read", str(e))
        seen = self._board.last_seen.get(found.id)
        make = functools.partial(school.make, devices=devices, seen=seen)
        made = await asyncio.to_thread(make, fleet, found, records, self._times(query))
        return self._html("school.html", view=made, query=query, fleet=fleet, times=self._times(query))

    async def collector(self, request: web.Request) -> web.Response:
        """The collector itself."""
        query, fleet = Query.of(request.query), self._fleet()
        made = inside.make(self._view, self._parts(), tuple(fleet.schools()), self._board.lost)
        return self._html("collector.html", view=made, query=query, fleet=fleet, times=self._times(query))

    async def schools_json(self, request: web.Request) -> web.Response:
        """All schools, for machines."""
        if not await self._is_ready():
            return web.json_response(
                {"problem": self._board.problem or "the store is being read"}, status=503
            )
        query = Query.of(request.query)
        made = api.answer(self._fleet(), query, per_page=self._options.schools_per_page)
        return web.json_response(made, dumps=functools.partial(json.dumps, ensure_ascii=False))

    async def alerts_json(self, _request: web.Request) -> web.Response:
        """What fires, for machines."""
        made = alerts.answer(self._view)
        return web.json_response(made, dumps=functools.partial(json.dumps, ensure_ascii=False))

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while every part works."""
        found = self._parts()
        return web.json_response(healthz.answer(found), status=503 if healthz.failing(found) else 200)

    async def checkpoints(self, _request: web.Request) -> web.Response:
        """The journal's newest checkpoint, for whoever wants to keep it."""
        line = self._view.health.checkpoint
        if line is None:
            return web.json_response({"problem": "no checkpoint has been made yet"}, status=404)
        return web.Response(text=line + "\n", content_type="application/jsonl")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus."""
        fleet = self._fleet()
        registered = {s.id for s in self._view.registry.schools()}
        schools = tuple(s for s in fleet.schools() if s.id in registered)
        devices = {p.device for s in registered for p in self._view.registry.devices_of(s)}
        scrape = metrics.Scrape(
            health=self._view.health,
            records=self._board.records,
            schools=schools,
            lost={device: n for device, n in self._board.lost.items() if device in devices},
            now_ms=self._view.now_ms(),
            firing=self._view.firing(),
        )
        return web.Response(body=metrics.text(scrape), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def static(self, request: web.Request) -> web.Response:
        """The style sheet and the icon; a name that is not listed is never a path."""
        kind = STATIC_TYPES.get(request.match_info["name"])
        if kind is None:
            raise web.HTTPNotFound
        body = (STATIC / request.match_info["name"]).read_bytes()
        return web.Response(body=body, content_type=kind, headers={"Cache-Control": "public, max-age=86400"})

    async def favicon(self, _request: web.Request) -> web.Response:
        """For browsers that ask without being told."""
        return web.Response(status=302, headers={"Location": "/static/favicon.svg"})

    def message(self, status: int, title: str, text: str) -> web.Response:
        """A page that says one thing."""
        page = self._pages.render("message.html", title=title, text=text, refresh_s=None)
        return _answer(page, status=status)

    def _html(self, name: str, **values: object) -> web.Response:
        shared = {
            "options": self._options,
            "refresh_s": max(5, round(self._options.refresh_every_s)),
            "troubles": healthz.failing(self._parts()),
        }
        return _answer(self._pages.render(name, **shared, **values))

    def _fleet(self) -> Fleet:
        return Fleet(self._view, self._board, self._options)

    def _parts(self) -> tuple[Part, ...]:
        return healthz.parts(self._view.health, self._board.problem)

    def _times(self, query: Query) -> Times:
        return times("UTC" if query.tz == "utc" else self._options.time_zone)

    def _devices(self, school_id: str) -> tuple[str, ...]:
        """Those that stand there now; where the registry names none, the one last heard of."""
        placed = self._view.registry.devices_of(school_id)
        standing = tuple(p.device for p in placed if p.covers(self._view.now_ms()))
        seen = self._board.last_seen.get(school_id)
        return standing or ((seen.device,) if seen else ())

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._board.ready.wait()
        except TimeoutError:
            return False
        return True

    def _not_ready(self) -> web.Response:
        problem = self._board.problem
        text = (
            f"The store cannot be read: {problem}"
            if problem
            else "The store is being read for the first time."
        )
        page = self._pages.render("message.html", title="One moment", text=text, refresh_s=5)
        answer = _answer(page, status=503)
        answer.headers["Retry-After"] = "5"
        return answer


def _answer(page: str, *, status: int = 200) -> web.Response:
    """A page as bytes; what is no Unicode (a lone surrogate in a stored text) is shown as a question mark."""
    body = page.encode("utf-8", "replace")
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8")
