# SPDX-License-Identifier: Apache-2.0
"""Do paths, pages, portals, names and IPv6 show what the network between school and internet does?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import eyes
from tests.integration.eyes import HOPS, TARGET, TARGET_6, WEB, Row
from tests.linkbed import namespace
from tests.parts import tls_site
from tests.parts.program import find

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "nft")]

PATH: dict[str, Any] = {"timeout_s": 0.4, "tries": 2, "operator_pings": 2, "hops_max": 8}
PORTAL: dict[str, Any] = {"targets": [{"url": f"http://{WEB}/204"}], "timeout_s": 2}
IPV6: dict[str, Any] = {"anchors": [TARGET_6], "ipv4_anchors": [TARGET], "timeout_s": 0.5, "name": ""}
NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n"
NO_ECHO = "icmp type echo-request drop"
NO_ERRORS = "icmp type destination-unreachable drop"
LOGIN = "HTTP/1.1 302 Found\r\nLocation: http://login.operator.test/?ip=192.168.77.10\r\n\r\n"


@pytest.fixture
def row() -> Iterator[Row]:
    namespace.sweep()
    row = Row()
    try:
        row.build()
        yield row
    finally:
        row.clear()


def hosts(fields: dict[str, Any]) -> tuple[str, ...]:
    return tuple(hop.split(",")[0] for hop in fields["hops"].split(";"))


@pytest.mark.parametrize("method", ["icmp", "udp", "tcp"])
def test_path_shows_each_hop_and_pings_the_operators_first(row: Row, method: str) -> None:
    fields, reason = row.one("path", **PATH, methods=[method])
    assert (reason, fields["method"], fields["reached"]) == (None, method, True)
    assert hosts(fields) == HOPS
    assert (fields["hop_count"], fields["hops_answered"]) == (4, 4)
    assert (fields["operator_hop"], fields["operator_hop_ttl"]) == ("100.64.0.1", 3)
    assert (fields["operator_sent"], fields["operator_received"]) == (2, 2)
    assert fields["operator_rtt_median_ms"] > 0
    assert fields.get("mtu_bytes") == (None if method == "tcp" else 1500)


@pytest.mark.parametrize("mtu_bytes", [576, 1280, 1400])
@pytest.mark.parametrize("tells", [True, False])
def test_path_finds_the_mtu_told_or_not(row: Row, mtu_bytes: int, tells: bool) -> None:
    row.narrow(mtu_bytes)
    if not tells:
        for room in ("modem", "operator"):
            row.rule(room, "output", NO_ERRORS)
    fields, reason = row.one("path", **PATH)
    assert (reason, fields["mtu_bytes"], fields["mtu_black_hole"]) == (None, mtu_bytes, not tells)


def test_path_falls_back_to_udp_where_echo_is_blocked_and_says_so(row: Row) -> None:
    row.rule("internet", "input", NO_ECHO)
    fields, reason = row.one("path", **PATH, mtu_max_bytes=0)
    assert (reason, fields["method"], fields["reached"], hosts(fields)) == (None, "udp", True, HOPS)


def test_path_falls_back_to_tcp_where_udp_is_blocked_too(row: Row) -> None:
    row.rule("internet", "input", NO_ECHO)
    row.rule("operator", "forward", "meta l4proto udp drop")
    fields, reason = row.one("path", **PATH)
    assert (reason, fields["method"], fields["reached"], hosts(fields)) == (None, "tcp", True, HOPS)
    assert "mtu_bytes" not in fields


def test_path_without_any_icmp_still_reaches_by_tcp(row: Row) -> None:
    for room in ("router", "modem", "operator"):
        row.rule(room, "output", "meta l4proto icmp drop")
        row.rule(room, "forward", "meta l4proto icmp drop")
    fields, reason = row.one("path", **PATH)
    assert (reason, fields["method"], hosts(fields)) == (None, "tcp", ("*", "*", "*", TARGET))
    assert "operator_hop" not in fields


def test_path_that_ends_at_the_operator_is_a_failure_with_its_hops(row: Row) -> None:
    row.rule("operator", "forward", "drop")
    fields, reason = row.one("path", **PATH)
    assert (reason, fields["reached"], hosts(fields)) == ("timeout", False, HOPS[:3])


def test_path_that_is_refused_on_the_way_says_so(row: Row) -> None:
    row.ip("operator", "route del default")
    fields, reason = row.one("path", **PATH)
    assert (reason, fields["reached"], hosts(fields)[:2]) == ("unreachable", False, HOPS[:2])


def test_path_keeps_a_silent_hop_in_its_place(row: Row) -> None:
    row.rule("modem", "output", "icmp type time-exceeded drop")
    fields, _ = row.one("path", **PATH)
    assert (hosts(fields), fields["hops_answered"]) == ((HOPS[0], "*", *HOPS[2:]), 3)


def test_path_without_privilege_or_network_is_a_recorded_failure(row: Row) -> None:
    unprivileged = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    ((_, reason, detail),) = row.measure("path", unprivileged, **PATH)
    assert reason == "not_permitted"
    assert detail is not None
    assert "CAP_NET_RAW" in detail
    row.ip("school", "route del default")
    assert row.one("path", **PATH) == ({"target": TARGET}, "network_down")


def test_path_needs_no_more_than_one_capability(row: Row) -> None:
    only = ["setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all", "--no-new-privs"]
    ((fields, reason, _),) = row.measure("path", only, **PATH)
    assert (reason, hosts(fields)) == (None, HOPS)


def test_portal_is_open_when_nobody_is_between(row: Row) -> None:
    with row.serving("internet", eyes.answer_http, WEB, 80, NO_CONTENT):
        fields, reason = row.one("portal", **PORTAL)
    assert (reason, fields["verdict"], fields["open"], fields["status"]) == (None, "open", True, 204)


def test_portal_of_the_operator_is_seen_behind_its_redirection(row: Row) -> None:
    row.rule("operator", "prerouting", "tcp dport 80 redirect to :8080", table="nat")
    with row.serving("operator", eyes.answer_http, "0.0.0.0", 8080, LOGIN):
        fields, reason = row.one("portal", **PORTAL)
    assert (reason, fields["verdict"], fields["redirect_host"]) == (None, "portal", "login.operator.test")
    assert "192.168.77.10" not in str(fields)


@pytest.mark.parametrize(
    ("rule", "reason", "verdict"),
    [("tcp dport 80 drop", "timeout", None), ("tcp dport 80 reject with tcp reset", None, "blocked")],
)
def test_portal_tells_silence_from_refusal(
    row: Row, rule: str, reason: str | None, verdict: str | None
) -> None:
    row.rule("operator", "forward", rule)
    fields, why = row.one("portal", **PORTAL)
    assert (why, fields.get("verdict")) == (reason, verdict)


def test_ipv6_works(row: Row) -> None:
    fields, reason = row.one("ipv6", **IPV6)
    assert (reason, fields["verdict"], fields["working"], fields["broken"]) == (None, "working", True, False)
    assert (fields["anchor_asked"], fields["anchor_answered"], fields["ipv4_answered"]) == (1, 1, 1)
    assert fields["large_answered"] is True


@pytest.mark.parametrize("mtu_bytes", [1280, 1400])
@pytest.mark.parametrize("tells", [True, False])
def test_ipv6_that_loses_only_large_packets_is_told_where_no_router_tells(
    row: Row, mtu_bytes: int, tells: bool
) -> None:
    row.narrow(mtu_bytes)
    if not tells:
        for room in ("modem", "operator"):
            row.rule(room, "output", "icmpv6 type packet-too-big drop")
    fields, reason = row.one("ipv6", **IPV6)
    assert (reason, fields["verdict"]) == (None, "working" if tells else "large_lost")
    assert (fields["working"], fields["large_answered"]) == (True, tells)


def test_ipv6_with_an_address_but_no_way_is_broken(row: Row) -> None:
    row.rule("operator", "forward", "meta nfproto ipv6 drop")
    fields, _ = row.one("ipv6", **IPV6)
    assert (fields["verdict"], fields["broken"], fields["ipv4_answered"]) == ("broken", True, 1)


def test_ipv6_whose_echoes_an_operator_drops_works_all_the_same(row: Row) -> None:
    row.rule("operator", "forward", "icmpv6 type echo-request drop")
    with row.serving("internet", eyes.answer_http, TARGET_6, 443, NO_CONTENT):
        fields, reason = row.one("ipv6", **IPV6)
    assert (reason, fields["verdict"], fields["anchor_answered"]) == (None, "working", 1)
    assert fields["rtt_median_ms"] > 0


def test_ipv6_on_a_dead_link_is_not_called_broken(row: Row) -> None:
    row.rule("operator", "forward", "drop")
    fields, _ = row.one("ipv6", **IPV6)
    assert (fields["verdict"], fields["working"]) == ("unknown", False)


@pytest.mark.parametrize(
    ("command", "verdict"), [("-6 route del default", "no_route"), ("-6 addr flush dev out", "absent")]
)
def test_ipv6_says_what_is_missing(row: Row, command: str, verdict: str) -> None:
    row.ip("school", command)
    fields, reason = row.one("ipv6", **IPV6)
    assert (reason, fields["verdict"], fields["anchor_asked"]) == (None, verdict, 0)


@pytest.fixture
def sites(row: Row, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Options of the http probe, and a port for each kind of certificate."""
    trusted, stranger = tls_site.issuer("Trusted Root"), tls_site.issuer("Filter Ltd")
    (tmp_path / "ca.pem").write_bytes(trusted.pem)
    kinds = tls_site.write_certificates(tmp_path, "school.test", trusted, stranger)
    ports = {kind: 8440 + i for i, kind in enumerate(kinds)}
    site = tls_site.Sites(tmp_path, ports, tmp_path, host="0.0.0.0")
    resolver = ["--address=/school.test/198.51.100.80", "--address=/school.test/2606:4700:4700::1111"]
    with (
        row.running("internet", site.command(), ""),
        row.running("internet", dnsmasq(*resolver), "started"),
    ):
        yield {"ca_file": str(tmp_path / "ca.pem"), "timeout_s": 3, "ports": ports}


def dnsmasq(*options: str) -> list[str]:
    return [
        find("dnsmasq"),
        "--keep-in-foreground",
        "--log-facility=-",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--bind-interfaces",
        "--user=root",
        f"--listen-address={TARGET}",
        *options,
    ]


def page(row: Row, sites: dict[str, Any], kind: str, **wanted: Any) -> tuple[dict[str, Any], str | None]:
    options = {name: value for name, value in sites.items() if name != "ports"}
    url = f"https://school.test:{sites['ports'][kind]}/index.html"
    target = {"url": url} | {k: wanted.pop(k) for k in ("issuer", "contains") if k in wanted}
    return row.one("http", targets=[target], **options, **wanted)


@pytest.mark.parts("nginx", "dnsmasq")
def test_faults_of_certificates_are_told_apart(row: Row, sites: dict[str, Any]) -> None:
    fields, reason = page(row, sites, "good", contains="right page")
    assert (reason, fields["status"], fields["content_ok"], fields["tls_ok"]) == (None, 200, True, True)
    assert min(fields[f"{phase}_ms"] for phase in ("dns", "connect", "tls", "first_byte", "total")) > 0
    for kind in ("expired", "not_yet_valid", "wrong_name", "old_tls", "unknown_ca", "self_signed"):
        fields, reason = page(row, sites, kind)
        assert (reason, fields["tls_error"], fields["tls_ok"]) == ("tls_failed", kind, False), kind
        assert "status" not in fields
    assert fields["issuer"] == "School, school.test"
    print(f"\n{len(sites['ports'])} kinds of certificates served by nginx")


@pytest.mark.parts("nginx", "dnsmasq")
def test_certificate_of_another_issuer_is_an_interception(row: Row, sites: dict[str, Any]) -> None:
    ports = sites["ports"]
    translation = f"tcp dport {ports['good']} redirect to :{ports['unknown_ca']}"
    row.rule("internet", "prerouting", translation, table="nat")
    fields, reason = page(row, sites, "good", issuer="Trusted Root")
    assert (reason, fields["tls_error"], fields["issuer"]) == (
        "tls_failed",
        "intercepted",
        "Filter Ltd, root",
    )


@pytest.mark.parts("nginx", "dnsmasq")
def test_issuer_that_is_trusted_but_another_is_an_interception(row: Row, sites: dict[str, Any]) -> None:
    fields, reason = page(row, sites, "good", issuer="Another Root")
    assert (reason, fields["tls_error"], fields["tls_ok"]) == ("tls_failed", "intercepted", False)


@pytest.mark.parts("nginx", "dnsmasq")
def test_page_over_a_proxy_is_the_same_page(row: Row, sites: dict[str, Any]) -> None:
    row.rule("modem", "forward", f"ip daddr {WEB} drop")
    row.rule("internet", "input", "udp dport 53 drop")
    _, blocked = page(row, sites, "good")
    assert blocked == "timeout"
    with row.serving("internet", eyes.proxy_http, TARGET, 3128, WEB):
        fields, reason = page(row, sites, "good", proxy=f"http://{TARGET}:3128", contains="right page")
    assert (reason, fields["status"], fields["tls_ok"], "dns_ms" in fields) == (None, 200, True, False)


@pytest.mark.parts("nginx", "dnsmasq")
def test_page_is_asked_for_by_each_family(row: Row, sites: dict[str, Any]) -> None:
    row.rule("operator", "forward", "meta nfproto ipv6 drop")
    options = {name: value for name, value in sites.items() if name != "ports"} | {"timeout_s": 1}
    url = f"https://school.test:{sites['ports']['good']}/index.html"
    found = row.measure("http", targets=[{"url": url}], families=[4, 6], **options)
    assert [(f["family"], reason) for f, reason, _ in found] == [("4", None), ("6", "timeout")]


@pytest.mark.parts("nginx", "dnsmasq")
def test_page_over_a_black_hole_hangs_no_longer_than_its_time(row: Row, sites: dict[str, Any]) -> None:
    row.narrow(576)
    for room in ("modem", "operator"):
        row.rule(room, "output", NO_ERRORS)
    fields, reason = page(row, sites, "good")
    assert (reason, fields["connect_ms"] > 0, "tls_ms" in fields) == ("timeout", True, False)


@pytest.mark.parts("dnsmasq")
@pytest.mark.parametrize(
    ("options", "verdict", "reason"),
    [
        (["--address=/example.org/198.51.100.80"], "honest", None),
        (["--address=/example.org/10.10.34.36"], "poisoned", "bad_answer"),
        (["--address=/#/203.0.113.7"], "hijacked", None),
    ],
)
def test_resolver_is_honest_or_not(row: Row, options: list[str], verdict: str, reason: str | None) -> None:
    with row.running("internet", dnsmasq(*options), "started"):
        fields, why = row.one("dns", timeout_s=2)
    assert (why, fields["verdict"]) == (reason, verdict)
    assert ("lookup_ms" in fields) is (reason is None)


@pytest.mark.parts("dnsmasq")
def test_resolver_behind_the_operators_own_gives_itself_away(row: Row) -> None:
    """Whoever is asked, the operator's resolver answers: names that cannot exist get an address."""
    row.rule("operator", "prerouting", "udp dport 53 redirect to :53", table="nat")
    operators = [o for o in dnsmasq("--address=/#/203.0.113.7") if not o.startswith("--listen")]
    with row.running("operator", [*operators, "--listen-address=100.64.0.1"], "started"):
        found = row.measure("dns", resolvers=["9.9.9.9", "8.8.8.8"], timeout_s=2)
    assert [(f["target"], f["hijacked"]) for f, _, _ in found] == [("9.9.9.9", True), ("8.8.8.8", True)]


def test_names_without_udp_are_a_timeout(row: Row) -> None:
    row.rule("operator", "forward", "meta l4proto udp drop")
    fields, reason = row.one("dns", timeout_s=0.3)
    assert (fields["attempts"], reason) == (2, "timeout")
