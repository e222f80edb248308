# SPDX-License-Identifier: Apache-2.0
"""How is the page served: where it listens, and what every answer carries?"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from collector.web.board import Board
from collector.web.options import WebOptions
from collector.web.pages import Site
from collector.web.view import View

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer. No script at all is allowed, none is needed."""

SHUTDOWN_S = 2.0
WORTH_PACKING = 4096

MESSAGES = {
    404: ("No such page", "The overview is where everything begins."),
    405: ("Not allowed", "This page can only be read."),
}

log = logging.getLogger("collector.web")


class PageUnavailable(Exception):
    """The page cannot be served; the message names the address and the key to change."""


async def serve(options: WebOptions, view: View, *, started: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled.

    Args:
        options: the table `[web]`.
        view: what may be shown.
        started: called with the page's address once it listens.

    Raises:
        PageUnavailable: the address cannot be listened on.
    """
    if not options.enabled:
        return
    board = Board(view, refresh_every_s=options.refresh_every_s)
    runner = web.AppRunner(application(options, view, board), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        address = await _listen(runner, options)
        log.info("page.served address=%s", address)
        if started:
            started(address)
        await board.run()
    finally:
        await runner.cleanup()
        board.close()


def application(options: WebOptions, view: View, board: Board) -> web.Application:
    """The routes and what surrounds them."""
    site = Site(options, view, board)

    @web.middleware
    async def surround(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(site, request, handler)
        response.headers.update({k: v for k, v in HEADERS.items() if k not in response.headers})
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Server"] = "schoolpulse"
        if isinstance(response, web.Response) and (response.content_length or 0) > WORTH_PACKING:
            response.enable_compression()
        return response

    app = web.Application(middlewares=[surround])
    app.add_routes(site.routes())
    return app


async def _answer(site: Site, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or a page that says what was wrong without repeating what was asked."""
    try:
        return await handler(request)
    except web.HTTPException as e:
        title, text = MESSAGES.get(e.status, ("Not understood", "The request could not be read."))
        return site.message(e.status, title, text)
    except Exception:
        log.exception("page.failed path=%r", request.path)
        return site.message(
            500, "Something went wrong here", "The collector's log says what; it goes on collecting."
        )


async def _listen(runner: web.AppRunner, options: WebOptions) -> str:
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except (OSError, OverflowError) as e:
        where = f"{options.host}:{options.port}"
        raise PageUnavailable(f"cannot listen on {where} ({e}); change `web.port` or `web.host`") from e
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
