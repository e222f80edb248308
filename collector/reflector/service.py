# SPDX-License-Identifier: Apache-2.0
"""Which services does the reflector run, behind one gate?"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from collector.reflector.gate import Gate
from collector.reflector.listening import (
    listening_for_datagrams,
    listening_for_ndt7,
    listening_for_pages,
    listening_for_streams,
)
from collector.reflector.options import ReflectorOptions

log = logging.getLogger("collector.reflector")


async def serve(options: ReflectorOptions, stop: asyncio.Event) -> None:
    """All that is enabled, until told to stop; one service that fails ends all, to be started anew."""
    gate = Gate(options.gate)
    async with contextlib.AsyncExitStack() as stack:
        if options.capacity.enabled:
            await stack.enter_async_context(listening_for_datagrams(options.capacity, gate))
        if options.tcp.enabled:
            await stack.enter_async_context(listening_for_streams(options.tcp, gate))
        if options.ndt7.enabled:
            await stack.enter_async_context(listening_for_ndt7(options.ndt7, gate))
        if options.http.enabled:
            await stack.enter_async_context(listening_for_pages(options.http))
        await stop.wait()
    log.info("reflector.stopped tests=%d", gate.tests)
