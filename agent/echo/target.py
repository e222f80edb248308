# SPDX-License-Identifier: Apache-2.0
"""Which address is meant by a target: `gateway`, an address, or a name?

Names are looked up afresh for each round with this package's own resolver code: the C library would block a
thread that nobody can cancel. `/etc/hosts` and search domains are therefore not consulted.
"""

from __future__ import annotations

import asyncio

from agent.contract.reason import Reason
from agent.echo import address, resolvers, route
from agent.echo.address import Address
from agent.echo.lookup import Lookup, look_up_whole
from agent.echo.message import RecordType, is_host_name
from agent.echo.problem import NoAnswer

GATEWAY = "gateway"

LOOKUP_TIMEOUTS = 2
"""A name is given up after so many time-outs, however many resolvers there are."""


def is_target(text: str) -> bool:
    """Whether this can be asked: `gateway`, an address or a host name."""
    return text == GATEWAY or address.is_numeric(text) or is_host_name(text)


async def find(target: str, *, timeout_s: float) -> Address:
    """The address to ask.

    Raises:
        NoAnswer: there is no gateway, no such interface, or no address for the name.
    """
    if target == GATEWAY:
        return _gateway()
    if address.is_numeric(target):
        return _numeric(target)
    return await _named(target, timeout_s)


def _gateway() -> Address:
    found = route.default_route()
    if found is None:
        raise NoAnswer(Reason.NO_GATEWAY, "there is no default route")
    if found.gateway is None:
        raise NoAnswer(Reason.NO_GATEWAY, f"the default route by {found.interface} has no gateway")
    return found.gateway


def _numeric(target: str) -> Address:
    try:
        return address.parse(target)
    except ValueError as e:
        raise NoAnswer(Reason.NETWORK_DOWN, str(e)) from e


async def _named(name: str, timeout_s: float) -> Address:
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUTS * timeout_s):
            return await _looked_up(name, timeout_s)
    except TimeoutError as e:
        raise NoAnswer(Reason.TIMEOUT, f"looking up {name}: no resolver answered in time") from e


async def _looked_up(name: str, timeout_s: float) -> Address:
    problem = NoAnswer(Reason.NO_TARGET, "no resolver is configured to look the name up")
    for resolver in resolvers.system_resolvers():
        for kind in (RecordType.A, RecordType.AAAA):
            lookup = await look_up_whole(resolver, name, timeout_s=timeout_s, kind=kind)
            if lookup.answer is not None and lookup.answer.addresses:
                return address.parse(lookup.answer.addresses[0])
            problem = _no_address(name, lookup)
            if lookup.reason is not None:
                break
    raise problem


def _no_address(name: str, lookup: Lookup) -> NoAnswer:
    if lookup.reason is None:
        return NoAnswer(Reason.NAME_UNKNOWN, f"{name} has no address")
    return NoAnswer(lookup.reason, f"looking up {name}: {lookup.detail}")
