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
import time
from typing import Any

from agent.echo.address import parse
from agent.throughput import ndt7, responsiveness, tcp
from agent.throughput.dialogue import Server, open_session
from agent.throughput.ndt7 import Place
from agent.throughput.responsiveness import under_load
from collector.reflector.listening import listening_for_ndt7, listening_for_streams
from collector.reflector.options import Ndt7Options, TcpOptions
from tests.linkbed.place import SERVER
from tests.parts.reflector import generous_gate

PORT, NDT7_PORT = 7471, 7472
SERVE = (sys.executable, "-m", "tests.linkbed.streams", "serve")
MEASURE = (sys.executable, "-m", "tests.linkbed.streams", "measure")


async def _serve() -> None:
    entry = generous_gate()
    ndt7_options = Ndt7Options(host=SERVER[0], port=NDT7_PORT, guests=True)
    tcp_options = TcpOptions(host=SERVER[0], port=PORT)
    async with listening_for_ndt7(ndt7_options, entry.gate), listening_for_streams(tcp_options, entry.gate):
        print(entry.token, flush=True)
        await asyncio.Event().wait()


async def _measure(asked: dict[str, Any]) -> dict[str, Any]:
    if asked.pop("ndt7", False):
        return await _ndt7(asked)
    if plain_s := asked.pop("plain_s", 0.0):
        return await _plain(asked, plain_s)
    server = Server(address=parse(SERVER[0]), port=PORT, token=asked.pop("token"))
    load_s = asked.pop("load_s", 0.0)
    plan = tcp.Plan(**{"streams": 4, "max_bytes": 200_000_000, "max_s": 25.0} | asked)
    async with open_session(server, 2 * plan.max_bytes) as session:
        found = await tcp.transfer(session, plan)
        told = dataclasses.asdict(found) | {"doubts": sorted(found.doubts), "loaded": None}
        segment = found.segment
        if segment is not None:
            told["mbps"], (told["low"], told["high"]) = found.mbps(segment.rate), found.interval_mbps
            under = dataclasses.replace(plan, congestion=responsiveness.CONGESTION, max_s=load_s)
            loaded = await under_load(session, under, told["mbps"]) if load_s else None
            told["loaded"] = loaded and dataclasses.asdict(loaded)
    return told


async def _plain(asked: dict[str, Any], lasting_s: float) -> dict[str, Any]:
    """What a simple test does: one connection, and all that arrives divided by ten seconds."""
    default = socket.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    congestion = default.partition(b"\0")[0].decode()
    congestion = "cubic" if congestion == "bbr" else congestion
    plan = tcp.Plan(direction=asked["direction"], streams=1, max_bytes=0, max_s=0, congestion=congestion)
    server = Server(address=parse(SERVER[0]), port=PORT, token=asked["token"])
    async with open_session(server, 2_000_000_000) as session:
        began_s = time.monotonic()
        async with tcp.load(session, plan) as running:
            await asyncio.sleep(lasting_s)
            looks, elapsed_s = running.looks(), time.monotonic() - began_s
            report = session.report
        if plan.direction == "down":
            segments, full_bytes = looks[0].data_segs_in, looks[0].rcv_mss_bytes + looks[0].header_bytes
        else:
            assert report is not None
            segments, full_bytes = report.segments, report.segment_bytes
        used = running.joints[0].congestion
    return {"mbps": segments * full_bytes * 8 / elapsed_s / 1e6, "congestion": used}


async def _ndt7(asked: dict[str, Any]) -> dict[str, Any]:
    place = Place(
        address=parse(SERVER[0]), port=NDT7_PORT, name="server", tls=None, authorization=asked["token"]
    )
    found = await ndt7.run(place, asked["direction"], max_bytes=2_000_000_000)
    return {"mbps": found.mbps, "doubts": sorted(found.doubts), "rtt_loaded_ms": found.rtt_loaded_ms}


def main() -> None:
    """Serve, or measure and tell."""
    if sys.argv[1] == "serve":
        asyncio.run(_serve())
    told = asyncio.run(_measure(json.loads(sys.argv[2])))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(told | {"cpu_s": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main()
