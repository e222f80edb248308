# SPDX-License-Identifier: Apache-2.0
"""Which services does the reflector run, behind one gate?"""

from __future__ import annotations

import asyncio
import logging

from collector.reflector.gate import Gate
from collector.reflector.options import ReflectorOptions

log = logging.getLogger("collector.reflector")


async def serve(options: ReflectorOptions, stop: asyncio.Event) -> None:
    """All that is enabled, until told to stop."""
    gate = Gate(options.gate)
    log.info("reflector.started")
    await stop.wait()
    log.info("reflector.stopped tests=%d", gate.tests)
