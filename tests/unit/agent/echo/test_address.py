# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo.address import Address, is_numeric, parse


@given(st.ip_addresses(v=4))
def test_parse_keeps_an_ipv4_address(text: object) -> None:
    assert parse(str(text)) == Address(socket.AF_INET, str(text))


def test_parse_writes_an_ipv6_address_as_the_kernel_does() -> None:
    assert parse("2001:DB8:0:0::1").at(53) == ("2001:db8::1", 53, 0, 0)


def test_parse_takes_the_interface_of_a_link_local_address() -> None:
    assert parse("fe80::1%lo").at(0) == ("fe80::1", 0, 0, socket.if_nametoindex("lo"))


@pytest.mark.parametrize(
    "text", ["", "example.org", "1.2.3", "1.2.3.256", "::g", "fe80::1%no-such0", "1.1.1.1\0"]
)
def test_parse_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an IP address|there is no interface"):
        parse(text)


def test_is_numeric_asks_only_for_the_form() -> None:
    assert is_numeric("fe80::1%no-such0")
    assert not is_numeric("example.org")
