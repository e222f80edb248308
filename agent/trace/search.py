# SPDX-License-Identifier: Apache-2.0
"""Which hops are on the way, how large a packet reaches the target, and how far is the operator?"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from agent.echo.honesty import is_public, is_shared
from agent.trace.answer import Flow
from agent.trace.line import Line, Sent
from agent.trace.told import Hop, Method, Order, Told

_SPACING_S = 0.02
_PING_SPACING_S = 0.2
_PAUSE_S = 1.0
"""After so long one who answers once a second answers again."""
_IDENTS = range(33_000, 60_000)
_TTL = 64
_SMALLEST_MTU = 68
"""Every link carries that much (RFC 791)."""
_FIRST_MTU_PACKET = 100
_SIZES_AT_ONCE = 4
_MTU_TRIES = 2


def find_out(order: Order) -> Told:
    """Everything the order asks for, or as much of it as fits the time."""
    deadline_s = time.monotonic() + order.budget_s
    told = Told()
    for method in order.methods:
        told = _traced(order, method, deadline_s)
        if told.reached:
            break
    return _with_operator(told, order, deadline_s)


def _traced(order: Order, method: Method, deadline_s: float) -> Told:
    line = Line(_flow(order.target, method, order.port), deadline_s)
    try:
        sent = _sweep(line, order)
        hops = hops_of(sent)
        reached = any(s.answer and s.answer.kind == "arrived" for s in sent)
        refusals = [s.answer.host for s in sent if s.answer and s.answer.kind == "unreachable"]
        mtu_bytes, mtu_told = _mtu(line, order) if reached and method != "tcp" else (None, False)
    finally:
        line.close()
    return Told(
        method=method,
        reached=reached,
        refused_by=refusals[0] if refusals and not reached else None,
        hops=hops,
        mtu_bytes=mtu_bytes,
        mtu_told=mtu_told,
    )


def _with_operator(told: Told, order: Order, deadline_s: float) -> Told:
    found = operator_hop(told.hops, order.target)
    if found is None or found.address is None:
        return told
    told = dataclasses.replace(told, operator_hop=found.address, operator_ttl=found.ttl)
    if not order.pings:
        return told
    sent, rtts_ms = _ping(found.address, order, deadline_s)
    return dataclasses.replace(told, operator_sent=sent, operator_rtts_ms=rtts_ms)


def _flow(target: str, method: Method, port: int) -> Flow:
    return Flow(target=target, method=method, ident=secrets.choice(_IDENTS), port=port)


def _sweep(line: Line, order: Order) -> list[Sent]:
    """Ask each hop so many times; no further than the target."""
    made: list[Sent] = []
    for _ in range(order.tries):
        # A refusal ends one try only: one of several ways, or a moment without a route, may have refused.
        last, before = _end_of(made, "arrived", order.hops_max), len(made)
        for ttl in itertools.takewhile(lambda ttl: ttl <= _end(made[before:], last), range(1, last + 1)):  # noqa: B023
            made.append(line.send(ttl=ttl))
            line.listen(_SPACING_S)
            if line.is_over:
                return made
        line.listen(order.timeout_s, lambda: _is_settled(made))
    return made


def _end(made: Sequence[Sent], last: int) -> int:
    """The smallest TTL that reached the target; of a try that did not, that it cannot be reached."""
    return _end_of(made, "arrived", _end_of(made, "unreachable", last))


def _end_of(made: Iterable[Sent], kind: str, last: int) -> int:
    return min((s.ttl for s in made if s.answer and s.answer.kind == kind), default=last)


def _is_settled(made: Sequence[Sent]) -> bool:
    end = _end(made, max((s.ttl for s in made), default=0))
    return all(s.answer for s in made if s.ttl <= end)


def hops_of(sent: Sequence[Sent]) -> tuple[Hop, ...]:
    """One entry for each place on the path, up to the last that answered."""
    end = _end(sent, max((s.ttl for s in sent), default=0))
    hops = [_hop(ttl, [s for s in sent if s.ttl == ttl]) for ttl in range(1, end + 1)]
    while hops and hops[-1].address is None:
        hops.pop()
    return tuple(hops)


def _hop(ttl: int, sent: Sequence[Sent]) -> Hop:
    hosts = Counter(s.answer.host for s in sent if s.answer)
    if not hosts:
        return Hop(ttl=ttl, asked=len(sent), answered=0)
    # Of several equally good ways each answers as often: the name must not depend on who came first.
    address = min(hosts, key=lambda host: (-hosts[host], host))
    rtts_ms = [s.rtt_ms for s in sent if s.rtt_ms is not None and s.answer and s.answer.host == address]
    return Hop(
        ttl=ttl,
        asked=len(sent),
        answered=sum(hosts.values()),
        address=address,
        rtt_ms=statistics.median_low(rtts_ms) if rtts_ms else None,
    )


def operator_hop(hops: Iterable[Hop], target: str) -> Hop | None:
    """The first one that is not private: public, or an operator's own before its NAT (RFC 6598)."""
    for hop in hops:
        if hop.address is None or hop.address == target:
            continue
        if is_public(hop.address) or is_shared(hop.address):
            return hop
    return None


def _mtu(line: Line, order: Order) -> tuple[int | None, bool]:
    """The largest packet that reaches the target, and whether somebody said that more is too big."""
    if not order.mtu_max_bytes or not _arrives(line, order, [_FIRST_MTU_PACKET]):
        return None, False
    good, bad = _FIRST_MTU_PACKET, order.mtu_max_bytes + 1
    trial = [order.mtu_max_bytes]
    while bad - good > 1 and not line.is_over:
        arrived = _arrives(line, order, trial)
        good = max([good, *arrived])
        bad = min([bad, *(size for size in trial if size not in arrived and size > good)])
        trial = _sizes(good, bad, _told_mtus(line))
    if bad - good > 1:
        return None, False
    if bad > order.mtu_max_bytes or _is_told(line, good):
        return good, True
    # Nothing but silence: of a narrow way, of a lossy one, or of a target that answers only so often.
    line.listen(_PAUSE_S)
    if _arrives(line, order, [bad]):
        return None, False
    return good, _is_told(line, good)


def _is_told(line: Line, good: int) -> bool:
    """Whether this MTU was said: a link may tell its own, and a narrower one behind it be silent."""
    told = [s for s in line.sent.values() if s.answer and s.answer.kind == "too_big"]
    return any(s.size == good + 1 or (s.answer and s.answer.mtu_bytes == good) for s in told)


def _sizes(good: int, bad: int, told: Iterable[int]) -> list[int]:
    """Which sizes to try next: one that a router has named, and the next larger; else evenly between."""
    named = sorted({size for mtu in told for size in (mtu, mtu + 1) if good < size < bad})
    if named:
        return named[:_SIZES_AT_ONCE]
    step = (bad - good) / (_SIZES_AT_ONCE + 1)
    return sorted({round(good + step * i) for i in range(1, _SIZES_AT_ONCE + 1)} - {good, bad}) or [good + 1]


def _told_mtus(line: Line) -> list[int]:
    return [s.answer.mtu_bytes for s in line.sent.values() if s.answer and s.answer.mtu_bytes]


def _arrives(line: Line, order: Order, sizes: Sequence[int]) -> list[int]:
    """Which of these sizes reached the target; a silent one is asked again."""
    arrived: list[int] = []
    open_sizes = list(sizes)
    for _ in range(_MTU_TRIES):
        made = []
        for size in open_sizes:
            made.append(line.send(ttl=_TTL, size=size))
            line.listen(_SPACING_S)
        line.listen(_patience_s(line, order), lambda: all(s.answer for s in made))  # noqa: B023
        arrived += [s.size for s in made if s.answer and s.answer.kind == "arrived"]
        open_sizes = [s.size for s in made if s.answer is None and s.size > max(arrived, default=0)]
        if not open_sizes or line.is_over:
            break
    return arrived


def _patience_s(line: Line, order: Order) -> float:
    """Several times what the target took so far, but never beyond the time-out."""
    rtts_ms = [s.rtt_ms for s in line.sent.values() if s.rtt_ms and s.answer and s.answer.kind == "arrived"]
    return min(order.timeout_s, max(0.3, 4 * max(rtts_ms, default=1e6) / 1e3))


def _ping(host: str, order: Order, deadline_s: float) -> tuple[int, tuple[float, ...]]:
    line = Line(_flow(host, "icmp", 0), deadline_s)
    try:
        made = []
        for _ in range(order.pings):
            if line.is_over:
                break
            made.append(line.send(ttl=_TTL))
            line.listen(_PING_SPACING_S)
        line.listen(order.timeout_s, lambda: all(s.answer for s in made))
    finally:
        line.close()
    arrived = [s for s in made if s.answer and s.answer.kind == "arrived"]
    return len(made), tuple(s.rtt_ms for s in arrived if s.rtt_ms is not None)
