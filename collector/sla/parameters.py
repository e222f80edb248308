# SPDX-License-Identifier: Apache-2.0
"""By which figures is a slot judged? Each is a field of the contract; the defaults are the definitions'."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from collector.sla.cause import PROVIDER_CAUSES, Cause


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """What a contract says of slots and outages; what a slot is, 60 s, it cannot change.

    Attributes:
        open_after: so many bad slots in a row open an outage (n).
        close_after: so many good ones in a row close it (m).
        degraded_loss_ratio: a larger share of requests lost to the anchors that live is degraded.
        degraded_rtt_ms: a longer median round trip to an anchor is degraded, None for any; that of a line
            under test does not count.
        dns_degrades: whether a slot in which no name was answered is degraded.
        portal_degrades: whether one in which the web was a page of somebody on the way is.
        provider_causes: what the operator answers for where the gateway lives and every anchor is dead.
    """

    open_after: int = 3
    close_after: int = 3
    degraded_loss_ratio: float = 0.2
    degraded_rtt_ms: float | None = None
    dns_degrades: bool = True
    portal_degrades: bool = True
    provider_causes: frozenset[Cause] = PROVIDER_CAUSES

    def __post_init__(self) -> None:
        if self.open_after < 1 or self.close_after < 1:
            raise ValueError(
                f"open_after {self.open_after} and close_after {self.close_after} must be 1 or more"
            )
        if not 0 <= self.degraded_loss_ratio <= 1:
            raise ValueError(f"degraded_loss_ratio {self.degraded_loss_ratio} must be from 0 to 1")
        if self.degraded_rtt_ms is not None and self.degraded_rtt_ms <= 0:
            raise ValueError(f"degraded_rtt_ms {self.degraded_rtt_ms} must be more than 0")


STANDARD = Parameters()


@dataclass(frozen=True, slots=True)
class Term:
    """Slots of one school that the same figures hold for; the last is one of them."""

    first_slot: int
    last_slot: int
    parameters: Parameters


class Terms(Protocol):
    """Which figures hold when."""

    def terms(self, school: str, first_slot: int, last_slot: int) -> Iterable[Term]:
        """What holds for these slots, ascending, without a hole."""
        ...


class StandardTerms:
    """The same for every school and all time."""

    def __init__(self, parameters: Parameters = STANDARD) -> None:
        self._parameters = parameters

    def terms(self, school: str, first_slot: int, last_slot: int) -> Iterable[Term]:  # noqa: ARG002  # the same
        """One term."""
        return (Term(first_slot, last_slot, self._parameters),)
