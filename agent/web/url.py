# SPDX-License-Identifier: Apache-2.0
"""Which server, port and path are meant by a web address?"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass

from agent.echo import address
from agent.echo.message import is_host_name

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[!-~]{1,8000}")
"""Addresses that long are to be supported (RFC 9110 §4.1)."""
_NOT_PRINTABLE = re.compile(rb"[^!-~]")
_MAX_PORT = 65535
_MAX_HOST = 253


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
    """Where a redirect leads (RFC 9110 §10.2.2), as a browser reads it: portals write it in their language.

    Args:
        url: of the page that redirects.
        location: the header, a byte a character (latin-1).

    Raises:
        ValueError: nowhere that can be asked.
    """
    quoted = _NOT_PRINTABLE.sub(_in_percent, location.strip().encode("latin-1", "replace")).decode("ascii")
    parts = urllib.parse.urlsplit(urllib.parse.urljoin(str(url), quoted))
    return parse_url(parts._replace(netloc=_in_ascii(parts.netloc)).geturl())


def _in_percent(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(found[0])


def _in_ascii(authority: str) -> str:
    """A host in letters of any language by its name in the DNS (RFC 3490)."""
    if "%" not in authority:
        return authority
    host, colon, port = urllib.parse.unquote(authority, errors="strict").partition(":")
    if len(host) > _MAX_HOST:
        raise ValueError("a host name that is too long")
    return host.encode("idna").decode("ascii") + colon + port
