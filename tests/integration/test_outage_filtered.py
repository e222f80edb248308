# SPDX-License-Identifier: Apache-2.0
"""Is a link watched whose echoes are dropped, or whose connections are all accepted near the school?"""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link
from tests.linkbed.outages.played import FOUND_OUT_S, LEAD_S, drop_echoes
from tests.linkbed.program import compiled
from tests.linkbed.watching import Dead, Told, Watching, script

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc", "nft"), pytest.mark.timeout(150)]

_SETTLES_S = 6.0
_BUSY_S = 0.6
"""A busy machine may send and read so much later."""

ACCEPT_ALL = """
import socket
with socket.socket() as server:
    server.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT: it answers in the name of whoever is called
    server.bind(("", 443))
    server.listen()
    print("accepting", flush=True)
    while True:
        server.accept()[0].close()
"""

CALL_NOBODY = """
import contextlib, socket
for _ in range(10):
    with contextlib.suppress(TimeoutError):
        socket.create_connection(("203.0.113.113", 443), timeout=1).close()
        break
else:
    raise SystemExit("nothing accepts for nobody")
"""


def echoes_dropped(rtt_ms: float, *, from_the_start: bool) -> tuple[Told, Dead, float]:
    """What is told of a dead line where no echo is answered: always, or since the hops were found."""
    truth = Dead("line", 1.0, 13.0)
    with Bed() as bed:
        bed.apply(Link(rtt_ms=rtt_ms, rate_bps=5e6))
        if from_the_start:
            drop_echoes(bed)
        watching = Watching(bed)
        time.sleep(LEAD_S)
        if not from_the_start:
            drop_echoes(bed)
        time.sleep(FOUND_OUT_S)
        begin_s = script(bed, [truth])
        time.sleep(truth.until_s + _SETTLES_S)
        (told,) = last_of_each(watching.stop())
    assert "by connections" in told.evidence
    return told, truth, begin_s


def all_accepted(*, nobody_is_filtered: bool) -> tuple[Told, Dead, float]:
    """What is told of it behind an accelerator, as of a satellite terminal."""
    truth = Dead("line", 1.0, 8.0)
    with Bed() as bed:
        bed.wait_for_way("school", place.ANCHORS[0])
        bed.apply(Link(rtt_ms=600, rate_bps=5e6))
        accept_all(bed)
        if nobody_is_filtered:
            bed.run("router", ["ip", "route", "add", "blackhole", "203.0.113.0/24", "table", "443"])
        watching = Watching(bed)
        time.sleep(LEAD_S)
        begin_s = script(bed, [truth])
        time.sleep(truth.until_s + _SETTLES_S)
        (told,) = last_of_each(watching.stop())
    return told, truth, begin_s


def accept_all(bed: Bed) -> None:
    """Whatever goes to port 443 is accepted on the spot, by the router."""
    bed.run("router", ["ip", "route", "add", "local", "default", "dev", "lo", "table", "443"])
    rule = ["ip", "rule", "add", "iif", "lan", "ipproto", "tcp", "dport", "443", "lookup", "443"]
    bed.run("router", rule)
    accelerator = bed.start("router", [sys.executable, "-c", ACCEPT_ALL], stdout=subprocess.PIPE)
    assert accelerator.stdout is not None
    assert accelerator.stdout.readline() == "accepting\n"
    bed.run("school", [sys.executable, "-c", CALL_NOBODY])


CASES: dict[str, Callable[[], tuple[Told, Dead, float]]] = {
    "no echo is answered": lambda: echoes_dropped(50, from_the_start=True),
    "no echo is answered any more": lambda: echoes_dropped(50, from_the_start=False),
    "no echo is answered, 1.2 s": lambda: echoes_dropped(1200, from_the_start=True),
    "an accelerator accepts all connections": lambda: all_accepted(nobody_is_filtered=False),
    "an accelerator accepts all but those to nobody": lambda: all_accepted(nobody_is_filtered=True),
}


def test_a_dead_line_is_found_there_and_dated_and_nothing_else_is_told() -> None:
    compiled()
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(CASES)) as pool:
        playing = {name: pool.submit(case) for name, case in CASES.items()}
    for name, case in playing.items():
        told, truth, begin_s = case.result()
        print(f"{name}: {told}")
        assert told.cause in {"line", "unknown"}, name
        assert_true(told, truth, begin_s)
    assert len(playing) == len(CASES) == 5


def last_of_each(told: list[Told]) -> list[Told]:
    return list({t.number: t for t in told}.values())


def assert_true(told: Told, truth: Dead, begin_s: float) -> None:
    """Begin and end lie within what is told."""
    assert told.closed_s is not None
    assert told.opened_resolution_s is not None
    assert told.closed_resolution_s is not None
    assert abs(told.opened_s - begin_s - truth.from_s) <= told.opened_resolution_s + _BUSY_S
    assert abs(told.closed_s - begin_s - truth.until_s) <= told.closed_resolution_s + _BUSY_S
