# SPDX-License-Identifier: Apache-2.0
"""Do the probes see a school's network as it is: school, router and internet in namespaces of their own?"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.setup import parts

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "nft")]

TREE = Path(__file__).resolve().parents[2]
ANCHORS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
REACH = {"watch_s": 0.6, "anchor_every_s": 0.1, "gateway_every_s": 0.2, "timeout_s": 0.4, "dns_name": ""}
PATIENT: dict[str, Any] = {"watch_s": 3.0, "anchor_every_s": 0.25, "gateway_every_s": 0.5, "timeout_s": 1.0}
"""12 requests to anchors; the first three are overdue when the seventh is sent."""
LATENCY = {"count": 3, "spacing_s": 0.1, "timeout_s": 0.8}

MEASURE = """
import asyncio, json, sys
from agent.contract.decoder import decode
from agent.contract.record import to_plain
from agent.probes import load
probe = decode(load(sys.argv[1]), json.loads(sys.argv[2]), strict=True)
print(json.dumps([[to_plain(f.fields), f.reason] for f in asyncio.run(probe.measure())]))
"""

LISTEN = """
import socket, sys
at = ("::", int(sys.argv[1]))
with socket.create_server(at, family=socket.AF_INET6, dualstack_ipv6=True) as server:
    print("listening", flush=True)
    while True:
        server.accept()[0].close()
"""

ROOMS = """
link add eth0 netns {school} type veth peer name lan netns {router}
link add wan netns {router} type veth peer name net netns {internet}
"""

SCHOOL = """
link set lo up
link set eth0 up
addr add 192.168.77.10/24 dev eth0
addr add fd77::10/64 dev eth0 nodad
route add default via 192.168.77.1
"""

ROUTER = """
link set lo up
link set lan up
link set wan up
addr add 192.168.77.1/24 dev lan
addr add 100.64.0.2/30 dev wan
addr add fe80::1/64 dev lan nodad
addr add fd64::2/64 dev wan nodad
route add default via 100.64.0.1
route add fd77::/64 dev lan
route add ::/0 via fd64::1
"""

INTERNET = """
link set lo up
link set net up
addr add 100.64.0.1/30 dev net
addr add fd64::1/64 dev net nodad
addr add 2001:db8::1/128 dev lo nodad
route add 192.168.77.0/24 via 100.64.0.2
route add fd77::/64 via fd64::2
""" + "".join(f"addr add {anchor}/32 dev lo\n" for anchor in ANCHORS)

Found = list[tuple[dict[str, Any], str | None]]


class Lab:
    """Three namespaces in a row, named after the process so that two runs do not meet."""

    def __init__(self) -> None:
        self.rooms = {room: f"sp{os.getpid()}-{room}" for room in ("school", "router", "internet")}
        self.etc = Path("/etc/netns") / self.rooms["school"]

    def build(self) -> None:
        for room, name in self.rooms.items():
            subprocess.run([ip(), "netns", "add", name], check=True)
            # An address would not be used for its first second (duplicate address detection, RFC 4862 §5.4).
            self.set(room, "net.ipv6.conf.default.accept_dad", "0")
        batch([], ROOMS.format(**self.rooms))
        for room, commands in (("school", SCHOOL), ("router", ROUTER), ("internet", INTERNET)):
            batch(["-n", self.rooms[room]], commands)
        self.set("router", "net.ipv4.ip_forward", "1")
        self.set("router", "net.ipv6.conf.all.forwarding", "1")
        self.etc.mkdir(parents=True)
        (self.etc / "resolv.conf").write_text("nameserver 9.9.9.9\n")

    def clear(self) -> None:
        for name in self.rooms.values():
            subprocess.run([ip(), "netns", "delete", name], check=False)
        shutil.rmtree(self.etc, ignore_errors=True)

    def ip(self, room: str, *command: str) -> None:
        subprocess.run([ip(), "-n", self.rooms[room], *command], check=True)

    def set(self, room: str, key: str, value: str) -> None:
        code = f"open('/proc/sys/{key.replace('.', '/')}', 'w').write({value!r})"
        subprocess.run(self.inside(room, ["python3", "-c", code]), check=True)

    def rule(self, room: str, hook: str, rule: str, *, kind: str = "filter") -> None:
        """A rule of nft(8) for what passes `hook`: input, output, forward or prerouting."""
        chain = f"add chain inet {kind} {hook} {{ type {kind} hook {hook} priority 0; }}"
        for line in (f"add table inet {kind}", chain, f"add rule inet {kind} {hook} {rule}"):
            subprocess.run(self.inside(room, [nft(), line]), check=True)

    def lift(self, room: str, hook: str) -> None:
        """No more rules there."""
        subprocess.run(self.inside(room, [nft(), f"flush chain inet filter {hook}"]), check=True)

    @contextlib.contextmanager
    def listening(self, room: str, port: int) -> Iterator[None]:
        """Each address of a room accepts connections there."""
        command = self.inside(room, [sys.executable, "-c", LISTEN, str(port)])
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            yield
            process.kill()

    def connects(self, host: str) -> bool:
        """Whether somebody accepts a connection from the school in the name of this host."""
        code = f"import socket; socket.create_connection(({host!r}, 443), timeout=1)"
        command = self.inside("school", [sys.executable, "-c", code])
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def inside(self, room: str, command: Sequence[str]) -> list[str]:
        return [ip(), "netns", "exec", self.rooms[room], *command]

    def measure(self, kind: str, wrap: Sequence[str] = (), **options: Any) -> Found:
        command = [*wrap, sys.executable, "-c", MEASURE, kind, json.dumps(options)]
        made = subprocess.run(
            self.inside("school", command), cwd=TREE, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        return [(fields, reason) for fields, reason in json.loads(made.stdout)]

    def reach(self, wrap: Sequence[str] = (), **options: Any) -> tuple[dict[str, Any], str | None]:
        (found,) = self.measure("reach", wrap, **REACH | options)
        return found

    def latency(self, *targets: str, wrap: Sequence[str] = ()) -> Found:
        return self.measure("latency", wrap, targets=targets, **LATENCY)


def ip() -> str:
    path = parts.find("ip")
    assert path is not None
    return path


def nft() -> str:
    path = parts.find("nft")
    assert path is not None
    return path


def batch(options: Sequence[str], commands: str) -> None:
    subprocess.run([ip(), *options, "-batch", "-"], input=commands, text=True, check=True)


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    try:
        lab.build()
        yield lab
    finally:
        lab.clear()


@pytest.fixture
def listener(lab: Lab) -> Iterator[None]:
    """Port 443 of every anchor."""
    with lab.listening("internet", 443):
        yield


@pytest.fixture
def impostor(lab: Lab) -> Iterator[None]:
    """The router accepts connections in everybody's name, as the accelerator of a satellite terminal does."""
    with lab.listening("router", 8443):
        lab.rule("router", "prerouting", "tcp dport 443 redirect to :8443", kind="nat")
        yield


UNPRIVILEGED = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]


def test_reach_is_up_when_everything_works(lab: Lab) -> None:
    fields, reason = lab.reach()
    assert reason is None
    assert fields == {
        "up": True,
        "anchors": 3,
        "anchors_up": 3,
        "anchor_asked": 6,
        "anchor_answered": 6,
        "loss_run_max": 0,
        "gateway_asked": 3,
        "gateway_answered": 3,
        "route": True,
        "carrier": True,
        "hint": "up",
        "method": "icmp",
    }


def test_reach_blames_the_provider_when_the_line_is_cut_behind_the_router(lab: Lab) -> None:
    lab.ip("internet", "link", "set", "net", "down")
    fields, reason = lab.reach()
    assert (fields["up"], fields["hint"], reason) == (False, "down_provider", None)
    assert fields["gateway_answered"] == fields["gateway_asked"] > 0


def test_reach_blames_the_school_when_the_router_is_off(lab: Lab) -> None:
    lab.ip("router", "link", "set", "lan", "down")
    fields, _ = lab.reach()
    assert (fields["up"], fields["carrier"], fields["hint"]) == (False, False, "down_other")


def test_reach_blames_the_school_when_the_router_is_mute(lab: Lab) -> None:
    lab.ip("router", "addr", "del", "192.168.77.1/24", "dev", "lan")
    fields, _ = lab.reach()
    assert (fields["up"], fields["carrier"], fields["hint"]) == (False, True, "down_other")
    assert fields["gateway_answered"] == 0


def test_reach_blames_nobody_when_a_living_router_ignores_echo(lab: Lab) -> None:
    lab.set("router", "net.ipv4.icmp_echo_ignore_all", "1")
    lab.ip("internet", "link", "set", "net", "down")
    fields, _ = lab.reach()
    assert (fields["up"], fields["gateway_answered"], fields["hint"]) == (False, 0, "unknown")


@pytest.mark.parametrize("command", [["route", "del", "default"], ["link", "set", "eth0", "down"]])
def test_reach_without_way_out_is_a_failure_to_measure(lab: Lab, command: list[str]) -> None:
    lab.ip("school", *command)
    fields, reason = lab.reach()
    assert reason == "network_down"
    assert (fields.get("up"), fields["route"], fields["anchor_asked"]) == (None, False, 0)
    assert fields["hint"] == "down_other"


def test_reach_with_a_dead_resolver_is_degraded(lab: Lab) -> None:
    lab.ip("school", "route", "add", "blackhole", "9.9.9.9/32")
    fields, _ = lab.reach(dns_name="example.org", anchors=["1.1.1.1", "8.8.8.8"])
    assert (fields["up"], fields["hint"], fields["dns_answered"]) == (True, "degraded", 0)


def test_latency_asks_gateway_and_anchors(lab: Lab) -> None:
    found = lab.latency("gateway", *ANCHORS)
    assert [fields["target"] for fields, _ in found] == ["gateway", *ANCHORS]
    assert all((fields["sent"], fields["received"], reason) == (3, 3, None) for fields, reason in found)


def test_latency_says_why_each_target_is_silent(lab: Lab) -> None:
    lab.ip("router", "route", "del", "default")
    lab.ip("school", "route", "add", "prohibit", "8.8.8.8/32")
    lab.ip("school", "route", "add", "blackhole", "9.9.9.9/32")
    found = {
        fields["target"]: (reason, fields["sent"]) for fields, reason in lab.latency("gateway", *ANCHORS)
    }
    assert found == {
        "gateway": (None, 3),
        "1.1.1.1": ("unreachable", 3),
        "8.8.8.8": ("not_permitted", 0),
        "9.9.9.9": ("network_down", 0),
    }


def test_latency_over_ipv6_finds_the_link_local_gateway(lab: Lab) -> None:
    lab.ip("school", "route", "del", "default")
    lab.ip("school", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    found = lab.latency("gateway", "2001:db8::1", "2001:db8::2", "1.1.1.1")
    assert [(fields["received"], reason) for fields, reason in found] == [
        (3, None),
        (3, None),
        (0, "unreachable"),
        (0, "network_down"),
    ]


def test_latency_of_a_name_fails_alone_when_the_resolver_refuses(lab: Lab) -> None:
    named, anchor = lab.latency("example.org", "1.1.1.1")
    assert named == ({"target": "example.org"}, "refused")
    assert anchor[0]["received"] == 3


def test_echo_needs_no_privilege_where_the_group_is_allowed(lab: Lab) -> None:
    lab.set("school", "net.ipv4.ping_group_range", "0 0")
    found = lab.latency("gateway", "1.1.1.1", "2001:db8::9", wrap=UNPRIVILEGED)
    assert [(fields["method"], fields["received"]) for fields, _ in found] == [
        ("icmp", 3),
        ("icmp", 3),
        ("icmp", 0),
    ]


def test_datagram_socket_hears_that_a_target_is_unreachable(lab: Lab) -> None:
    lab.set("school", "net.ipv4.ping_group_range", "0 0")
    lab.ip("router", "route", "del", "default")
    ((_, reason),) = lab.latency("1.1.1.1", wrap=UNPRIVILEGED)
    assert reason == "unreachable"


def test_latency_is_measured_by_tcp_where_echo_is_denied(lab: Lab, listener: None) -> None:
    lab.set("school", "net.ipv4.ping_group_range", "1 0")
    found = lab.latency("gateway", "1.1.1.1", wrap=UNPRIVILEGED)
    assert [(fields["method"], fields["received"]) for fields, _ in found] == [("tcp", 3), ("tcp", 3)]


def test_reach_by_tcp_is_up_when_the_anchors_accept(lab: Lab, listener: None) -> None:
    fields, _ = lab.reach(UNPRIVILEGED)
    assert (fields["method"], fields["hint"], fields["anchors_up"]) == ("tcp", "up", 3)


def test_reach_by_tcp_does_not_take_a_refusal_for_an_anchor(lab: Lab) -> None:
    fields, _ = lab.reach(UNPRIVILEGED)
    assert (fields["method"], fields["up"], fields["gateway_answered"]) == ("tcp", False, 3)


NO_ECHO = "icmp type echo-request drop"
NO_ECHO_6 = "icmpv6 type echo-request drop"


def test_reach_where_echo_is_dropped_on_the_way_is_told_by_connections(lab: Lab, listener: None) -> None:
    lab.rule("router", "forward", NO_ECHO)
    fields, reason = lab.reach(**PATIENT)
    assert (fields["up"], fields["method"], fields["hint"], reason) == (True, "tcp", "up", None)
    assert (fields["anchors_up"], fields["loss_run_max"]) == (3, 0)
    assert (fields["anchor_asked"], fields["anchor_answered"]) == (6, 6)
    assert fields["gateway_answered"] == fields["gateway_asked"] > 0


def test_reach_by_ipv6_where_echo_is_dropped_is_told_by_connections(lab: Lab, listener: None) -> None:
    lab.ip("school", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    lab.rule("router", "forward", NO_ECHO_6)
    fields, _ = lab.reach(**PATIENT, anchors=["2001:db8::1"])
    assert (fields["up"], fields["method"], fields["hint"], fields["anchor_asked"]) == (True, "tcp", "up", 6)


def test_reach_is_down_when_the_line_is_dead_behind_a_router_that_drops_echo(
    lab: Lab, listener: None
) -> None:
    lab.rule("router", "forward", NO_ECHO)
    lab.ip("internet", "link", "set", "net", "down")
    fields, _ = lab.reach(**PATIENT)
    assert (fields["up"], fields["method"], fields["hint"]) == (False, "icmp", "down_provider")
    assert (fields["anchor_asked"], fields["anchor_answered"]) == (12, 0)


def test_reach_is_down_when_an_accelerator_accepts_connections_on_a_dead_line(
    lab: Lab, impostor: None
) -> None:
    lab.ip("internet", "link", "set", "net", "down")
    assert lab.connects(ANCHORS[0])
    fields, _ = lab.reach(**PATIENT)
    assert (fields["up"], fields["method"], fields["hint"]) == (False, "icmp", "down_provider")


def test_reach_is_down_when_a_router_refuses_connections_on_a_dead_line(lab: Lab) -> None:
    lab.rule("router", "forward", NO_ECHO)
    lab.rule("router", "forward", "meta l4proto tcp reject with tcp reset")
    fields, _ = lab.reach(**PATIENT)
    assert (fields["up"], fields["method"], fields["hint"]) == (False, "icmp", "down_provider")


def test_reach_by_echo_stays_so_where_few_echoes_get_through(lab: Lab, listener: None) -> None:
    lab.rule("router", "forward", "icmp type echo-request limit rate over 1/hour burst 1 packets drop")
    fields, _ = lab.reach(**PATIENT)
    assert (fields["up"], fields["method"], fields["hint"]) == (True, "icmp", "degraded")
    assert (fields["anchor_asked"], fields["anchor_answered"]) == (12, 1)


def test_reach_by_echo_stays_so_when_the_line_comes_back_in_the_round(lab: Lab, listener: None) -> None:
    lab.rule("router", "forward", "drop")
    revival = threading.Timer(2.5, lab.lift, ("router", "forward"))
    revival.start()
    fields, _ = lab.reach(**PATIENT | {"watch_s": 5.0})
    revival.join()
    assert (fields["up"], fields["method"], fields["anchor_asked"]) == (True, "icmp", 20)


def test_reach_by_tcp_is_down_when_an_accelerator_accepts_connections_on_a_dead_line(
    lab: Lab, impostor: None
) -> None:
    lab.ip("internet", "link", "set", "net", "down")
    fields, _ = lab.reach(UNPRIVILEGED)
    assert (fields["method"], fields["up"], fields["gateway_answered"]) == ("tcp", False, 3)


def test_latency_where_echo_is_dropped_on_the_way_is_that_of_connections(lab: Lab, listener: None) -> None:
    lab.rule("router", "forward", NO_ECHO)
    found = lab.latency("gateway", "1.1.1.1", "8.8.8.8")
    assert [(f["method"], f["sent"], f["received"], reason) for f, reason in found] == [
        ("icmp", 3, 3, None),
        ("tcp", 3, 3, None),
        ("tcp", 3, 3, None),
    ]
    assert all(fields["rtt_median_ms"] > 0 and fields["rtt_histogram"] for fields, _ in found)


def test_latency_of_a_gateway_that_ignores_echo_is_that_of_connections(lab: Lab) -> None:
    lab.set("router", "net.ipv4.icmp_echo_ignore_all", "1")
    (gateway, _), (anchor, _) = lab.latency("gateway", "1.1.1.1")
    assert (gateway["method"], gateway["received"]) == ("tcp", 3)
    assert (anchor["method"], anchor["received"]) == ("icmp", 3)


def test_latency_on_a_dead_line_has_no_time_though_an_accelerator_accepts(lab: Lab, impostor: None) -> None:
    lab.ip("internet", "link", "set", "net", "down")
    ((fields, reason),) = lab.latency("1.1.1.1")
    assert (fields["method"], fields["sent"], fields["loss_ratio"], reason) == ("icmp", 3, 1.0, "timeout")
    assert "rtt_median_ms" not in fields


def test_latency_of_a_host_in_whose_name_a_router_refuses_has_no_time(lab: Lab) -> None:
    lab.rule("router", "forward", NO_ECHO)
    lab.rule("router", "forward", "meta l4proto tcp reject with tcp reset")
    ((fields, reason),) = lab.latency("1.1.1.1")
    assert (fields["method"], fields["received"], reason) == ("icmp", 0, "timeout")


def test_dns_of_a_dead_resolver_is_refused(lab: Lab) -> None:
    ((fields, reason),) = lab.measure("dns", timeout_s=0.5)
    assert (fields["target"], reason) == ("9.9.9.9", "refused")
    assert "lookup_ms" not in fields


def test_dns_without_way_out_says_so(lab: Lab) -> None:
    lab.ip("school", "route", "del", "default")
    ((fields, reason),) = lab.measure("dns", timeout_s=0.5)
    assert (fields["attempts"], reason) == (0, "network_down")


def test_interface_is_that_of_the_default_route(lab: Lab) -> None:
    ((fields, reason),) = lab.measure("interface")
    assert (fields["interface"], fields["up"], reason) == ("eth0", True, None)
