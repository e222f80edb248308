# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.contract.reason import Reason
from agent.echo import honesty
from agent.echo.lookup import Lookup
from agent.echo.message import DnsAnswer


def told(*hosts: str, rcode: int = 0) -> Lookup:
    reason = Reason.NAME_UNKNOWN if rcode else None
    return Lookup(attempts=1, answer=DnsAnswer(rcode, len(hosts), hosts), reason=reason)


SILENT = Lookup(attempts=2, reason=Reason.TIMEOUT)


PRIVATE = (
    "0.0.0.0 10.10.34.36 127.0.0.1 172.31.0.1 192.168.1.1 100.64.3.4 198.18.0.7 169.254.1.1 239.1.1.1 "
    "255.255.255.255 :: ::1 ::ffff:10.0.0.1 fd00::1 fe80::1"
)


@pytest.mark.parametrize("host", PRIVATE.split())
def test_address_that_no_public_server_has_is_not_public(host: str) -> None:
    assert not honesty.is_public(host)
    assert honesty.is_poisoned(("93.184.215.14", host), ()) is True


@pytest.mark.parametrize("host", ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1"])
def test_address_of_the_internet_is_public(host: str) -> None:
    assert honesty.is_public(host)
    assert honesty.is_poisoned((host,), ()) is False


def test_answer_is_poisoned_when_one_address_is_not_expected() -> None:
    allowed = honesty.networks(["93.184.0.0/16", "2606::/16", "10.0.0.1"])
    assert honesty.is_poisoned(("93.184.215.14", "2606::5", "10.0.0.1"), allowed) is False
    assert honesty.is_poisoned(("93.184.215.14", "8.8.8.8"), allowed) is True
    assert honesty.is_poisoned((), allowed) is None


def test_answer_differs_when_nobody_else_gave_any_of_its_addresses() -> None:
    assert honesty.differs(told("1.1.1.1"), [told("2.2.2.2"), told("3.3.3.3")]) is True
    assert honesty.differs(told("1.1.1.1"), [told("2.2.2.2"), told("3.3.3.3", "1.1.1.1")]) is False


@pytest.mark.parametrize("others", [[], [SILENT], [told()]])
def test_answer_is_compared_only_with_answers(others: list[Lookup]) -> None:
    assert honesty.differs(told("1.1.1.1"), others) is None
    assert honesty.differs(SILENT, [told("1.1.1.1")]) is None


def test_address_for_a_name_that_cannot_exist_is_a_hijack() -> None:
    assert honesty.is_hijacked(told("203.0.113.9")) is True
    assert honesty.is_hijacked(told(rcode=3)) is False
    assert honesty.is_hijacked(told()) is False
    assert honesty.is_hijacked(SILENT) is None


@pytest.mark.parametrize("rcode", [1, 2, 5])
def test_a_failure_says_nothing_of_a_name_that_cannot_exist(rcode: int) -> None:
    failed = Lookup(attempts=1, answer=DnsAnswer(rcode, 0, ()), reason=Reason.DNS_SERVER_FAILURE)
    assert honesty.is_hijacked(failed) is None


def test_an_answer_that_does_not_fit_shows_no_hijack_but_a_denial_does() -> None:
    cut = Lookup(attempts=1, answer=DnsAnswer(0, 9, (), truncated=True))
    denied = Lookup(attempts=1, answer=DnsAnswer(3, 0, (), truncated=True), reason=Reason.NAME_UNKNOWN)
    assert (honesty.is_hijacked(cut), honesty.is_hijacked(denied)) == (None, False)


def test_address_between_operator_and_customer_is_shared() -> None:
    assert honesty.is_shared("100.127.255.254")
    assert not honesty.is_shared("100.63.255.255")


def test_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits set"):
        honesty.networks(["10.0.0.1/8"])
