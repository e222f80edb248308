# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct

import pytest

from agent.outage.hops import Hops, offender_of, sorted_out


@pytest.mark.parametrize(
    ("found", "rtts_ms", "hops"),
    [
        (
            ["192.168.100.1", "100.64.0.1"],
            {"192.168.100.1": 0.9, "100.64.0.1": 40.0},
            Hops("192.168.100.1", "100.64.0.1"),
        ),
        (["100.64.0.1", "203.0.113.1"], {"100.64.0.1": 1.2, "203.0.113.1": 2.0}, Hops(None, "100.64.0.1")),
        # A private address at the far end of a satellite link is the operator's.
        (["10.1.2.3", "203.0.113.1"], {"10.1.2.3": 601.0, "203.0.113.1": 603.0}, Hops(None, "10.1.2.3")),
        # One that does not answer echo requests is of no use.
        (["100.64.0.1", "203.0.113.1"], {"203.0.113.1": 40.0}, Hops(None, "203.0.113.1")),
        (["100.64.0.1"], {}, Hops(None, None)),
        (
            ["fd64:100::1", "2001:db8::1"],
            {"fd64:100::1": 0.5, "2001:db8::1": 20.0},
            Hops("fd64:100::1", "2001:db8::1"),
        ),
    ],
)
def test_which_hop_is_the_modem(found: list[str], rtts_ms: dict[str, float], hops: Hops) -> None:
    assert sorted_out(found, {**rtts_ms, "192.168.1.1": 0.5}, "192.168.1.1") == hops


def test_only_an_expired_time_to_live_names_a_hop() -> None:
    def entry(kind: int, family: int, address: bytes) -> bytes:
        head = struct.pack("=IBBBBII", 113, 2, kind, 0, 0, 0, 0)
        return head + struct.pack("=HH", family, 0) + address

    four = socket.inet_aton("100.64.0.1")
    six = bytes(4) + socket.inet_pton(socket.AF_INET6, "fd64::1")
    assert offender_of(entry(11, socket.AF_INET, four), socket.AF_INET) == "100.64.0.1"
    assert offender_of(entry(3, socket.AF_INET6, six), socket.AF_INET6) == "fd64::1"
    assert offender_of(entry(3, socket.AF_INET, four), socket.AF_INET) is None
    assert offender_of(b"short", socket.AF_INET) is None
