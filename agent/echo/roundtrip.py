# SPDX-License-Identifier: Apache-2.0
"""Which figures describe a burst of requests to one target?

Round-trip time after RFC 2681, loss after RFC 2680 with a time-out as its bound, delay variation as PDV (RFC
5481 §4.2) and percentiles by nearest rank. A late answer is neither a round-trip time nor a loss; a request
that never left the host counts as nothing at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from agent.contract import histogram
from agent.contract.kinds import Latency
from agent.contract.reason import Reason
from agent.echo.ledger import Outcome

_P95 = 0.95


def latency_of(target: str, outcomes: Sequence[Outcome], *, method: str) -> Latency:
    """The figures of one burst; each is None where there is nothing to tell it from."""
    sent = [outcome for outcome in outcomes if outcome.sent]
    rtts_ms = sorted(outcome.rtt_ms for outcome in sent if outcome.rtt_ms is not None)
    lost = [not outcome.answered for outcome in sent]
    return Latency(
        target=target,
        method=method,
        sent=len(sent),
        received=len(rtts_ms),
        duplicate=sum(outcome.duplicates for outcome in sent),
        late=sum(outcome.late for outcome in sent),
        loss_ratio=round(sum(lost) / len(sent), 4) if sent else None,
        loss_run_max=longest_run(lost) if sent else None,
        rtt_min_ms=rtts_ms[0] if rtts_ms else None,
        rtt_median_ms=percentile(rtts_ms, 0.5),
        rtt_p95_ms=percentile(rtts_ms, _P95),
        rtt_max_ms=rtts_ms[-1] if rtts_ms else None,
        pdv_p95_ms=_pdv_p95_ms(rtts_ms),
        rtt_histogram=histogram.count(rtts_ms) if rtts_ms else None,
    )


def percentile(ascending: Sequence[float], q: float) -> float | None:
    """Nearest-rank percentile; None of nothing."""
    if not ascending:
        return None
    return ascending[max(0, math.ceil(q * len(ascending)) - 1)]


def longest_run(flags: Iterable[bool]) -> int:
    """How many in a row were true at most."""
    return max((len(list(run)) for flag, run in groupby(flags) if flag), default=0)


def reason_of_silence(outcomes: Sequence[Outcome]) -> Reason | None:
    """Why no request was answered in time: the reason given most often; None when one was."""
    if any(outcome.rtt_ms is not None for outcome in outcomes):
        return None
    reasons = Counter(outcome.reason for outcome in outcomes if outcome.reason is not None)
    return max(reasons, key=lambda reason: reasons[reason], default=Reason.TIMEOUT)


def _pdv_p95_ms(ascending: Sequence[float]) -> float | None:
    p95 = percentile(ascending, _P95)
    return None if p95 is None else round(p95 - ascending[0], 2)
