# SPDX-License-Identifier: Apache-2.0
"""What is known of one slot? A set: it does not matter in which order, or how often, anything was said."""

from __future__ import annotations

from typing import NamedTuple

from collector.sla.sighting import Name, Round, Timing

NONE: frozenset[str] = frozenset()
Measured = Round | Timing | Name


class Evidence(NamedTuple):
    """What is known of one slot.

    Attributes:
        measured: rounds, round-trip times and answers to names.
        codes: what devices and pages say that is wrong, or (`connected`, `router_up`) is not.
        told: causes of outages by the agent that the slot lies in, if only in part.
        filled: of these, the causes of closed outages that the whole slot lies in.
    """

    measured: frozenset[Measured] = frozenset()
    codes: frozenset[str] = NONE
    told: frozenset[str] = NONE
    filled: frozenset[str] = NONE


def merge(one: Evidence, other: Evidence) -> Evidence:
    """What both know: commutative, associative, idempotent."""
    return Evidence(
        one.measured | other.measured,
        one.codes | other.codes,
        one.told | other.told,
        one.filled | other.filled,
    )
