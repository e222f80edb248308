# SPDX-License-Identifier: Apache-2.0
"""How is something posted to a URL so that no answer, however strange, harms us?

One connection a request, to the address that was looked up and no other; no redirects, proxies or cookies;
TLS 1.2 and the name checked; at most `_MOST_BYTES` of the answer read; after `_WITHIN_S` the socket is shut
whatever the other side does.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from collector.alerts.address import Lookup, look_up, pinned
from collector.alerts.hooks.base import HookFailed, HookGone

_WITHIN_S = 20.0
_CONNECT_S = 5.0
_MOST_BYTES = 65_536
_SAID_BYTES = 200
_OK = range(200, 300)
_GONE, _TOO_MANY, _BUSY = 410, 429, 503
_WORTH_TRYING = frozenset({408, 425, 429})


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to post.

    Attributes:
        url: http or https, without user name.
        ca_file: certificates to trust instead of the system's.
        allow_http: whether it may go unencrypted; allow_private: whether to an address that is not public.
        within_s: for the whole exchange.
    """

    url: str
    ca_file: str | None = None
    allow_http: bool = False
    allow_private: bool = False
    within_s: float = _WITHIN_S
    lookup: Lookup = look_up

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url must be http:// or https:// with a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("url must hold no user name or password")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError("url is not https; set allow_http = true if that is meant")
        if parts.fragment:
            raise ValueError("url must hold no fragment (#…)")
        _ = parts.port


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> None:
    """Until it was taken.

    Raises:
        HookFailed: it was not; says whether another try is worth while.
    """
    with _connected(target) as (connection, watch):
        path = urlsplit(target.url)._replace(scheme="", netloc="").geturl() or "/"
        try:
            connection.request("POST", path, body, {"User-Agent": "schoolpulse", **headers})
            with contextlib.closing(connection.getresponse()) as answer:
                said = _said(answer)
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise HookFailed(_name(e)) from e
        if watch.has_shut:
            raise HookFailed(f"no whole answer within {target.within_s:g} s")
    _judge(answer, said)


def _said(answer: http.client.HTTPResponse) -> bytes:
    """The body where its length is known; what comes first of any other one, and only where it is of use.

    The library reads a chunk of negative size until the end, however far that is.
    """
    if answer.length is not None and not answer.chunked:
        return answer.read(min(answer.length, _MOST_BYTES))
    return b"" if answer.status in _OK or answer.fp is None else answer.fp.read1(_SAID_BYTES)


@contextlib.contextmanager
def _connected(target: Target) -> Iterator[tuple[http.client.HTTPConnection, _Watch]]:
    """A connection that is shut when its time is over."""
    ends_s = time.monotonic() + target.within_s
    parts = urlsplit(target.url)
    is_secret = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if is_secret else 80)
    address = pinned(host, port, allow_private=target.allow_private, lookup=target.lookup)
    try:
        raw = socket.create_connection((address, port), timeout=_CONNECT_S)
    except OSError as e:
        raise HookFailed(_name(e)) from e
    raw.settimeout(target.within_s)
    watch = _Watch(raw, max(0.0, ends_s - time.monotonic()))
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = _wrapped(raw, host, target.ca_file) if is_secret else raw
        yield connection, watch
    finally:
        watch.close()
        connection.close()
        raw.close()


def _wrapped(raw: socket.socket, host: str, ca_file: str | None) -> ssl.SSLSocket:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context.wrap_socket(raw, server_hostname=host)
    except (OSError, ValueError) as e:
        raise HookFailed(f"TLS: {_name(e)}") from e


class _Watch:
    """Shuts a socket when its time is over."""

    def __init__(self, raw: socket.socket, within_s: float) -> None:
        self.has_shut = False
        # TLS takes the socket over; a second handle on it can always be shut.
        self._handle = raw.dup()
        self._timer = threading.Timer(within_s, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """It ended in time, or not."""
        self._timer.cancel()
        self._handle.close()

    def _shut(self) -> None:
        self.has_shut = True
        with contextlib.suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)


def _judge(answer: http.client.HTTPResponse, said: bytes) -> None:
    """What the status means for the next try; what the other side wrote is cut and made printable."""
    if answer.status in _OK:
        return
    words = "".join(c if c.isprintable() else " " for c in said[:_SAID_BYTES].decode("utf-8", "replace"))
    problem = f"answered {answer.status}: {' '.join(words.split())}".rstrip(": ")
    if answer.status == _GONE:
        raise HookGone(problem)
    is_permanent = 400 <= answer.status < 500 and answer.status not in _WORTH_TRYING  # noqa: PLR2004
    retry_after_s = _retry_after_s(answer.getheader("Retry-After"))
    raise HookFailed(
        problem,
        permanent=is_permanent,
        retry_after_s=retry_after_s,
        pauses=answer.status == _TOO_MANY or (answer.status == _BUSY and retry_after_s is not None),
    )


def _retry_after_s(text: str | None) -> float | None:
    """Seconds, or a date (RFC 9110 §10.2.3); None for anything else."""
    if text is None:
        return None
    seconds = text.strip()
    if seconds.isascii() and seconds.isdigit():
        return float(seconds[:9])
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        at_s = email.utils.parsedate_to_datetime(text).timestamp()
        return max(0.0, at_s - time.time())
    return None


def _name(problem: BaseException) -> str:
    return str(problem) or type(problem).__name__
