# SPDX-License-Identifier: Apache-2.0
"""What do the TCP tests of the agent find on the bed, against a reflector in its internet?

Run in a room: `school` measures, `internet` serves. Arguments and results are JSON.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import socket
import sys
from typing import Any

from agent.echo.address import parse
from agent.throughput import responsiveness, tcp
from agent.throughput.dialogue import Server, open_session
from collector.reflector.stream import StreamServer
from tests.linkbed.place import SERVER
from tests.parts.reflector import generous_gate

PORT = 7471


async def _serve(arguments: dict[str, Any]) -> None:
    gate = generous_gate()
    with socket.create_server((arguments.get("host", SERVER[0]), PORT), backlog=64) as listener:
        print(gate.token, flush=True)
        await StreamServer(gate.gate).serve(listener)


async def _measure(arguments: dict[str, Any]) -> dict[str, Any]:
    server = Server(address=parse(arguments.pop("host", SERVER[0])), port=PORT, token=arguments.pop("token"))
    arguments_load_s, loaded = arguments.pop("load_s", 0.0), None
    plan = tcp.Plan(**{"streams": 4, "max_bytes": 200_000_000, "max_s": 25.0} | arguments)
    async with open_session(server, plan.max_bytes) as session:
        found = await tcp.transfer(session, plan)
        if load_s := arguments_load_s:
            under = dataclasses.replace(plan, congestion=responsiveness.CONGESTION, max_s=load_s)
            loaded = await responsiveness.under_load(
                session, under, found.mbps(found.segment.rate if found.segment else 1)
            )
    segment = found.segment
    plain = dataclasses.asdict(found) | {"doubts": sorted(found.doubts)}
    if segment is not None:
        plain |= {
            "mbps": found.mbps(segment.rate),
            "low": found.mbps(segment.low),
            "high": found.mbps(segment.high),
        }
    used = resource.getrusage(resource.RUSAGE_SELF)
    return plain | {
        "loaded": None if loaded is None else dataclasses.asdict(loaded),
        "cpu_s": used.ru_utime + used.ru_stime,
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[2])
    if sys.argv[1] == "serve":
        asyncio.run(_serve(asked))
    else:
        print(json.dumps(asyncio.run(_measure(asked))))
