# SPDX-License-Identifier: Apache-2.0
"""Which name servers does this host ask?"""

from __future__ import annotations

from pathlib import Path

from agent.echo.address import Address, parse

RESOLV_CONF = Path("/etc/resolv.conf")

_MAX_SERVERS = 3
"""The C library ignores further ones (resolv.conf(5), MAXNS)."""


def system_resolvers(path: Path = RESOLV_CONF) -> tuple[Address, ...]:
    """Name servers of `resolv.conf`, in order, each once; empty when there are none or no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    found: dict[Address, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            found.update(dict.fromkeys(_parsed(words[1])))
    return tuple(found)[:_MAX_SERVERS]


def _parsed(text: str) -> tuple[Address, ...]:
    try:
        return (parse(text),)
    except ValueError:
        return ()
