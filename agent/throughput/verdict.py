# SPDX-License-Identifier: Apache-2.0
"""How far can a throughput figure be trusted, and why not further?"""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Validity(enum.StrEnum):
    """What stands in the record's `validity`."""

    VALID = "valid"
    SUSPECT = "suspect"
    INVALID = "invalid"


class Doubt(enum.StrEnum):
    """Codes of the record's `reasons`: each makes a figure suspect, those of `FATAL` take it away."""

    CROSS_TRAFFIC = "cross_traffic"
    """Others used the link meanwhile."""
    JITTER = "jitter"
    """Delays varied so much beside the test's length that the rate is blurred."""
    LOSS = "loss"
    """Packets were lost that no full queue explains."""
    UNSETTLED = "unsettled"
    """The rate still changed when bytes or seconds granted were spent, or another round contradicts it."""
    UNSATURATED = "unsaturated"
    """The link was never full: it carries at least this much."""
    WIDE = "wide"
    """The confidence interval is wider than a tenth of the figure."""
    PACKETS = "packets"
    """So many packets a second pass, however long they are: UDP may be held back, or a radio is slow."""
    CPU_BOUND = "cpu_bound"
    """A processor was too busy to send or receive as planned."""
    OVERRUN = "overrun"
    """The receiver's own socket dropped packets."""
    NIC_BOUND = "nic_bound"
    """The rate is that of the interface, not of the link behind it."""
    THROTTLED = "throttled"
    """The firmware slowed the processor."""
    SENDER_SLOW = "sender_slow"
    """The sender fell behind its plan."""
    DISAGREES = "disagrees"
    """Another method says something else."""
    DOUBLED = "doubled"
    """Packets came twice and were counted twice: less of them was of use."""
    INTERRUPTED = "interrupted"
    """The test ended early; the figure is from what was measured until then."""
    IMPLAUSIBLE = "implausible"
    """What the server claims cannot be."""
    TOO_FEW = "too_few"
    """Too few packets arrived for a figure."""


FATAL = frozenset({Doubt.IMPLAUSIBLE, Doubt.TOO_FEW})


def judge(doubts: Iterable[Doubt]) -> tuple[Validity, str | None]:
    """The record's `validity` and `reasons`."""
    found = sorted(set(doubts))
    if not found:
        return Validity.VALID, None
    validity = Validity.INVALID if FATAL.intersection(found) else Validity.SUSPECT
    return validity, ",".join(found)
