# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import socket
from unittest import mock

import pytest

from agent.echo.address import Address, parse
from agent.trace import large

TOKEN = bytes(range(200))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAFNOSUPPORT])
async def test_nothing_is_said_of_large_packets_where_none_can_be_sent(number: int) -> None:
    with mock.patch.object(socket, "socket", side_effect=OSError(number, "no")):
        assert await large.comes_back([parse("2001:db8::1"), parse("2001:db8::2")], timeout_s=0.1) is None


@pytest.mark.parametrize(
    ("answered", "is_one"),
    [(TOKEN, True), (TOKEN[:64], True), (TOKEN[:7], False), (b"", False), (TOKEN[1:], False)],
)
def test_a_large_request_is_answered_by_its_beginning_too(answered: bytes, is_one: bool) -> None:
    assert large._is_of(answered, TOKEN) is is_one


@pytest.mark.parametrize(
    ("told", "answered", "asked"),
    [
        ([True, False, False], True, 1),
        ([False, True, False], True, 3),
        ([False, False, False], False, 3),
        ([False, None, None], False, 3),
        ([None, True, True], None, 1),
    ],
)
async def test_others_are_asked_only_where_the_first_is_silent(
    monkeypatch: pytest.MonkeyPatch, told: list[bool | None], answered: bool | None, asked: int
) -> None:
    hosts = [parse(f"2001:db8::{i}") for i in range(3)]
    heard: list[Address] = []

    async def comes_back(host: Address, timeout_s: float) -> bool | None:
        heard.append(host)
        return told[hosts.index(host)]

    monkeypatch.setattr(large, "_comes_back", comes_back)
    assert await large.comes_back(hosts, timeout_s=0.1) is answered
    assert heard == hosts[:asked]
