# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from agent.contract.tcpinfo import TcpInfo, parse
from agent.throughput.tcp import Load, _is_invented

SESSION: Any = None
IDLE = parse(b"", 2)


def look(**changed: int) -> TcpInfo:
    return TcpInfo(**{name: getattr(IDLE, name) for name in TcpInfo.__slots__} | changed)


@pytest.mark.parametrize(("direction", "under_way_bytes"), [("down", 250_000), ("up", 0)])
def test_what_the_queue_holds_at_a_cut_still_comes_but_only_down(
    direction: Any, under_way_bytes: int
) -> None:
    looks = [look(rtt_us=90_000, rcv_rtt_us=200_000), look(rtt_us=100_000)]
    assert Load(direction, SESSION, ()).under_way_bytes(looks, 1_250_000) == under_way_bytes


@pytest.mark.parametrize(("direction", "moved", "payload"), [("down", 10_520, 10_000), ("up", 5_104, 5_000)])
def test_bytes_are_those_of_the_direction(direction: Any, moved: int, payload: int) -> None:
    looks = [
        look(data_segs_in=10, rcv_mss_bytes=1000, bytes_received=9_000, bytes_sent=5_000, data_segs_out=2)
    ]
    running = Load(direction, SESSION, ())
    assert looks[0].header_bytes in (40, 52)
    headers = looks[0].header_bytes - 52
    assert running.moved_bytes(looks) == moved + headers * (10 if direction == "down" else 2)
    assert running.payload_bytes(looks) == payload


@pytest.mark.parametrize(
    ("segments", "segment_bytes", "is_invented"),
    [(1000, 1500, False), (1100, 1400, False), (3000, 1500, True), (1000, 9000, True), (0, 0, False)],
)
def test_more_or_longer_segments_than_left_here_are_invented(
    segments: int, segment_bytes: int, is_invented: bool
) -> None:
    looks = [look(data_segs_out=500, snd_mss_bytes=1448), look(data_segs_out=500, snd_mss_bytes=1448)]
    assert _is_invented(looks, segments, segment_bytes) == is_invented
