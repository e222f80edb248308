# SPDX-License-Identifier: Apache-2.0
"""Which server, port and path are meant by a web address?"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass

from agent.echo import address
from agent.echo.message import is_host_name

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[!-~]{1,2000}")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Url:
    """An address without user, password and fragment; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_secret(self) -> bool:
        """Whether it is asked for over TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str) -> Url:
    """Read `http://host/path` or `https://host:port/path?query`.

    Raises:
        ValueError: anything that cannot or must not be asked for.
    """
    if not _PRINTABLE.fullmatch(text):
        raise ValueError(f"{text[:60]!r} has characters that a web address cannot have")
    parts = urllib.parse.urlsplit(text)
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in _PORTS:
        raise ValueError(f"{text[:60]!r} is not a web address of http or https")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a web address must not hold a user or password")
    if not (address.is_numeric(host) or is_host_name(host)) or "%" in host:
        raise ValueError(f"{host[:60]!r} is not a host name or address")
    if port is not None and not 0 < port <= _MAX_PORT:
        raise ValueError(f"port {port} is outside 1 … {_MAX_PORT}")
    query = f"?{parts.query}" if parts.query else ""
    return Url(parts.scheme, host, port or _PORTS[parts.scheme], (parts.path or "/") + query)


def led_to(url: Url, location: str) -> Url:
    """Where a redirect leads (RFC 9110 §10.2.2).

    Raises:
        ValueError: nowhere that can be asked.
    """
    return parse_url(urllib.parse.urljoin(str(url), location.strip()))
