# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.contract.kinds import Dns, Fields, Http, Ipv6, NetworkPath, Portal, Reach, Throughput
from agent.throughput.verdict import Doubt
from collector.web.eyes import Seen, is_by_connection, newest
from collector.web.words import DOUBTS
from tests.unit.collector.web.fakes import NOW_MS, Stored


def seen(fields: Fields, reason: str | None = None) -> Seen:
    (found,) = newest({fields.kind: [Stored(at_ms=NOW_MS, kind=fields.kind, fields=fields, reason=reason)]})
    return found


@pytest.mark.parametrize(
    ("fields", "figure", "doubt"),
    [
        (Ipv6(verdict="working"), "working", ""),
        (Ipv6(verdict="large_lost", large_answered=False), "large_lost", "large packets vanish"),
        (Portal(target="p", verdict="open"), "open", ""),
        (Portal(target="p", verdict="quota"), "quota", "used up"),
        (Dns(target="192.0.2.1", lookup_ms=20.0, verdict="honest"), "20.0 ms", ""),
        (Dns(target="192.0.2.1", verdict="hijacked"), "–", "names that do not exist"),
        (NetworkPath(target="t", mtu_bytes=1400, mtu_black_hole=True), "1400 bytes", "vanish"),
        (Http(target="https://a/", family="4", tls_error="old_tls"), "–", "below 1.2"),
        (Http(target="https://a/", family="4", tls_error="no_tls"), "–", "speaks no TLS"),
        (Http(target="https://a/", family="4", tls_error="of_tomorrow"), "–", "of_tomorrow"),
    ],
)
def test_words_of_the_contract_are_written_out(fields: Fields, figure: str, doubt: str) -> None:
    found = seen(fields)
    assert figure in found.figure
    assert doubt in found.doubt if doubt else not found.doubt


def test_page_out_of_a_cache_on_the_way_is_no_evidence_of_a_link() -> None:
    def doubt(*, cached: bool | None, tls_ok: bool | None) -> str:
        return seen(Http(target="a", family="4", status=200, cached=cached, tls_ok=tls_ok)).doubt

    assert "cache" in doubt(cached=True, tls_ok=None)
    assert doubt(cached=True, tls_ok=True) == doubt(cached=False, tls_ok=None) == ""
    assert doubt(cached=None, tls_ok=None) == ""


def test_rate_comes_with_its_interval_and_what_makes_it_doubtful() -> None:
    fields = Throughput(
        direction="down",
        server="r",
        method="capacity",
        mbps=9.981,
        mbps_low=9.9,
        mbps_high=10.1,
        validity="suspect",
        reasons="nic_bound,of_tomorrow",
    )
    found = seen(fields)
    assert (found.what, found.figure) == ("capacity down, r", "9.98 Mbit/s (9.9 to 10.1)")
    assert found.doubt == f"suspect: {DOUBTS['nic_bound']}; of_tomorrow"


def test_failed_test_has_no_figure_but_its_reason() -> None:
    found = seen(Throughput(direction="up", server="r", method="ndt7"), reason="busy")
    assert (found.figure, found.doubt) == ("–", "busy")


def test_every_doubt_of_the_agent_has_its_words() -> None:
    assert set(DOUBTS) == set(Doubt)


def test_only_the_newest_of_each_test_is_shown() -> None:
    stored = [
        Stored(at_ms=NOW_MS + i, kind="dns", fields=Dns(target=t, lookup_ms=float(i)))
        for i, t in enumerate(("b", "a", "b"))
    ]
    stored.append(Stored(at_ms=NOW_MS + 9, kind="dns", fields=None, reason="timeout"))
    assert [(s.what, s.at_ms - NOW_MS) for s in newest({"dns": stored})] == [
        ("resolver a", 1),
        ("resolver b", 2),
    ]


@pytest.mark.parametrize(
    ("methods", "by_connection"), [("", False), ("it", True), ("ti", False), ("tn", False)]
)
def test_newest_round_tells_how_anchors_are_asked(methods: str, by_connection: bool) -> None:
    words = {"i": "icmp", "t": "tcp", "n": None}
    rounds = [Stored(at_ms=NOW_MS + i, fields=Reach(method=words[m])) for i, m in enumerate(methods)]
    assert is_by_connection(rounds) is by_connection
