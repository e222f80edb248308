# SPDX-License-Identifier: Apache-2.0
"""Does the emulated link do what it is told, by the count of hosts that do not ask it?"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.linkbed import namespace, place
from tests.linkbed.__main__ import changed, script
from tests.linkbed.__main__ import main as play
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Change, Cut, Link, Mend
from tests.linkbed.train import Passage, Train
from tests.linkbed.truth import Counters, Truth, WayName

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc")]

CLOSED_PORT = 9
ALL = {
    "gateway": place.GATEWAY[0],
    "modem": place.MODEM[0],
    "first hop": place.FIRST_HOP[0],
    "1.1.1.1": "1.1.1.1",
    "9.9.9.9": "9.9.9.9",
    "resolver": place.RESOLVERS[0],
    "IPv6": place.ANCHORS_6[0],
}
BEYOND = {"first hop", "1.1.1.1", "9.9.9.9", "resolver", "IPv6"}
SILENT = {
    "cable": set(ALL),
    "gateway": set(ALL),
    "modem": BEYOND | {"modem"},
    "line": BEYOND,
    "up": BEYOND,
    "down": BEYOND,
    "operator": BEYOND - {"first hop"},
    "dns": {"resolver"},
    "9.9.9.9": {"9.9.9.9"},
    place.ANCHORS_6[0]: {"IPv6"},
}


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Bed(keeps_packets=True) as bed:
        yield bed


def answering(bed: Bed) -> set[str]:
    """Who refuses a connection, and so is there."""
    with contextlib.ExitStack() as stack:
        knocks = {}
        for name, host in ALL.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            knock = namespace.open_socket(bed.rooms["school"], family, socket.SOCK_STREAM)
            knocks[name] = stack.enter_context(knock)
            knock.setblocking(False)
            knock.connect_ex((host, CLOSED_PORT))
        time.sleep(0.2)
        return {
            name
            for name, knock in knocks.items()
            if knock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        }


def sent(bed: Bed, train: Train) -> tuple[list[Passage], dict[str, int]]:
    """What arrived of a train, and by how much the counters of its way grew."""
    before = of(bed.truth(), train)
    passages = train.send(bed)
    after = of(bed.truth(), train)
    names = ("in_packets", "out_packets", "lost", "overflowed", "cut_off", "duplicated", "reordered")
    assert after.is_balanced
    return passages, {name: getattr(after, name) - getattr(before, name) for name in names}


def of(truth: Truth, train: Train) -> Counters:
    return truth.up if train.way == "up" else truth.down


@pytest.mark.parametrize("cut", SILENT)
def test_a_cut_silences_what_lies_behind_it_and_mending_brings_it_back(bed: Bed, cut: str) -> None:
    bed.apply(Link(rtt_ms=1), Cut(cut))
    assert set(ALL) - answering(bed) == SILENT[cut]
    bed.apply(Mend(cut))
    for _ in range(20):
        if answering(bed) == set(ALL):
            return
    pytest.fail(f"{set(ALL) - answering(bed)} silent after {cut} was mended")


@pytest.mark.parametrize(
    ("way", "link"),
    [
        ("up", Link()),
        ("down", Link(loss_ratio=0.01)),
        ("up", Link(loss_ratio=0.2)),
        ("down", Link(burst_loss=Burst(to_bad_ratio=0.02, to_good_ratio=0.3))),
        ("up", Link(duplicate_ratio=0.1)),
        ("down", Link(rate_bps=2e6, queue_bytes=20_000)),
        ("up", Link(rate_bps=2e6, burst_bytes=20_000, policed=True)),
    ],
)
def test_every_packet_is_accounted_for(bed: Bed, way: WayName, link: Link) -> None:
    bed.apply(link)
    passages, grown = sent(bed, Train(count=2000, length_bytes=200, way=way))
    seqs = [passage.seq for passage in passages]
    missing = 2000 - len(set(seqs))
    print(f"{len(seqs)} arrived, {missing} missing, {grown}")
    assert grown["in_packets"] == 2000
    assert missing == grown["lost"] + grown["overflowed"]
    assert len(seqs) - len(set(seqs)) == grown["duplicated"]
    assert seqs == sorted(seqs)


def test_loss_is_what_was_set(bed: Bed) -> None:
    for link, low, high in (
        (Link(), 0, 0),
        (Link(loss_ratio=0.03), 0.02, 0.04),
        (Link(burst_loss=Burst(to_bad_ratio=0.02, to_good_ratio=0.3)), 0.04, 0.09),
    ):
        bed.apply(link)
        _, grown = sent(bed, Train(count=5000, length_bytes=60))
        assert low <= grown["lost"] / 5000 <= high


def test_bursty_loss_comes_in_longer_runs_than_random_loss(bed: Bed) -> None:
    runs = []
    for link in (Link(loss_ratio=0.1), Link(burst_loss=Burst(to_bad_ratio=0.011, to_good_ratio=0.1))):
        bed.apply(link)
        arrived = {passage.seq for passage in sent(bed, Train(count=5000, length_bytes=60))[0]}
        lost = set(range(5000)) - arrived
        runs.append(len(lost) / sum(seq - 1 not in lost for seq in lost))
    assert runs[0] < 2
    assert runs[1] > 5


def test_held_up_packets_are_overtaken_and_counted(bed: Bed) -> None:
    bed.apply(Link(rtt_ms=10, reorder_ratio=0.1, reorder_ms=20))
    passages, grown = sent(bed, Train(count=1000, length_bytes=100, every_s=0.001))
    newest, late = -1, 0
    for passage in passages:
        late += passage.seq < newest
        newest = max(newest, passage.seq)
    assert 0 < late == grown["reordered"]
    assert len(passages) == 1000


@pytest.mark.parametrize("jitter", ["uniform", "normal", "exponential"])
def test_jitter_keeps_the_order_unless_overtaking_is_allowed(bed: Bed, jitter: str) -> None:
    kind = {"jitter": jitter, "jitter_ms": 5}
    for overtaking in (False, True):
        bed.apply(Link(rtt_ms=40, overtaking=overtaking, up=kind))
        _, grown = sent(bed, Train(count=200, length_bytes=100, every_s=0.001))
        assert (grown["reordered"] > 0) == overtaking


def test_a_shaper_serves_its_rate_after_its_burst(bed: Bed) -> None:
    bed.apply(Link(rate_bps=1e6, burst_bytes=15_000, queue_bytes=1_000_000))
    passages = Train(count=60).send(bed)
    delays_ms = [passage.delay_ns / 1e6 for passage in passages]
    # Ten packets find tokens; each of the other fifty waits 12 ms longer than the one before it.
    assert delays_ms[9] < 100
    assert 50 * 12 - 100 < delays_ms[59] - delays_ms[9] < 50 * 12 + 100


def test_a_slotted_link_lets_packets_go_only_at_its_slots(bed: Bed) -> None:
    bed.apply(Link(up={"slot_ms": 20}))
    seen = len(bed.truth().packets)
    Train(count=100, length_bytes=100, every_s=0.002).send(bed)
    left = {p.left_ns // 20_000_000 for p in bed.truth().packets[seen:] if p.left_ns and p.way == "up"}
    assert 9 <= len(left) <= 13


def test_a_script_is_done_in_its_order_and_written_down(bed: Bed) -> None:
    steps: list[tuple[float, Change]] = [(0.5, Mend("line")), (0.2, Cut("line")), (0.6, Link(rtt_ms=2))]
    bed.apply(Link(rtt_ms=0))
    done = len(bed.truth().events)
    begin_ns = bed.script(steps)
    passages = Train(count=1000, length_bytes=100, every_s=0.001).send(bed)
    truth = bed.truth()
    events = truth.events[done:]
    assert [event.change for event in events] == [Cut("line"), Mend("line"), Link(rtt_ms=2)]
    assert [event.at_ns - begin_ns for event in events] == [200_000_000, 500_000_000, 600_000_000]
    assert all(event.done_ns >= event.at_ns for event in events)
    cut, mended = (event.done_ns for event in events[:2])
    left = [packet.left_ns for packet in truth.packets if packet.left_ns]
    assert not any(cut < left_ns < mended for left_ns in left)
    assert 0 < len(passages) < 1000


def test_what_is_under_way_when_the_line_is_cut_is_lost(bed: Bed) -> None:
    bed.apply(Link(rtt_ms=600))
    bed.script([(0.2, Cut("line"))])
    passages, grown = sent(bed, Train(count=10, length_bytes=100))
    bed.apply(Mend("line"))
    assert (passages, grown["cut_off"]) == ([], 10)


def test_names_and_pages_are_answered(bed: Bed) -> None:
    bed.apply(Link())
    code = "import urllib.request as u; print(u.urlopen('http://example.org/', timeout=5).status)"
    assert bed.run("pupil", [sys.executable, "-c", code]) == "200\n"


def test_nothing_is_left_behind_even_by_a_bed_that_failed() -> None:
    with pytest.raises(RuntimeError, match="no such command"), Bed(serves=False) as other:
        raise RuntimeError("no such command")
    left = {path.name for folder in ("/run/netns", "/etc/netns") for path in Path(folder).glob("splb-*")}
    assert not left & set(other.rooms.values())


def test_a_killed_run_is_swept_up_by_the_next() -> None:
    dead = f"{namespace.PREFIX}4194305-school"
    namespace.add(dead)
    namespace.sweep()
    assert not Path("/run/netns", dead).exists()


def test_a_place_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        Cut("nowhere")
    with pytest.raises(ValueError, match="burst_bytes"):
        Link(rate_bps=1e6, policed=True)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["rat_bps=1"], "rat_bps=1: must be"),
        (["up.rtt_ms=1"], "up.rtt_ms=1: must be"),
        (["loss_ratio=much"], "takes no such value"),
        (["policed=1"], "takes no such value"),
        (["burst_loss={to_bad=1}"], "to_bad"),
        (["--at", "1", "cut=nowhere"], "nowhere"),
        (["--at", "soon", "cut=line"], "soon"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        play([*words, "--", "true"])
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


def test_words_change_the_link_one_way_and_later() -> None:
    link = changed(Link(), ["rate_bps=10_000_000", "rtt_ms=50", "up.rate_bps=1e6", 'jitter="normal"'])
    burst = changed(link, ["down.burst_loss={to_bad_ratio=0.1, to_good_ratio=0.5}"])

    assert link == Link(rate_bps=10_000_000, rtt_ms=50, jitter="normal", up={"rate_bps": 1e6})
    assert burst.ways()["down"].burst_loss == Burst(to_bad_ratio=0.1, to_good_ratio=0.5)
    assert script(link, [("3", "loss_ratio=0.5"), ("1", "cut=line")]) == [
        (1.0, Cut("line")),
        (3.0, replace(link, loss_ratio=0.5)),
    ]


def test_a_command_at_the_schools_end_is_told_with_what_happened(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["rtt_ms=20", "up.loss_ratio=1", "--at", "0.5", "up.loss_ratio=0", "--at", "0", "mend=9.9.9.9"]
    knock = "import socket, sys; socket.create_connection(('1.1.1.1', 9), 5)"
    assert play([*words, "--", sys.executable, "-c", knock]) == 1

    found = capfd.readouterr()
    assert "ConnectionRefusedError" in found.err
    told = found.out.splitlines()
    assert [line.split(" ")[0] for line in told[-2:]] == ["up", "down"]
    assert " lost=1 " in told[-2]
    assert "0.500000 s  Link(" in told[-3]
