# SPDX-License-Identifier: Apache-2.0
"""How often is the link asked, in peace and in doubt, and what does that cost?

An echo without payload is 28 bytes at the IP layer each way (20 + 8), 56 together. In a day:

    metered   one each 1.68 s  2.88 MB      begin ± 0.84 s and a quarter of the round-trip time
    standard  one each 0.9 s   5.38 MB      begin ± 0.45 s and the same

The standard profile also asks a resolver each 2 s: 5.6 MB at 130 bytes for a name with one address, 9.1 MB
with six. 3 MB a day allow one echo each 1.61 s and nothing else.

Where anchors answer connections only, one costs 224 bytes (SYN, its answer, ACK and RST): one each 1.8 s
costs 10.8 MB, one each 7.2 s 2.7 MB. Resolvers are then asked half as often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.echo.way import Way

Profile = Literal["standard", "metered"]
ECHO_BYTES = 28
COSTS: dict[Way, float] = {"echo": 1.0, "connection": 4.0}
"""What a request costs: a connection 224 bytes, an echo 56."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Seconds between two requests.

    Attributes:
        by_connection_every_s: the same for anchors that answer connections only.
        is_hasty: the first doubt is followed by many requests at once, not by a single one.
        timeout_s: an answer that takes longer does not count.
        spare_per_s: requests beyond the link that doubts may cost, on the average of a day.
    """

    anchor_every_s: float
    by_connection_every_s: float
    dns_every_s: float
    is_hasty: bool
    timeout_s: float = 3.0
    spare_per_s: float = 2.5


PLANS: dict[Profile, Plan] = {
    "standard": Plan(anchor_every_s=0.9, by_connection_every_s=1.8, dns_every_s=2.0, is_hasty=True),
    "metered": Plan(
        anchor_every_s=1.68,
        by_connection_every_s=7.2,
        dns_every_s=240.0,
        is_hasty=False,
        spare_per_s=1.0,
    ),
}
