# SPDX-License-Identifier: Apache-2.0
"""How does what a throughput test found become a finding, with all that casts doubt on it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer
from agent.probes.base import Finding
from agent.throughput.surroundings import Surroundings
from agent.throughput.verdict import Doubt, Validity, judge

_FULL_BYTES = 1500
_ACK_BYTES = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """Which test it is: the key of its record."""

    direction: str
    server: str
    method: str

    def failed(self, problem: NoAnswer) -> Finding:
        """No figure, and why."""
        fields = Throughput(direction=self.direction, server=self.server, method=self.method)
        return Finding(fields, problem.reason, problem.detail)

    def found(
        self,
        surroundings: Surroundings,
        doubts: Iterable[Doubt],
        *,
        mbps: float | None,
        moved_bytes: int,
        **fields: Any,
    ) -> Finding:
        """A figure with what happened around it.

        Args:
            surroundings: begun before the test.
            doubts: of the test itself.
            mbps: None when there is none.
            moved_bytes: in its direction, at the IP layer; acknowledgements are guessed from it.
            fields: of the record.
        """
        packets = moved_bytes // _FULL_BYTES + 1
        load, answers = (moved_bytes, packets), (packets // 2 * _ACK_BYTES, packets // 2)
        received, sent = (load, answers) if self.direction == "down" else (answers, load)
        seen = surroundings.until_now(
            received_bytes=received[0], sent_bytes=sent[0], received_packets=received[1], sent_packets=sent[1]
        )
        validity, reasons = judge({*doubts, *seen.doubts(mbps=mbps, moved_bytes=moved_bytes)})
        if mbps is None or validity is Validity.INVALID:
            mbps = None
            fields |= {"mbps_low": None, "mbps_high": None}
        made = Throughput(
            direction=self.direction,
            server=self.server,
            method=self.method,
            mbps=mbps,
            bytes=moved_bytes + answers[0],
            validity=validity,
            reasons=reasons,
            **seen.fields,
            **fields,
        )
        return Finding(
            made, None if mbps is not None else Reason.BAD_ANSWER, reasons if mbps is None else None
        )
