# SPDX-License-Identifier: Apache-2.0
"""Where does a device go that has no certificate yet?

One HTTPS address that takes one small JSON document and answers with another. Whoever has no token gets a
sentence and nothing else; how often an address may ask is limited.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import web

from agent.contract.enrolment import MAX_REQUEST_BYTES, Issued, encode
from collector.authority.authority import Authority
from collector.authority.errors import Refused
from collector.authority.options import PATH, AuthorityOptions

log = logging.getLogger("collector.authority")

_PER_MINUTE = 30
_REMEMBERED = 10_000
_BODY_S = 10.0


class Gate:
    """So many requests a minute from each address."""

    def __init__(self, per_minute: int = _PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._asked: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def lets_in(self, address: str, now_s: float) -> bool:
        """Whether this one is still within the limit; counts it."""
        began_s, count = self._asked.pop(address, (now_s, 0))
        if now_s - began_s >= 60:  # noqa: PLR2004 -- a minute
            began_s, count = now_s, 0
        self._asked[address] = (began_s, count + 1)
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        return count < self._per_minute


async def serve(authority: Authority, options: AuthorityOptions) -> None:
    """Answer until cancelled.

    Raises:
        OSError: the port is taken.
    """
    application = web.Application(client_max_size=MAX_REQUEST_BYTES)
    application.add_routes([web.post(PATH, _handler(authority, Gate()))])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        context = authority.server_context()
        site = web.TCPSite(runner, options.enrol_host, options.enrol_port, ssl_context=context)
        await site.start()
        log.info("enrolment.open host=%s port=%s", options.enrol_host, options.enrol_port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _handler(authority: Authority, gate: Gate) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if not gate.lets_in(request.remote or "", time.monotonic()):
            return _answer(429, Issued(refused="too many requests, try again in a minute"))
        try:
            async with asyncio.timeout(_BODY_S):
                content = await request.read()
            issued = await asyncio.to_thread(authority.enrol, content)
        except TimeoutError:
            return _answer(408, Issued(refused="the request did not come"))
        except Refused as e:
            log.warning("enrolment.refused address=%s problem=%s", request.remote, e)
            return _answer(403, Issued(refused=str(e)))
        log.info("device.enrolled address=%s until_s=%d", request.remote, issued.not_after_s)
        return _answer(200, issued)

    return handle


def _answer(status: int, issued: Issued) -> web.Response:
    return web.Response(status=status, body=encode(issued), content_type="application/json")
