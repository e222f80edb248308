# SPDX-License-Identifier: Apache-2.0
"""What does a driver give back, and how does it say that it got nothing?"""

from __future__ import annotations

from dataclasses import dataclass

from agent.contract.kinds import Fields
from agent.contract.reason import Reason


class DeviceFailed(Exception):
    """A device gave nothing to be believed; the message names it, what it did and what to do."""

    def __init__(self, device: str, reason: Reason, detail: str) -> None:
        super().__init__(f"{device}: {detail}")
        self.device = device
        self.reason = reason
        self.detail = detail


class Unanswered(DeviceFailed):
    """One question was not answered in time; the device may answer the next."""


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """What one device told in one poll.

    Attributes:
        fields: the records it makes, keys filled in.
        meanings: codes of `firmware_bridge.meaning` that hold now.
        refused: values that were out of range or unreadable, as `name=text`; never a value of a person.
    """

    fields: tuple[Fields, ...]
    meanings: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a device says it is; None where it does not say."""

    maker: str | None = None
    model: str | None = None
    firmware: str | None = None
    description: str | None = None
    object_id: str | None = None
