# SPDX-License-Identifier: Apache-2.0
"""How does each device say it is, as far as anybody looking at the collector needs to know?

From live batches only: a backlog says how it was. In memory since the collector's start; the records
themselves are in every sink.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.contract.kinds import Host
from agent.contract.record import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a device said last.

    Attributes:
        clock_age_s: seconds since its clock was last known good; None: not in this boot.
        host: its newest `host` record since the collector's start; None: there was none.
    """

    clock_age_s: int | None
    host: Host | None


def condition(batch: Batch, before: Condition | None) -> Condition | None:
    """What is known after one more batch of the device."""
    if batch.backlog:
        return before
    told = (r.fields for r in reversed(batch.records) if isinstance(r.fields, Host))
    return Condition(clock_age_s=batch.clock.age_s, host=next(told, None if before is None else before.host))
