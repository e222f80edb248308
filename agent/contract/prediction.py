# SPDX-License-Identifier: Apache-2.0
"""Which figures follow, on an ordinary day, from those before them?

The packed form leaves a column out when every row holds what is predicted here; nothing is lost when it does
not. The predictions are part of the form: they may be added to, at the price of a new format number when one
changes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from agent.contract.histogram import GAMMA

_MAX_BUCKET = 1000

Row = Mapping[str, Any]
Predict = Callable[[Row], Any]


def _is(value: Any) -> Predict:
    return lambda _row: value


def _same_as(name: str) -> Predict:
    return lambda row: row.get(name)


def _loss_ratio(row: Row) -> float | None:
    sent = row.get("sent")
    return round((sent - (row.get("received") or 0) - (row.get("late") or 0)) / sent, 4) if sent else None


def _variation_ms(row: Row) -> float | None:
    p95_ms, min_ms = row.get("rtt_p95_ms"), row.get("rtt_min_ms")
    return None if p95_ms is None or min_ms is None else round(p95_ms - min_ms, 2)


PREDICTED: dict[str, dict[str, Predict]] = {
    "reach": {
        "up": _is(True),
        "anchors": _is(3),
        "anchors_up": _same_as("anchors"),
        "anchor_asked": _is(10),
        "anchor_answered": _same_as("anchor_asked"),
        "loss_run_max": _is(0),
        "gateway_asked": _is(25),
        "gateway_answered": _same_as("gateway_asked"),
        "dns_asked": _is(1),
        "dns_answered": _same_as("dns_asked"),
        "route": _is(True),
        "carrier": _is(True),
        "hint": _is("up"),
        "method": _is("icmp"),
    },
    "latency": {
        "sent": _is(10),
        "received": _same_as("sent"),
        "duplicate": _is(0),
        "late": _is(0),
        "rtt_max_ms": _same_as("rtt_p95_ms"),
        "pdv_p95_ms": _variation_ms,
        "loss_ratio": _loss_ratio,
        "loss_run_max": _is(0),
        "method": _is("icmp"),
    },
    "dns": {
        "rcode": _is(0),
        "attempts": _is(1),
        "name": _is("example.org"),
        "verdict": _is("honest"),
        "hijacked": _is(False),
        "poisoned": _is(False),
        "differs": _is(False),
        "truncated": _is(False),
        "slow": _is(False),
    },
    "http": {
        "target": _is("https://example.org/"),
        "family": _is("4"),
        "status": _is(200),
        "redirects": _is(0),
        "tls_ok": _is(True),
    },
    "portal": {"verdict": _is("open"), "verdict_code": _is(0), "open": _is(True), "status": _is(204)},
    "ipv6": {
        "verdict": _is("absent"),
        "working": _is(False),
        "broken": _is(False),
        "address": _is(False),
        "route": _is(False),
        "anchor_asked": _is(0),
        "anchor_answered": _is(0),
    },
    "interface": {
        "source": _is("host"),
        "up": _is(True),
        "mtu_bytes": _is(1500),
        "rx_errors": _is(0),
        "tx_errors": _is(0),
        "rx_drops": _is(0),
        "tx_drops": _is(0),
    },
    "host": {
        "uptime_s": _same_as("(seconds since boot)"),
        "undervoltage": _is(False),
        "throttled": _is(False),
        "clock_synchronised": _is(True),
    },
}


def _near(q: float) -> Predict:
    """The quantile that the row's histogram gives, in hundredths of a millisecond."""

    def near(row: Row) -> int:
        pairs = row.get("rtt_histogram") or ()
        rank = max(1, math.ceil(q * sum(n for _, n in pairs)))
        seen = 0
        for bucket, n in pairs:
            seen += n
            if seen >= rank:
                return _hundredths(bucket)
        return 0

    return near


@functools.cache
def _powers() -> dict[int, float]:
    """γ to whole powers, by multiplication: the same bits on every machine, which `exp` need not give."""
    powers = {0: 1.0}
    for i in range(1, _MAX_BUCKET + 1):
        powers[i] = powers[i - 1] * GAMMA
        powers[-i] = powers[1 - i] / GAMMA
    return powers


def _hundredths(bucket: int) -> int:
    return round(_powers()[bucket] * 99) if abs(bucket) <= _MAX_BUCKET else 0


NEAR: dict[str, dict[str, Predict]] = {
    "latency": {"rtt_min_ms": _near(0.0), "rtt_median_ms": _near(0.5), "rtt_p95_ms": _near(0.95)}
}
"""What a figure in hundredths lies close to; the packed form then holds the difference."""
