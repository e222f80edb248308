# SPDX-License-Identifier: Apache-2.0
"""Does the running watcher find what is cut on the emulated link, when, and whose part it was?

A handful of the scenarios; all of them, on four kinds of link, by `make bench ONLY=outage`.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link
from tests.linkbed.outages import FEW, LEAD_S, play
from tests.linkbed.watching import Dead, Told, Watching, script

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc"), pytest.mark.timeout(150)]

_BUSY_S = 0.6
"""A busy machine may send and read so much later."""


def test_outages_on_the_bed_are_found_dated_and_blamed() -> None:
    found, imagined = play(FEW, Link(rtt_ms=50, rate_bps=5e6))
    for each in found:
        last = each.last
        print(
            f"{each.scenario.name}: {last and last.cause}, begin {each.begin_error_s}, end {each.end_error_s}"
        )
        assert each.is_right, each
        if last is not None:
            assert last.opened_resolution_s is not None
            assert last.closed_resolution_s is not None
            assert abs(each.begin_error_s or 0) <= last.opened_resolution_s + _BUSY_S
            assert abs(each.end_error_s or 0) <= last.closed_resolution_s + _BUSY_S
    assert imagined == []
    assert len(found) == 4


IGNORES_ECHOES = "net.ipv4.icmp_echo_ignore_all"
_SETTLES_S = 6.0


def ignore_echoes(bed: Bed, *, is_so: bool) -> None:
    """Whether the internet drops echo requests; connections it accepts all the same."""
    bed.run("internet", ["sysctl", "-wq", f"{IGNORES_ECHOES}={int(is_so)}"])


def last_of_each(told: list[Told]) -> list[Told]:
    return list({t.number: t for t in told}.values())


def is_true(told: Told, truth: Dead, begin_s: float) -> bool:
    """Whether begin and end lie within what is told."""
    assert told.closed_s is not None
    assert told.opened_resolution_s is not None
    assert told.closed_resolution_s is not None
    return (
        abs(told.opened_s - begin_s - truth.from_s) <= told.opened_resolution_s + _BUSY_S
        and abs(told.closed_s - begin_s - truth.until_s) <= told.closed_resolution_s + _BUSY_S
    )


@pytest.mark.parametrize(("from_the_start", "rtt_ms"), [(True, 50), (False, 50), (True, 1200)])
def test_a_link_whose_echoes_are_filtered_is_not_dead_and_is_found_when_it_is(
    from_the_start: bool, rtt_ms: float
) -> None:
    truth = Dead("line", 1.0, 13.0)
    with Bed() as bed:
        bed.apply(Link(rtt_ms=rtt_ms, rate_bps=5e6))
        ignore_echoes(bed, is_so=from_the_start)
        watching = Watching(bed)
        time.sleep(LEAD_S)
        ignore_echoes(bed, is_so=True)
        time.sleep(2 * _SETTLES_S)
        begin_s = script(bed, [truth])
        time.sleep(truth.until_s + _SETTLES_S)
        (told,) = last_of_each(watching.stop())
    assert told.cause in {"line", "unknown"}
    assert "by connections" in told.evidence
    assert is_true(told, truth, begin_s), told


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


@pytest.mark.parametrize("nobody_is_filtered", [False, True])
def test_what_accepts_every_connection_near_the_school_hides_no_outage(nobody_is_filtered: bool) -> None:
    truth = Dead("line", 1.0, 8.0)
    with Bed() as bed:
        bed.wait_for_way("school", place.ANCHORS[0])
        bed.apply(Link(rtt_ms=600, rate_bps=5e6))
        # As the accelerator of a satellite terminal: whatever goes to port 443 is accepted on the spot.
        bed.run("router", ["ip", "route", "add", "local", "default", "dev", "lo", "table", "443"])
        rule = ["ip", "rule", "add", "iif", "lan", "ipproto", "tcp", "dport", "443", "lookup", "443"]
        bed.run("router", rule)
        accelerator = bed.start("router", [sys.executable, "-c", ACCEPT_ALL], stdout=subprocess.PIPE)
        assert accelerator.stdout is not None
        assert accelerator.stdout.readline() == "accepting\n"
        bed.run("school", [sys.executable, "-c", CALL_NOBODY])
        if nobody_is_filtered:
            bed.run("router", ["ip", "route", "add", "blackhole", "203.0.113.0/24", "table", "443"])
        watching = Watching(bed)
        time.sleep(LEAD_S)
        begin_s = script(bed, [truth])
        time.sleep(truth.until_s + _SETTLES_S)
        (told,) = last_of_each(watching.stop())
    assert told.cause == "line"
    assert is_true(told, truth, begin_s), told
