# SPDX-License-Identifier: Apache-2.0
"""When should agents hold back, and for how long?

Asked for in each acknowledgement; an agent then keeps its backlog and stretches its reports. Nothing depends
on its being heard: what does not fit is not acknowledged and comes again.
"""

from __future__ import annotations

from collector.health import Health

CROWDED_MESSAGES = 2000
"""More than a minute's reports of the whole country's schools that wait at once."""

_CROWDED_PAUSE_S = 60
_FULL_PAUSE_S = 600


def pause_s(health: Health, min_free_bytes: int) -> int | None:
    """Seconds; None when all is well."""
    if health.journal_free_bytes is not None and health.journal_free_bytes < min_free_bytes:
        return _FULL_PAUSE_S
    return _CROWDED_PAUSE_S if health.inbox_messages > CROWDED_MESSAGES else None
