# SPDX-License-Identifier: Apache-2.0
"""How long does each phase of opening a page take, and is it the right page from the right server?

How: each page is asked for over a connection of its own, by IPv4, IPv6 or both; name, connection, TLS, first
byte and whole response are timed apart. Certificates are checked as a browser does; one that is refused is
looked at for the kind of fault and its issuer. A text or a SHA-256 that the page must have can be given.
Redirects are counted; they are followed on the same host, to others only if that is switched on.

Costs at the defaults: one page over TLS each 1800 s, 3.0 kB at the IP layer with one small certificate
(measured), about 7 kB with a public site's chain: 0.14 to 0.34 MB/day and family. A round takes as long as
the pages, at most `timeout_s` for each step of redirection.

Does not tell: how fast the link is, or what a browser feels, which opens dozens of connections. A page
without TLS that is `cached` says nothing of the link beyond the cache. A clock that is wrong makes right
certificates look expired or not yet valid.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.kinds import Http
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import address
from agent.echo.address import Address
from agent.echo.lookup import DNS_PORT
from agent.echo.problem import NoAnswer
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.web import certificate
from agent.web.cache import is_cached
from agent.web.exchange import LOGIN_REQUIRED, LOOK_S, Exchange, Manner, TlsFailed, look_at_issuer
from agent.web.url import Url, led_to, parse_url
from agent.web.wording import readings, unpacked

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_REDIRECTS = (301, 302, 303, 307, 308)
_OK = range(200, 300)
_SHA256_DIGITS = 64


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page, and what must be true of it."""

    url: str
    status: int | None = None
    contains: str = ""
    sha256: str = ""
    issuer: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be asked for."""
        parse_url(self.url)
        if self.sha256 and (len(self.sha256) != _SHA256_DIGITS or not self.sha256.isalnum()):
            raise ValueError("sha256 must be 64 hexadecimal digits")


@dataclass(frozen=True, kw_only=True)
class HttpProbe(ProbeOptions):
    """Its fields are the table `[probes.http]`."""

    kind: ClassVar[str] = "http"

    every_s: float = option("seconds from one start to the next", 1800.0, low=1, high=86400)
    targets: tuple[Page, ...] = option(
        "pages: a table each with `url` and, if wanted, `status` (200 to 299 by default), `contains` (text), "
        "`sha256` (of the body), `issuer` (part of the name of who must have issued the certificate)",
        (Page(url="https://example.org/"),),
    )
    families: tuple[int, ...] = option("versions of IP by which each page is asked for: 4, 6 or both", (4,))
    timeout_s: float = option("how long one response may take", 15.0, low=0.1, high=300)
    max_bytes: int = option("a longer page is not read to its end", 65_536, low=0, high=10_000_000)
    redirects_max: int = option("redirects that are followed", 2, low=0, high=10)
    other_hosts: bool = option("whether redirects to other hosts are followed", False)
    proxy: str = option("`http://host:port` of a proxy to ask; empty for none", "")
    resolvers: tuple[str, ...] = option("addresses of resolvers to ask; empty for those of the system", ())
    dns_port: int = option("port of the resolvers", DNS_PORT, low=1, high=65535)
    ca_file: str = option("certificates to trust instead of the system's; empty for the system's", "")

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.families or not set(self.families) <= set(_FAMILIES):
            raise ValueError("families must be 4, 6 or both")
        if len({page.url for page in self.targets}) < len(self.targets):
            raise ValueError("targets must not repeat an address")
        if self.proxy and parse_url(self.proxy).scheme != "http":
            raise ValueError(f"proxy must be http://host:port, not {self.proxy!r}")
        for resolver in self.resolvers:
            address.parse(resolver)
        longest_s = self.timeout_s * (self.redirects_max + 1) + min(self.timeout_s, LOOK_S)
        if longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"timeout_s for each of redirects_max + 1 responses, and {LOOK_S:g} s for a certificate "
                f"({longest_s:g} s), must be shorter than deadline_s and every_s"
            )

    async def measure(self) -> Reading:
        """Ask for every page, all at the same time."""
        trusted = await asyncio.to_thread(ssl.create_default_context, cafile=self.ca_file or None)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._ask(page, family, trusted), name=f"http {page.url} {family}")
                for page in self.targets
                for family in self.families
                if _is_of(parse_url(page.url), family)
            ]
        return tuple(task.result() for task in tasks)

    async def _ask(self, page: Page, family: int, trusted: ssl.SSLContext) -> Finding:
        manner = self._manner(_FAMILIES[family], trusted)
        visit = _Visit(self, page, family)
        try:
            await visit.run(manner)
        except TlsFailed as e:
            return await visit.refused(e)
        except NoAnswer as e:
            return visit.finding(e.reason, e.detail)
        return visit.judged()

    def _manner(self, family: socket.AddressFamily, trusted: ssl.SSLContext) -> Manner:
        return Manner(
            timeout_s=self.timeout_s,
            keep_bytes=self.max_bytes,
            family=family,
            proxy=parse_url(self.proxy) if self.proxy else None,
            trusted=trusted,
            resolvers=_addresses(self.resolvers),
            dns_port=self.dns_port,
        )


class _Visit:
    """One page asked for, along its redirects."""

    def __init__(self, probe: HttpProbe, page: Page, family: int) -> None:
        self._probe, self._page, self._family = probe, page, family
        self._redirects = 0
        self._led_to: Url | None = None
        self._total_ms = 0.0
        self._last: Exchange | None = None

    async def run(self, manner: Manner) -> None:
        url = parse_url(self._page.url)
        while True:
            self._last = Exchange(url, manner)
            await self._last.run()
            self._total_ms += self._last.total_ms or 0.0
            response = self._last.response
            if response.status not in _REDIRECTS or "location" not in response.headers:
                return
            self._redirects += 1
            self._led_to = self._next(url, response.headers["location"])
            if not self._may_follow(url, self._led_to):
                return
            url = self._led_to

    def _next(self, url: Url, location: str) -> Url:
        try:
            return led_to(url, location)
        except ValueError as e:
            raise NoAnswer(Reason.BAD_ANSWER, "a redirect that leads nowhere") from e

    def _may_follow(self, url: Url, there: Url) -> bool:
        if self._redirects > self._probe.redirects_max:
            return False
        return there.host == url.host or self._probe.other_hosts

    async def refused(self, error: TlsFailed) -> Finding:
        """The certificate was not accepted: say by what fault, and who issued it."""
        assert self._last is not None  # noqa: S101 -- it was this exchange that failed
        issuer = await look_at_issuer(self._last.url, self._last.manner)
        problem = error.problem
        untrusted = problem in {certificate.UNKNOWN_CA, certificate.SELF_SIGNED}
        if untrusted and self._page.issuer and issuer and self._page.issuer not in issuer:
            problem = certificate.INTERCEPTED
        return self.finding(error.reason, error.detail, tls_error=problem, issuer=issuer, tls_ok=False)

    def judged(self) -> Finding:
        """A response came: is it the right one?"""
        assert self._last is not None  # noqa: S101 -- there was a response
        wanted, issuer = self._page.issuer, self._last.issuer
        if wanted and self._last.url.is_secret and wanted not in (issuer or ""):
            return self.finding(
                Reason.TLS_FAILED,
                "the certificate was issued by somebody else than expected",
                tls_error=certificate.INTERCEPTED,
                issuer=issuer,
                tls_ok=False,
            )
        content_ok = self._content_ok(self._last)
        if not self._is_expected(self._last.response.status):
            return self._another_status(self._last.response.status, content_ok)
        reason = Reason.BAD_ANSWER if content_ok is False else None
        return self.finding(reason, reason and "the page is not the expected one", content_ok=content_ok)

    def _another_status(self, status: int | None, content_ok: bool | None) -> Finding:
        if self._probe.proxy and status == LOGIN_REQUIRED and not self._is_secret:
            return self.finding(Reason.NOT_PERMITTED, "the proxy wants a password", content_ok=None)
        # Of a page without TLS nobody can say whose word it is.
        who = "the server or the proxy" if self._probe.proxy and not self._is_secret else "the server"
        return self.finding(Reason.BAD_ANSWER, f"{who} answered with {status}", content_ok=content_ok)

    @property
    def _is_secret(self) -> bool:
        return self._last is not None and self._last.url.is_secret

    def _is_expected(self, status: int | None) -> bool:
        return status in _OK if self._page.status is None else status == self._page.status

    def _content_ok(self, exchange: Exchange) -> bool | None:
        page, response = self._page, exchange.response
        body = bytes(response.body)
        if not page.contains and not page.sha256:
            return None
        if page.sha256:
            whole = response.is_complete and len(body) == response.body_bytes
            if not whole or hashlib.sha256(body).hexdigest() != page.sha256.lower():
                return False
        coding = response.headers.get("content-encoding", "")
        said = readings(unpacked(body, coding, most_bytes=self._probe.max_bytes))
        return any(page.contains in text for text in said)

    def finding(self, reason: Reason | None, detail: str | None, **more: object) -> Finding:
        """The figures so far."""
        last = self._last
        assert last is not None  # noqa: S101 -- made before anything can fail
        proven = True if last.tls_ms is not None else None
        fields = {"tls_ok": proven, **more}
        made = Http(
            target=self._page.url,
            family=str(self._family),
            dns_ms=last.dns_ms,
            connect_ms=last.connect_ms,
            tls_ms=last.tls_ms,
            first_byte_ms=last.first_byte_ms,
            total_ms=round(self._total_ms, 2) if last.total_ms is not None else None,
            status=last.response.status,
            rx_bytes=last.response.rx_bytes if last.connect_ms is not None else None,
            redirects=self._redirects if last.response.status is not None else None,
            redirect_host=self._led_to.host if self._led_to else None,
            cached=is_cached(last.response.headers) if last.response.status is not None else None,
            **fields,  # type: ignore[arg-type]
        )
        return Finding(made, reason, detail)


def _is_of(url: Url, family: int) -> bool:
    """A number is of one family only."""
    if not address.is_numeric(url.host):
        return True
    return address.parse(url.host).family == _FAMILIES[family]


def _addresses(texts: tuple[str, ...]) -> tuple[Address, ...] | None:
    return tuple(map(address.parse, texts)) or None
