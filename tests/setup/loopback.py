# SPDX-License-Identifier: Apache-2.0
"""How are tests kept from sending anything outside this machine?"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

LOCAL_NAMES = frozenset({"", "localhost", "ip6-localhost"})
NO_SUCH_NAME = (".invalid", ".test")
"""Names that never exist (RFC 6761 §6.2, §6.4): refused here as every resolver must, without asking one."""


class LeftTheMachine(RuntimeError):
    """A test tried to reach another machine."""


@contextlib.contextmanager
def only() -> Iterator[list[str]]:
    """Let sockets of this process reach this machine only; yields the list of other addresses tried."""
    attempts: list[str] = []
    with contextlib.ExitStack() as stack:
        for name in ("connect", "connect_ex", "sendto"):
            guarded = _guarded(getattr(socket.socket, name), attempts)
            stack.enter_context(mock.patch.object(socket.socket, name, guarded))
        stack.enter_context(mock.patch.object(socket, "getaddrinfo", _resolver(attempts)))
        yield attempts


def is_local(host: object) -> bool:
    """Whether a host, as a socket call takes it, is this machine."""
    if isinstance(host, bytes):
        host = host.decode()
    if host is None or host in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guarded(call: Callable[..., Any], attempts: list[str]) -> Callable[..., Any]:
    def guard(self: socket.socket, *arguments: Any) -> Any:
        _check(self.family, arguments[-1], attempts)
        return call(self, *arguments)

    return guard


def _check(family: int, address: Any, attempts: list[str]) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
        attempts.append(f"{address[0]} port {address[1]}")
        raise LeftTheMachine(attempts[-1])


def _resolver(attempts: list[str]) -> Callable[..., Any]:
    resolve = socket.getaddrinfo

    def guard(host: Any, *arguments: Any, **options: Any) -> Any:
        if _is_literal(host) or is_local(host):
            return resolve(host, *arguments, **options)
        if str(host).rstrip(".").endswith(NO_SUCH_NAME):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        attempts.append(f"the name {host}")
        raise LeftTheMachine(attempts[-1])

    return guard


def _is_literal(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True
