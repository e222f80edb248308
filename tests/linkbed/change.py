# SPDX-License-Identifier: Apache-2.0
"""What can be done to the link: how is it to be, what is cut, what is mended?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from tests.linkbed.place import INTERFACES, RESOLVERS

Jitter = Literal["none", "uniform", "normal", "exponential"]
_JITTERS: tuple[Jitter, ...] = ("none", "uniform", "normal", "exponential")
_NS_IN_MS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Burst:
    """Bursty loss after Gilbert and Elliott; the state changes before each packet.

    In the good state the way's own `loss_ratio` holds.
    """

    to_bad_ratio: float
    to_good_ratio: float
    loss_ratio: float = 1.0

    @property
    def mean_loss_ratio(self) -> float:
        """Loss over a long time, when nothing is lost in the good state."""
        return self.loss_ratio * self.to_bad_ratio / (self.to_bad_ratio + self.to_good_ratio)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One direction of the access link; the defaults are a perfect one.

    Attributes:
        rate_bps: served at the IP layer; None is without bound.
        burst_bytes: depth of the token bucket: so much passes at once after a rest.
        policed: what exceeds the bucket is dropped, not held back; needs a burst.
        queue_bytes: most that may wait; None is 100 ms at the rate, at least ten packets.
        overhead_bytes: what the link layer adds to each packet.
        jitter_ms: half width (uniform), standard deviation (normal) or mean (exponential).
        overtaking: jitter may change the order.
        reorder_ratio: share of packets held up by `reorder_ms` while others pass.
        slot_ms: packets leave only at multiples of it, as from a modem that waits for its turn.
        loss_ratio: independent loss; comes before the queue, so the rate is still served in full.
    """

    rate_bps: float | None = None
    burst_bytes: int = 0
    policed: bool = False
    queue_bytes: int | None = None
    overhead_bytes: int = 0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    jitter: Jitter = "uniform"
    overtaking: bool = False
    reorder_ratio: float = 0.0
    reorder_ms: float = 10.0
    slot_ms: float = 0.0
    loss_ratio: float = 0.0
    burst_loss: Burst | None = None
    duplicate_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.policed and not self.burst_bytes:
            raise ValueError("a policer without burst_bytes passes nothing")

    def settings(self) -> dict[str, float]:
        """Names and numbers of `struct settings` in way.h."""
        burst = self.burst_loss or Burst(to_bad_ratio=0, to_good_ratio=1, loss_ratio=0)
        return {
            "rate_bps": self.rate_bps or 0,
            "burst_bytes": self.burst_bytes,
            "policed": self.policed,
            "queue_bytes": self._queue_bytes(),
            "overhead_bytes": self.overhead_bytes,
            "delay_ns": self.delay_ms * _NS_IN_MS,
            "jitter_ns": self.jitter_ms * _NS_IN_MS,
            "jitter_kind": _JITTERS.index(self.jitter if self.jitter_ms else "none"),
            "disorder": self.overtaking,
            "reorder_ratio": self.reorder_ratio,
            "reorder_ns": self.reorder_ms * _NS_IN_MS,
            "slot_ns": self.slot_ms * _NS_IN_MS,
            "loss_ratio": self.loss_ratio,
            "bad_loss_ratio": burst.loss_ratio,
            "to_bad_ratio": burst.to_bad_ratio,
            "to_good_ratio": burst.to_good_ratio,
            "duplicate_ratio": self.duplicate_ratio,
        }

    def _queue_bytes(self) -> float:
        if self.queue_bytes is not None:
            return self.queue_bytes
        return max(15_000, self.rate_bps / 80) if self.rate_bps else 0


@dataclass(frozen=True, kw_only=True)
class Link(Way):
    """Both directions: everything of a `Way` holds for each, but for what `up` and `down` say otherwise.

    Attributes:
        rtt_ms: half of it is added to the delay of each direction.
    """

    rtt_ms: float = 0.0
    up: Mapping[str, Any] = field(default_factory=dict)
    down: Mapping[str, Any] = field(default_factory=dict)

    def ways(self) -> dict[str, Way]:
        """The two directions, `up` from the school."""
        plain = {f.name: getattr(self, f.name) for f in fields(Way)}
        both = Way(**plain | {"delay_ms": self.delay_ms + self.rtt_ms / 2})
        return {"up": replace(both, **self.up), "down": replace(both, **self.down)}

    def words(self) -> Iterator[str]:
        """The change as the link program takes it."""
        for name, way in self.ways().items():
            for key, value in way.settings().items():
                yield f"{name}.{key}={float(value):.17g}"


@dataclass(frozen=True)
class _AtPlace:
    """Something that happens at one place.

    Attributes:
        place: `cable` (to the school host), `gateway`, `modem`, `line` (both ways), `up` or `down` (one way),
            `operator` (its first hop answers, nothing behind it), `dns`, or the address of an internet host.
    """

    place: str

    def __post_init__(self) -> None:
        if self.place not in {*INTERFACES, *_GROUPS, "up", "down", "operator"}:
            ipaddress.ip_address(self.place)

    def _words(self, verb: str) -> Iterator[str]:
        for part in _GROUPS.get(self.place, (self.place,)):
            yield f"{verb}={part}"


class Cut(_AtPlace):
    """From now on this place is dead: it drops what comes and what is under way, without a word."""

    def words(self) -> Iterator[str]:
        """The change as the link program takes it."""
        return self._words("cut")


class Mend(_AtPlace):
    """This place lives again."""

    def words(self) -> Iterator[str]:
        """The change as the link program takes it."""
        return self._words("mend")


_GROUPS: Mapping[str, tuple[str, ...]] = {"line": ("up", "down"), "dns": RESOLVERS}

Change = Link | Cut | Mend
