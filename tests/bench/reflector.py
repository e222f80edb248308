# SPDX-License-Identifier: Apache-2.0
"""How much does one reflector send and receive on this machine, and what does it do when that is too little?

Over loopback, with the schools' ends on the same processors: a reflector of its own has more left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import public_key
from collector.reflector import token
from tests.bench.accuracy import as_table, write_part
from tests.bench.figure import Figure

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_PORT = 17_470
_OPTIONS = f"""
[gate]
token_public_key = "{public_key(_KEY)}"
tests = 2
[capacity]
host = "127.0.0.1"
port = {_PORT}
"""
_CLIENT = """
import json, sys, time
from agent.contract.capacity.legs import Leg
from agent.throughput.session import Failed, Session
told = json.loads(sys.argv[1])
legs = (Leg(told["count"], 1400, round(1400 * 8000 / told["mbps"])),)
try:
    with Session("127.0.0.1", told["port"], deadline_s=time.monotonic() + 30) as session:
        session.open(told["token"], 400_000_000)
        packets = getattr(session, told["way"])(legs)
        us = max(p.at_us for p in packets) - min(p.at_us for p in packets)
        mbps = (len(packets) - 1) * 1400 * 8 / us
        print(json.dumps({"mbps": mbps, "lost": 1 - len(packets) / told["count"]}))
except Failed as e:
    print(json.dumps({"reason": e.reason, "detail": e.detail}))
"""
_GOAL_MBPS = 1000
_SECONDS = 0.5


def measure() -> list[Figure]:
    """One test at 1 Gbit/s each way, two at once, and a third that is too many."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "reflector.toml")
        file.write_text(_OPTIONS)
        command = [sys.executable, "-m", "collector", "reflector", "--config", str(file)]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            assert "reflector.listening" in server.stderr.readline()
            figures = [*_alone(server, "down"), *_alone(server, "up"), *_crowd()]
        finally:
            server.terminate()
            server.wait()
    write_part("reflector", as_table(figures))
    return figures


def _alone(server: subprocess.Popen[str], way: str) -> list[Figure]:
    process = psutil.Process(server.pid)
    before = sum(process.cpu_times()[:2])
    (told,) = _run([(way, "kz-1")], mbps=_GOAL_MBPS)
    spent_s = sum(process.cpu_times()[:2]) - before
    name = f"one test {way} paced at 1 Gbit/s"
    note = f"{100 * told['lost']:.2f} % of packets lost, {spent_s:.2f} s of the reflector's processor"
    return [
        Figure(name=f"{name}: rate", value=told["mbps"], unit="Mbit/s", note=note),
        Figure(name=f"{name}: too slow by", value=100 * (1 - told["mbps"] / _GOAL_MBPS), unit="%", goal=5),
    ]


def _crowd() -> list[Figure]:
    told = _run([("down", f"kz-{i}") for i in range(2, 6)], mbps=_GOAL_MBPS)
    served = [one for one in told if "mbps" in one]
    refused = [one["detail"] for one in told if "mbps" not in one]
    total = sum(one["mbps"] for one in served)
    note = f"{len(served)} served, {len(refused)} told: {'; '.join(sorted(set(refused)))}"
    return [Figure(name="four tests down at once, two allowed: sum", value=total, unit="Mbit/s", note=note)]


def _run(tests: list[tuple[str, str]], *, mbps: float) -> list[dict[str, Any]]:
    count = min(60_000, int(mbps * 1e6 / 8 / 1400 * _SECONDS))
    clients = []
    for way, device in tests:
        told = {"way": way, "mbps": mbps, "count": count, "port": _PORT}
        told["token"] = token.make(_KEY, device, expires_s=2**33)
        command = [sys.executable, "-c", _CLIENT, json.dumps(told)]
        clients.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    return [json.loads(client.communicate()[0]) for client in clients]
