# SPDX-License-Identifier: Apache-2.0
"""Can a name lead a hook to what only this machine can reach?"""

from __future__ import annotations

import ipaddress
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerts.address import pinned
from collector.alerts.hooks.base import HookFailed

_PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "198.18.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "fec0::1",
    "64:ff9b:1::1",
    "2001:0:53aa:64c:0:0:80ff:fffe",
]
_NEVER = ["169.254.169.254", "224.0.0.1", "fe80::1", "ff02::1", "::", "0.0.0.0", "::ffff:169.254.169.254"]
_NEVER += ["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254", "::ffff:0:a9fe:a9fe"]


def lookup(*addresses: str) -> object:
    return lambda _host, _port: addresses


@pytest.mark.parametrize("address", _PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(HookFailed, match="not public"):
        pinned("hook.example.org", 443, allow_private=False, lookup=lookup(address))  # type: ignore[arg-type]


@pytest.mark.parametrize("address", _NEVER)
def test_some_are_refused_even_where_private_ones_are_meant(address: str) -> None:
    with pytest.raises(HookFailed, match="not public"):
        pinned("hook.example.org", 443, allow_private=True, lookup=lookup(address))  # type: ignore[arg-type]


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(HookFailed, match="set allow_private"):
        pinned("h.example.org", 443, allow_private=False, lookup=lookup("93.184.215.14", "10.0.0.1"))  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_one_is_taken(address: str) -> None:
    assert pinned("h.example.org", 443, allow_private=False, lookup=lookup(address)) == address  # type: ignore[arg-type]


def test_a_private_one_is_taken_where_it_is_meant() -> None:
    assert pinned("noc.local", 443, allow_private=True, lookup=lookup("10.0.0.1")) == "10.0.0.1"  # type: ignore[arg-type]


def test_no_address_at_all_is_said() -> None:
    with pytest.raises(HookFailed, match="has no address"):
        pinned("no-such-name.invalid", 443, allow_private=False, lookup=lookup())  # type: ignore[arg-type]


_WAYS = [
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "localhost",
    "::1",
    "127.0.0.1",
]
_LOOK = """
import sys
from collector.alerts.address import pinned
from collector.alerts.hooks.base import HookFailed
for host in sys.argv[1:]:
    try:
        print(host, "taken", pinned(host, 443, allow_private=False))
    except HookFailed as e:
        print(e)
"""


def test_an_address_may_be_written_in_many_ways_and_is_seen_through() -> None:
    """By the real resolver, which reads numbers as addresses; in a process where no guard of ours is."""
    words = [sys.executable, "-c", _LOOK, *_WAYS]
    lines = subprocess.run(words, capture_output=True, text=True, check=True, timeout=50).stdout.splitlines()
    print(f"\n{len(lines)} ways")
    assert len(lines) == len(_WAYS)
    assert [line for line in lines if "which is not public" not in line] == []


def test_a_name_that_answers_differently_each_time_is_asked_once() -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    found = pinned("h.example.org", 443, allow_private=False, lookup=lambda _host, _port: next(answers))
    assert found == "93.184.215.14"
    assert next(answers) == ["127.0.0.1"]


@given(st.ip_addresses())
def test_no_address_that_is_taken_leads_home(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Whatever is taken is public, and so is what it carries inside."""
    try:
        pinned("h", 443, allow_private=False, lookup=lambda _host, _port: [str(address)])
    except HookFailed:
        return
    assert address.is_global
    assert not address.is_multicast
    assert getattr(address, "ipv4_mapped", None) is None or address.ipv4_mapped.is_global  # type: ignore[union-attr]
