# SPDX-License-Identifier: Apache-2.0
"""How do measurements get into InfluxDB, each of them confirmed?

InfluxDB 2 and 3 take them directly, 1.x behind a rewrite of the path, VictoriaMetrics as a mirror without
guarantees.

Written through influxdb-client's synchronous write API: its batching one returns before anything is stored
and says nothing about single records. A 400 "partial write" has stored the good lines of a request; writing a
line twice changes nothing, so the refused ones are found by halving.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.option import option
from agent.contract.secret import read_secret
from agent.contract.tls import trusting
from collector.sinks.base import Measurement, Rejection, SinkRejected, SinkUnavailable
from collector.sinks.lines import line

MAX_LINES = 5000
"""InfluxDB 1.x and 2.x refuse bodies over 25 MB, and larger requests are no faster."""

_PRECISION: Any = "us"  # the client's own constants are plain text, its annotation is not
_TOO_LARGE = 413
_REFUSALS = (400, 422)
_ADVICE = {
    0: "check the server's certificate and [sinks.influxdb] ca_file",
    401: "the token was refused; check [sinks.influxdb] token_file",
    403: "the token may not write there; check its permissions and [sinks.influxdb] bucket",
    404: "no such bucket, organisation or address; check [sinks.influxdb] url, org and bucket",
}
_DROPPED = re.compile(r"dropped=(\d+)")

Numbered = tuple[int, str]
"""A measurement's place in its batch, and its line."""


@dataclass(frozen=True, kw_only=True)
class InfluxDBOptions:
    """The table `[sinks.influxdb]`."""

    enabled: bool = option("whether measurements are written to InfluxDB", default=False)
    url: str = option("root of the server's HTTP interface", "http://127.0.0.1:8086")
    org: str = option("organisation; InfluxDB 1.x, 3 and VictoriaMetrics ignore it", "")
    bucket: str = option("bucket, or database", "schoolpulse")
    token_file: str | None = option(
        "file with the token, or the name of a systemd credential; never the token itself",
        None,
        example="influxdb-token",
    )
    ca_file: str | None = option(
        "certificates to trust instead of the system's", None, example="/etc/schoolpulse/ca.crt"
    )
    timeout_s: float = option("a request that takes longer is tried again later", 20.0, low=0.1, high=600)
    lines_per_request: int = option("longest request", MAX_LINES, low=1, high=MAX_LINES)

    def __post_init__(self) -> None:
        if problem := _url_problem(self.url):
            raise DecodeError("url", problem)
        for name in ("bucket", "token_file", "ca_file"):
            if getattr(self, name) == "":
                raise DecodeError(name, "must not be empty")


class InfluxDBSink:
    """Writes to one bucket; 401 and 404 count as unavailable, so that a wrong setting loses nothing."""

    name = "influxdb"
    OPTIONS: ClassVar[type[InfluxDBOptions]] = InfluxDBOptions

    def __init__(self, options: InfluxDBOptions) -> None:
        """Read token and certificates; no connection is made.

        Raises:
            DecodeError: one of the files cannot be used.
        """
        if options.ca_file is not None:
            trusting("ca_file", options.ca_file)
        self._options = options
        self._client = InfluxDBClient(
            url=options.url,
            token=read_token(options),
            org=options.org,
            timeout=round(options.timeout_s * 1000),
            ssl_ca_cert=options.ca_file,
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    async def write(self, batch: Sequence[Measurement]) -> None:
        """Store the batch, in requests of at most `lines_per_request`."""
        rejections = await asyncio.to_thread(self._write, [(i, line(m)) for i, m in enumerate(batch)])
        if rejections:
            raise SinkRejected(sorted(rejections, key=lambda r: r.index))

    async def close(self) -> None:
        """Close idle connections."""
        await asyncio.to_thread(self._client.close)

    def _write(self, lines: Sequence[Numbered]) -> list[Rejection]:
        size = self._options.lines_per_request
        parts = (lines[i : i + size] for i in range(0, len(lines), size))
        return [rejection for part in parts for rejection in self._store(part)]

    def _store(self, part: Sequence[Numbered]) -> list[Rejection]:
        """Store what can be stored; the others are returned."""
        problem = self._post(part)
        if problem is None:
            return []
        if len(part) == 1 or _dropped(problem) == len(part):
            return [Rejection(index, problem) for index, _ in part]
        # Sorted, lines of one kind stand together and are soon refused as one part.
        ordered = sorted(part, key=lambda numbered: numbered[1])
        middle = len(ordered) // 2
        return self._store(ordered[:middle]) + self._store(ordered[middle:])

    def _post(self, part: Sequence[Numbered]) -> str | None:
        """None when all of it is stored, else what the server has against some of it."""
        options = self._options
        body = "\n".join(text for _, text in part)
        try:
            self._api.write(options.bucket, options.org, body, write_precision=_PRECISION)
        except ApiException as e:
            problem = _refusal(e)
            if problem is not None:
                return problem
            raise SinkUnavailable(self._what(_describe(e)), _retry_after_s(e)) from e
        except (HTTPError, OSError, UnicodeDecodeError) as e:
            raise SinkUnavailable(self._what(f"does not answer: {e}")) from e
        return None

    def _what(self, problem: str) -> str:
        return f"InfluxDB at {self._options.url}, bucket {self._options.bucket!r}: {problem}"


def read_token(options: InfluxDBOptions) -> str:
    """The token; empty when none is named.

    Raises:
        DecodeError: its file cannot be used.
    """
    if options.token_file is None:
        return ""
    token = read_secret("token_file", options.token_file, os.environ).strip()
    if not (token.isascii() and token.isprintable()):
        raise DecodeError("token_file", f"{options.token_file} holds no token: one line of ASCII is expected")
    return token


def _url_problem(url: str) -> str | None:
    """What is wrong with it, None when nothing is; an address that may hold a secret is not repeated."""
    if "@" in url:
        return "must not hold a user name or password; write the token into a file and name it in token_file"
    if "?" in url or "#" in url:
        return "must be the root of the server; bucket, org and token_file have keys of their own"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        return f"{url!r} is not an address: {e}"
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url or not url.isprintable():
        return f"{url!r} is not an http:// or https:// address"
    return f"{url!r} has port 0, where nobody listens" if port == 0 else host_problem(parts.hostname)


def _refusal(e: ApiException) -> str | None:
    """What is wrong with the lines, None when the answer is about anything else.

    An InfluxDB says so in JSON; a proxy that answers 400 in HTML has not looked at them.
    """
    if e.status == _TOO_LARGE:
        return "the line is larger than the server accepts"
    return _message(e) if e.status in _REFUSALS else None


def _message(e: ApiException) -> str | None:
    try:
        answer = json.loads(e.body or "")
    except ValueError:
        return None
    said = (answer.get("message") or answer.get("error")) if isinstance(answer, dict) else None
    return str(said) if said else None


def _dropped(problem: str) -> int | None:
    found = _DROPPED.search(problem)
    return int(found[1]) if found else None


def _describe(e: ApiException) -> str:
    said = _message(e) or " ".join(str(e.body or e.reason).split())[:200]
    advice = _ADVICE.get(e.status)
    return f"answered {e.status} ({said})" + (f"; {advice}" if advice else "")


def _retry_after_s(e: ApiException) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110 §10.2.3)."""
    headers: Mapping[str, str] = e.headers or {}
    value = headers.get("Retry-After")
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
