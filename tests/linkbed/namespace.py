# SPDX-License-Identifier: Apache-2.0
"""How are network namespaces made, entered and surely removed?"""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFIX = "splb-"
_FOLDER = Path("/run/netns")
_ETC = Path("/etc/netns")
_CLONE_NEWNET = 0x40000000


def ip(*command: str, commands: str | None = None) -> None:
    """Run ip(8), or a batch of its commands."""
    subprocess.run(["ip", *command], input=commands, text=True, check=True, capture_output=True)


def add(name: str) -> None:
    """A new namespace, whose IPv6 addresses may be used at once (RFC 4862 §5.4 would make them wait)."""
    ip("netns", "add", name)
    with entered(name):
        for key, value in _SETTINGS.items():
            with contextlib.suppress(FileNotFoundError):
                Path("/proc/sys/net", key).write_text(value)


def remove(name: str) -> None:
    """The namespace and its files, if they are there."""
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    shutil.rmtree(_ETC / name, ignore_errors=True)


def sweep() -> None:
    """Remove what a killed run has left behind."""
    for folder in (_FOLDER, _ETC):
        for path in folder.glob(f"{PREFIX}*"):
            owner = path.name.removeprefix(PREFIX).partition("-")[0]
            if not Path("/proc", owner).exists():
                remove(path.name)


def write_resolvers(name: str, resolvers: tuple[str, ...]) -> None:
    """Which name servers a program that `ip netns exec` starts there will find in `/etc/resolv.conf`."""
    (_ETC / name).mkdir(parents=True, exist_ok=True)
    lines = "".join(f"nameserver {host}\n" for host in resolvers)
    (_ETC / name / "resolv.conf").write_text(lines)


@contextlib.contextmanager
def entered(name: str) -> Iterator[None]:
    """This thread is in the namespace meanwhile; sockets and namespaced files opened there stay there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        if libc.setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    with Path("/proc/thread-self/ns/net").open("rb") as home, (_FOLDER / name).open("rb") as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


def open_socket(name: str, *arguments: Any) -> socket.socket:
    """A socket that lives in the namespace."""
    with entered(name):
        return socket.socket(*arguments)


_SETTINGS = {
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/router_solicitations": "0",
    "ipv4/tcp_no_metrics_save": "1",
    # Room for 200 Mbit/s at 600 ms.
    "ipv4/tcp_rmem": "4096 131072 67108864",
    "ipv4/tcp_wmem": "4096 65536 67108864",
}


def forward(name: str) -> None:
    """This namespace is a router."""
    with entered(name):
        for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            Path("/proc/sys/net", key).write_text("1")
