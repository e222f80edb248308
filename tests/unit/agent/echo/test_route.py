# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo import route
from agent.echo.address import Address
from agent.echo.route import Route, default_route, has_carrier, is_neighbour

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
LAN = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
ETH = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t202\t00000000\t0\t0\t0\n"
WIFI = "wlan0\t00000000\t010010AC\t0003\t0\t0\t303\t00000000\t0\t0\t0\n"
PPP = "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
REJECT = "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
NO_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
ETH_6 = f"{'0' * 32} 00 {'0' * 32} 00 20010db8{'0' * 23}1 00000400 00000001 00000000 00000003     eth0\n"
LOCAL_6 = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00000003       lo\n"
ON_LINK_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} 00000400 00000001 00000000 00000001     ppp0\n"


def proc(folder: Path, *, route: str = "", ipv6_route: str = "", arp: str = "") -> Path:
    (folder / "route").write_text(HEAD + route)
    (folder / "ipv6_route").write_text(ipv6_route)
    (folder / "arp").write_text("IP address HW type Flags HW address Mask Device\n" + arp)
    return folder


def v4(host: str) -> Address:
    return Address(socket.AF_INET, host)


def test_default_route_is_the_one_of_lowest_metric(tmp_path: Path) -> None:
    found = default_route(proc(tmp_path, route=LAN + WIFI + ETH, ipv6_route=ETH_6))
    assert found == Route("eth0", v4("192.168.1.1"))


def test_default_route_has_no_gateway_on_a_point_to_point_link(tmp_path: Path) -> None:
    assert default_route(proc(tmp_path, route=PPP)) == Route("ppp0", None)
    assert default_route(proc(tmp_path, ipv6_route=ON_LINK_6)) == Route("ppp0", None)


def test_default_route_is_that_of_ipv6_when_there_is_no_other(tmp_path: Path) -> None:
    found = default_route(proc(tmp_path, route=LAN, ipv6_route=NO_6 + ETH_6))
    assert found == Route("eth0", Address(socket.AF_INET6, "2001:db8::1"))


def test_default_route_names_the_interface_of_a_link_local_gateway(tmp_path: Path) -> None:
    found = default_route(proc(tmp_path, ipv6_route=LOCAL_6))
    assert found == Route("lo", Address(socket.AF_INET6, "fe80::1", socket.if_nametoindex("lo")))


@pytest.mark.parametrize("route", ["", LAN, REJECT, "eth0\t00000000\n", "garbage"])
def test_default_route_is_none_when_there_is_no_usable_one(tmp_path: Path, route: str) -> None:
    assert default_route(proc(tmp_path, route=route, ipv6_route=NO_6)) is None


def test_default_route_survives_damaged_columns(tmp_path: Path) -> None:
    damaged = ETH.replace("0003", "zzzz")
    gone = LOCAL_6.replace("lo", "no-such0")
    found = default_route(proc(tmp_path, route=damaged, ipv6_route=gone))
    assert found == Route("no-such0", None)


def test_default_route_is_none_without_proc(tmp_path: Path) -> None:
    assert default_route(tmp_path / "missing") is None


@given(text=st.text(st.sampled_from("0123456789abcdefgX\t \n*"), max_size=200))
def test_default_route_survives_any_table(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("proc")
    default_route(proc(folder, route=text, ipv6_route=text))


@pytest.mark.parametrize(("text", "expected"), [("1\n", True), ("0\n", False)])
def test_carrier_is_what_the_driver_says(tmp_path: Path, text: str, *, expected: bool) -> None:
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "carrier").write_text(text)
    assert has_carrier("eth0", tmp_path) is expected


def test_carrier_is_unknown_without_interface_and_false_when_unreadable(tmp_path: Path) -> None:
    (tmp_path / "eth1" / "carrier").mkdir(parents=True)
    assert has_carrier("eth0", tmp_path) is None
    assert has_carrier("eth1", tmp_path) is False


@pytest.mark.parametrize(("flags", "expected"), [("0x2", True), ("0x6", True), ("0x0", False)])
def test_neighbour_is_one_whose_hardware_address_is_known(
    tmp_path: Path, flags: str, *, expected: bool
) -> None:
    arp = f"192.168.1.1 0x1 {flags} 02:00:00:00:00:01 * eth0\n"
    assert is_neighbour(v4("192.168.1.1"), proc(tmp_path, arp=arp)) is expected


def test_neighbour_is_not_one_without_entry_and_unknown_for_ipv6(tmp_path: Path) -> None:
    assert is_neighbour(v4("192.168.1.1"), proc(tmp_path)) is False
    assert is_neighbour(Address(socket.AF_INET6, "fe80::1", 2), proc(tmp_path)) is None


@pytest.mark.parametrize(
    ("line", "has_one"),
    [
        ("20010db8000000000000000000000010 02 40 00 80 eth0", True),
        ("2a0000000000000000000000000000a1 02 40 00 01 eth0", True),
        ("fd770000000000000000000000000010 02 40 00 80 eth0", False),
        ("fe800000000000000000000000000010 02 40 20 80 eth0", False),
        ("20010db8000000000000000000000010 02 40 00 40 eth0", False),
        ("20010db8000000000000000000000010 02 40 00 88 eth0", False),
        ("damaged", False),
    ],
)
def test_only_a_usable_address_of_the_internet_counts(tmp_path: Path, line: str, has_one: bool) -> None:
    (tmp_path / "if_inet6").write_text(f"00000000000000000000000000000001 01 80 10 80 lo\n{line}\n")
    assert route.has_global_address_6(tmp_path) is has_one


def test_without_ipv6_there_is_neither_address_nor_route(tmp_path: Path) -> None:
    assert not route.has_global_address_6(tmp_path)
    assert not route.has_default_route_6(tmp_path)
