# SPDX-License-Identifier: Apache-2.0
"""What do the tests beside echoes say of the link, newest of each, and whose fault is it?

What a record says in a word of the contract is written out; a figure to be doubted says why. A page out of a
cache on the way is no evidence of a live link, so it never reads as if it were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.contract.kinds import Dns, Http, Ipv6, NetworkPath, Portal, Reach, Throughput, keys_of
from collector.web.view import Stored
from collector.web.wording import ABSENT, milliseconds
from collector.web.words import DNS, DOUBTS, IPV6, PORTAL, TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest record of one test; `doubt` is empty where there is nothing to object."""

    at_ms: int
    what: str
    figure: str
    doubt: str


def newest(by_kind: Mapping[str, Sequence[Stored]]) -> tuple[Seen, ...]:
    """One line for each test that spoke, in the order of their kinds."""
    return tuple(_seen(stored) for kind in _SAYS for stored in _last_of_each(by_kind.get(kind, ())))


def is_by_connection(rounds: Sequence[Stored]) -> bool:
    """Whether the newest round asked anchors by connections."""
    last = next((s.fields for s in reversed(rounds) if isinstance(s.fields, Reach)), None)
    return last is not None and last.method == "tcp"


def _last_of_each(found: Iterable[Stored]) -> Iterator[Stored]:
    last = {tuple(keys_of(s.fields).values()): s for s in found if s.fields is not None}
    yield from (last[key] for key in sorted(last))


def _seen(stored: Stored) -> Seen:
    what, figure, doubt = _SAYS[stored.kind](stored.fields)
    if stored.reason is not None:
        doubt = " · ".join(filter(None, (str(stored.reason), doubt)))
    return Seen(at_ms=stored.at_ms, what=what, figure=figure or ABSENT, doubt=doubt)


Says = tuple[str, str, str]
"""What was tested, what it came to, and what is to be said against it."""


def _throughput(f: Throughput) -> Says:
    figure = "" if f.mbps is None else f"{f.mbps:.3g} Mbit/s"
    if f.mbps is not None and f.mbps_low is not None and f.mbps_high is not None:
        figure += f" ({f.mbps_low:.3g} to {f.mbps_high:.3g})"
    reasons = [DOUBTS.get(code, code) for code in (f.reasons or "").split(",") if code]
    is_doubted = f.validity is not None and f.validity != "valid"
    doubt = f"{f.validity}: {'; '.join(reasons)}" if is_doubted else ""
    return f"{f.method} {f.direction}, {f.server}", figure, doubt


def _http(f: Http) -> Says:
    problems = [TLS.get(f.tls_error, f.tls_error)] if f.tls_error else []
    problems += [f"certificate of {f.issuer}"] if f.issuer else []
    problems += ["not the page expected"] if f.content_ok is False else []
    is_on_the_way = f.cached and f.tls_ok is None
    problems += ["out of a cache on the way: says nothing of the link beyond it"] if is_on_the_way else []
    figure = "" if f.status is None else f"status {f.status} in {milliseconds(f.total_ms)}"
    return f"page {f.target} by IPv{f.family}", figure, "; ".join(problems)


def _ipv6(f: Ipv6) -> Says:
    return "IPv6", f.verdict or "", IPV6.get(f.verdict or "", "")


def _portal(f: Portal) -> Says:
    return f"open web, {f.target}", f.verdict or "", PORTAL.get(f.verdict or "", "")


def _dns(f: Dns) -> Says:
    return f"resolver {f.target}", milliseconds(f.lookup_ms), DNS.get(f.verdict or "", "")


def _path(f: NetworkPath) -> Says:
    figure = "" if f.mtu_bytes is None else f"packets of {f.mtu_bytes} bytes pass"
    return f"path to {f.target}", figure, "larger packets vanish without a word" if f.mtu_black_hole else ""


_SAYS: dict[str, Callable[[Any], Says]] = {
    "throughput": _throughput,
    "portal": _portal,
    "http": _http,
    "dns": _dns,
    "ipv6": _ipv6,
    "path": _path,
}
