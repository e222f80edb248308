# SPDX-License-Identifier: Apache-2.0
"""Is the web open, or does somebody (a captive portal, a used-up quota, a filter) put a page before it?

How: pages whose answer is known are asked for without TLS, as operating systems do, one after the other until
one is open; a random query keeps caches from answering. Whatever else comes is judged: a redirect to another
host or a request to log in is a portal, a page with one of the configured markers is a quota page, another
page is tampered with, a refusal is blocked; a proxy that gets no further is a failure, as silence is. Nothing
of the page is kept, and of a redirect only the host.

Costs at the defaults: one request each 600 s, 0.96 kB at the IP layer with name and
connection (measured): 0.14 MB/day while the web is
open, twice as much while it is not. A round takes as long as the answers, at most 20 s.

Does not tell: whether pages over TLS open (`http` does), nor what a filter blocks beyond these pages.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from agent.contract.kinds import Portal
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import address
from agent.echo.lookup import DNS_PORT
from agent.echo.problem import NoAnswer
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.web.exchange import Exchange, Manner
from agent.web.url import Url, led_to, parse_url
from agent.web.wording import plain, readings, unpacked

OPEN, PORTAL, QUOTA, TAMPERED, BLOCKED = "open", "portal", "quota", "tampered", "blocked"
_CODES = {word: code for code, word in enumerate((OPEN, PORTAL, QUOTA, TAMPERED, BLOCKED))}

_KEEP_BYTES = 65_536
_RANDOM_BYTES = 4
_REDIRECTS = range(300, 400)
_PAYMENT_REQUIRED, _LOGIN_REQUIRED = 402, 511
_PAGE = 200
_FORBIDDEN = (403, 451)
_NO_FURTHER = {502: Reason.UNREACHABLE, 503: Reason.UNREACHABLE, 504: Reason.TIMEOUT}
"""A proxy on the way to a dead link says so (RFC 9110 §15.6): nobody has put a page before the web."""
_FORM = re.compile(
    r"<form|http-equiv\s*=\s*[\"']?refresh|\blocation\s*=[^=]|\blocation\s*\.\s*(?:href|replace|assign)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A page whose answer is known: its status and, if any, its whole text, or a part of it.

    A single word is in pages of others, too: `text` is safer than `contains`.
    """

    url: str
    status: int = 204
    contains: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if parse_url(self.url).is_secret:
            raise ValueError(f"{self.url} is a page over TLS, before which nobody can put another")
        if self.status == _PAGE and not (self.contains or self.text):
            raise ValueError(
                f"{self.url} needs `text`, or a text that its page `contains`: others have status 200 too"
            )

    def is_shown(self, status: int | None, body: bytes) -> bool:
        """Whether this is that page."""
        is_whole = not self.text or body.strip() == self.text.strip().encode()
        return status == self.status and is_whole and self.contains.encode() in body


@dataclass(frozen=True, kw_only=True)
class PortalProbe(ProbeOptions):
    """Its fields are the table `[probes.portal]`."""

    kind: ClassVar[str] = "portal"

    every_s: float = option("seconds from one start to the next", 600.0, low=1, high=86400)
    targets: tuple[Known, ...] = option(
        "pages with a known answer, a table each: `url`, `status` (204 by default), `text` (all of it, "
        "blanks around it apart), `contains` (a part of it)",
        (
            Known(url="http://connectivitycheck.gstatic.com/generate_204"),
            Known(url="http://detectportal.firefox.com/success.txt", status=200, text="success"),
        ),
    )
    quota_markers: tuple[str, ...] = option(
        "texts, in any case, in a page or redirect that say the quota or the money is used up",
        (
            "quota",
            "data limit",
            "лимит трафика",
            "исчерпан",
            "недостаточно средств",
            "таусылды",
            "қаражат жеткіліксіз",
        ),
    )
    timeout_s: float = option("how long one response may take", 10.0, low=0.1, high=300)
    resolvers: tuple[str, ...] = option("addresses of resolvers to ask; empty for those of the system", ())
    dns_port: int = option("port of the resolvers", DNS_PORT, low=1, high=65535)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.targets:
            raise ValueError("targets must name at least one page")
        if not all(self.quota_markers):
            raise ValueError("quota_markers must not hold an empty text: it is in every page")
        for resolver in self.resolvers:
            address.parse(resolver)
        longest_s = self.timeout_s * len(self.targets)
        if longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"timeout_s for each target ({longest_s:g} s) must be shorter than deadline_s and every_s"
            )

    async def measure(self) -> Reading:
        """Ask for one page after the other until one is open."""
        found: list[Finding] = []
        for known in self.targets:
            found.append(await self._ask(known))
            fields = found[-1].fields
            if isinstance(fields, Portal) and fields.open:
                break
        return tuple(found)

    async def _ask(self, known: Known) -> Finding:
        exchange = Exchange(_asked_by_nobody_before(parse_url(known.url)), self._manner)
        try:
            await exchange.run()
        except NoAnswer as e:
            if e.reason == Reason.REFUSED and exchange.peer is not None:
                return Finding(_portal(known, exchange, BLOCKED), None, e.detail)
            # A portal that holds its connection open, or breaks off, has shown what it is by then.
            verdict = None if exchange.response.status is None else self._verdict(known, exchange)
            if verdict in {PORTAL, QUOTA, BLOCKED}:
                return Finding(_portal(known, exchange, verdict), None, e.detail)
            return Finding(Portal(target=known.url), e.reason, e.detail)
        verdict, status = self._verdict(known, exchange), exchange.response.status
        if verdict == TAMPERED and status in _NO_FURTHER:
            detail = f"the server, or a proxy that gets no further, answered with {status}"
            return Finding(Portal(target=known.url, status=status), _NO_FURTHER[status], detail)
        return Finding(_portal(known, exchange, verdict))

    @property
    def _manner(self) -> Manner:
        return Manner(
            timeout_s=self.timeout_s,
            keep_bytes=_KEEP_BYTES,
            resolvers=tuple(map(address.parse, self.resolvers)) or None,
            dns_port=self.dns_port,
        )

    def _verdict(self, known: Known, exchange: Exchange) -> str:
        response = exchange.response
        coding = response.headers.get("content-encoding", "")
        body = unpacked(bytes(response.body), coding, most_bytes=_KEEP_BYTES)
        if known.is_shown(response.status, body):
            return OPEN
        said = list(readings(body))
        away = unquote_to_bytes(response.headers.get("location", "").encode("latin-1"))
        if response.status == _PAYMENT_REQUIRED or self._tells_of_quota((*readings(away), *said)):
            return QUOTA
        if response.status == _LOGIN_REQUIRED or _is_sent_away(exchange) or "refresh" in response.headers:
            return PORTAL
        if response.status in _FORBIDDEN:
            return BLOCKED
        return PORTAL if any(map(_FORM.search, said)) else TAMPERED

    def _tells_of_quota(self, said: Iterable[str]) -> bool:
        words = [plain(text) for text in said]
        return any(plain(marker) in text for marker in self.quota_markers for text in words)


def _asked_by_nobody_before(url: Url) -> Url:
    """With a random query: else a cache on the way may answer, and the web looks open on a dead link."""
    between = "&" if "?" in url.path else "?"
    return dataclasses.replace(url, path=f"{url.path}{between}{secrets.token_hex(_RANDOM_BYTES)}")


def _is_sent_away(exchange: Exchange) -> bool:
    there = _redirect(exchange)
    return there is not None and there.host != exchange.url.host


def _redirect(exchange: Exchange) -> Url | None:
    response = exchange.response
    if response.status not in _REDIRECTS or "location" not in response.headers:
        return None
    try:
        return led_to(exchange.url, response.headers["location"])
    except ValueError:
        return None


def _portal(known: Known, exchange: Exchange, verdict: str) -> Portal:
    there = _redirect(exchange)
    return Portal(
        target=known.url,
        verdict=verdict,
        verdict_code=_CODES[verdict],
        open=verdict == OPEN,
        status=exchange.response.status,
        redirect_host=there.host if there else None,
        total_ms=exchange.total_ms,
        rx_bytes=exchange.response.rx_bytes if exchange.connect_ms is not None else None,
    )
