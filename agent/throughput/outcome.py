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
from agent.throughput.surroundings import Seen
from agent.throughput.verdict import Doubt, Validity, judge

_FULL_BYTES = 1500
_ACK_BYTES = 52
FRAMING_RATIO = 1500 / 1448
"""What headers of IP and TCP add to the payload of full segments."""


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
        seen: Seen,
        doubts: Iterable[Doubt],
        *,
        mbps: float | None,
        moved_bytes: int,
        **fields: Any,
    ) -> Finding:
        """A figure with what happened around it.

        Args:
            seen: what else happened during the test.
            doubts: of the test itself.
            mbps: None when there is none.
            moved_bytes: in its direction, at the IP layer; acknowledgements are guessed from it.
            fields: of the record.
        """
        answer_bytes = (moved_bytes // _FULL_BYTES + 1) // 2 * _ACK_BYTES
        validity, reasons = judge({*doubts, *seen.doubts(mbps=mbps, moved_bytes=moved_bytes)})
        if mbps is None or validity is Validity.INVALID:
            mbps = None
            fields |= {"mbps_low": None, "mbps_high": None}
        made = Throughput(
            direction=self.direction,
            server=self.server,
            method=self.method,
            mbps=mbps,
            bytes=moved_bytes + answer_bytes,
            validity=validity,
            reasons=reasons,
            **seen.fields,
            **fields,
        )
        if mbps is not None:
            return Finding(made)
        is_untrue = Doubt.IMPLAUSIBLE in (reasons or "").split(",")
        return Finding(made, Reason.UNTRUE if is_untrue else Reason.BAD_ANSWER, reasons)
