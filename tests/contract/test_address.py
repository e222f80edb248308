# SPDX-License-Identifier: Apache-2.0
"""Is every text refused that the resolver would choke on, and none that could be a host?"""

from __future__ import annotations

import pytest

from agent.contract.address import host_problem

GOOD = """localhost broker.school.kz broker.school.kz. 127.0.0.1 ::1 fe80::1%eth0 0.0.0.0 influx_db 3com.com
xn--80ak6aa92e.com мектеп.қаз a-b.c 4.kz"""
BAD = "a..b .a . -a a- 300.1.1.1 1.2.3 [::1] a:1 http://a a/b fe80::1%%x 1::2::3 a,b 123 a.5 １。２"


@pytest.mark.parametrize("host", [*GOOD.split(), "a" * 63 + ".kz"])
def test_a_name_or_address_is_taken(host: str) -> None:
    assert host_problem(host) is None


@pytest.mark.parametrize("host", [*BAD.split(), "a b", " a", "a\n", "a\0b", "a" * 64, "a." * 127 + "kz"])
def test_what_can_be_no_host_is_refused(host: str) -> None:
    assert host_problem(host) == f"{host!r} is neither a host name nor an address"


def test_nothing_is_refused_with_its_own_sentence() -> None:
    assert host_problem("") == "must not be empty"


def test_a_password_is_not_repeated() -> None:
    assert "hunter2" not in str(host_problem("admin:hunter2@broker"))
