# SPDX-License-Identifier: Apache-2.0
"""When is a delivery that failed tried again? (Standard Webhooks 1.0, with jitter and Retry-After)"""

from __future__ import annotations

import random

WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first try, which is at once; together some 75 hours."""
_JITTER_RATIO = 0.2
_LONGEST_S = 86_400


def wait_s(tried: int, *, retry_after_s: float | None = None, goes_on: bool = False) -> float | None:
    """Seconds until the next try; None when it was the last.

    Args:
        tried: how often already, from 1.
        retry_after_s: what the other side asked for; never tried earlier, and a day at most.
        goes_on: whether the last wait is repeated for ever.
    """
    if tried > len(WAITS_S) and not goes_on:
        return None
    planned_s = WAITS_S[min(tried, len(WAITS_S)) - 1]
    jittered_s = planned_s * random.uniform(1, 1 + _JITTER_RATIO)  # noqa: S311 -- chance, not secrecy
    return max(jittered_s, min(retry_after_s or 0.0, _LONGEST_S))
