# SPDX-License-Identifier: Apache-2.0
"""Are lost, late, doubled and foreign answers told apart, by a real kernel before a scripted network?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.root, pytest.mark.parts("ip")]

TREE = Path(__file__).resolve().parents[2]

# The network is a TUN device, answered by the measuring process itself in a namespace of its own.
MEASURE = """
import asyncio, fcntl, json, os, struct, subprocess, sys
from agent.contract.record import to_plain
from agent.probes.latency import LatencyProbe

answers, foreign, options = json.loads(sys.argv[1])
tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
for command in ("addr add 10.99.0.1/24 dev tun0", "link set tun0 up", "link set lo up"):
    subprocess.run(["ip", *command.split()], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)

def reply(request, *, source=None, ident=None, token=None):
    body = b"\\0\\0" + (ident or request[24:26]) + request[26:28] + (token or request[28:])
    icmp = body[:2] + checksum(body) + body[2:]
    header = request[:10] + b"\\0\\0" + (source or request[16:20]) + request[12:16]
    return header[:10] + checksum(header) + header[12:] + icmp

def respond(loop):
    request = os.read(tun, 2048)
    if request[0] != 0x45 or request[9] != 1 or request[20] != 8:
        return
    delays = answers.pop(0) if answers else []
    if foreign:
        for stranger in (dict(source=bytes([10, 99, 0, 77])), dict(token=b"x" * 8), dict(ident=b"\\0\\7")):
            os.write(tun, reply(request, **stranger))
        os.write(tun, request[:12] + request[16:20] + request[12:16] + request[20:])
        os.write(tun, b"\\x45" + os.urandom(60))
    for delay_s in delays:
        loop.call_later(delay_s, os.write, tun, reply(request))

async def main():
    loop = asyncio.get_running_loop()
    loop.add_reader(tun, respond, loop)
    ((finding),) = await LatencyProbe(targets=("10.99.0.2",), **options).measure()
    print(json.dumps([to_plain(finding.fields), finding.reason]))

asyncio.run(main())
"""

RAW: list[str] = []
DATAGRAM = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
ALLOW = 'echo 0 0 > /proc/sys/net/ipv4/ping_group_range; exec "$@"'


def measure(
    answers: list[list[float]], *, wrap: list[str], foreign: bool = False, **options: Any
) -> tuple[dict[str, Any], str | None]:
    """One burst to a host that answers each request after its delays: none to lose it, two to double it."""
    table = json.dumps([answers, foreign, {"count": len(answers), "spacing_s": 0.1, **options}])
    inside = ["unshare", "--net", "sh", "-c", ALLOW, "sh", *wrap]
    command = [*inside, sys.executable, "-c", MEASURE, table]
    made = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    fields, reason = json.loads(made.stdout)
    return fields, reason


def counts(fields: dict[str, Any]) -> dict[str, Any]:
    names = ("sent", "received", "late", "duplicate", "loss_ratio", "loss_run_max")
    return {name: fields[name] for name in names}


both = pytest.mark.parametrize("wrap", [RAW, DATAGRAM], ids=["raw", "datagram"])


@both
def test_lost_late_and_doubled_answers_are_told_apart(wrap: list[str]) -> None:
    answers = [[1.2], [0.02], [], [], [0.02, 0.03], [0.02]]
    fields, reason = measure(answers, wrap=wrap, timeout_s=1)
    assert reason is None
    assert counts(fields) == {
        "sent": 6,
        "received": 3,
        "late": 1,
        "duplicate": 1,
        "loss_ratio": 0.3333,
        "loss_run_max": 2,
    }
    assert fields["rtt_min_ms"] >= 20


@both
def test_foreign_answers_are_passed_over(wrap: list[str]) -> None:
    fields, reason = measure([[], []], wrap=wrap, foreign=True, timeout_s=0.3)
    assert reason == "timeout"
    assert counts(fields) | {"loss_ratio": 1, "loss_run_max": 2, "received": 0, "duplicate": 0} == counts(
        fields
    )


@both
def test_own_answers_are_found_among_foreign_ones(wrap: list[str]) -> None:
    fields, _ = measure([[0.01]] * 4, wrap=wrap, foreign=True, timeout_s=2)
    assert (fields["received"], fields["duplicate"]) == (4, 0)


def test_answers_in_another_order_are_all_received() -> None:
    fields, _ = measure([[0.5], [0.3], [0.1], [0.01]], wrap=RAW, timeout_s=2)
    assert counts(fields)["received"] == 4
    assert fields["rtt_max_ms"] >= 500
