# SPDX-License-Identifier: Apache-2.0
"""What does the running collector ask of the authority, and what does it do when there is none or it fails?

Whoever was known stays known while the ledger cannot be read; nobody becomes known by that, and nobody who
was revoked may speak again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable

from agent.contract import topics
from agent.contract.decoder import DecodeError
from agent.contract.enrolment import Issued, encode
from collector.acknowledgement import Answer
from collector.authority.authority import Authority
from collector.authority.errors import Refused
from collector.authority.signers import NOBODY, Signers
from collector.message import Message

log = logging.getLogger("collector.authority")


class Desk:
    """Where admission asks who may speak; without an authority nobody is known and nobody must sign."""

    def __init__(self, authority: Authority | None = None) -> None:
        self.authority = authority
        self.on_revoked: Callable[[str], None] = lambda _device: None
        self._known = NOBODY if authority is None else authority.signers()
        self._is_failing = False
        self._lock = threading.Lock()

    def signers(self) -> Signers:
        """Who may speak, as it is now."""
        if self.authority is None:
            return self._known
        try:
            found = self.authority.signers()
        except (sqlite3.Error, OSError) as e:
            if not self._is_failing:
                log.error("authority.unreadable problem=%s", e)  # noqa: TRY400 -- a disk's fault, not ours
            self._is_failing = True
            return self._known
        self._is_failing = False
        for device in found.revoked - self._known.revoked:
            log.info("device.revoked device=%s", device)
            self.on_revoked(device)
        self._known = found
        return found

    def note_revoked_presence(self, device: str) -> None:
        """A revoked device is still, or again, connected."""
        self.on_revoked(device)

    def renew(self, message: Message) -> list[Answer]:
        """Answer a request for the next certificate; the broker has checked whose topic it came on."""
        if self.authority is None:
            return []
        try:
            device = topics.parse(message.topic).device
        except DecodeError as e:
            log.warning("renewal.ignored problem=%s", e)
            return []
        try:
            issued = self.authority.renew(device, message.payload)
            log.info("certificate.issued device=%s until_s=%d", device, issued.not_after_s)
        except Refused as e:
            log.warning("renewal.refused device=%s problem=%s", device, e)
            issued = Issued(refused=str(e))
        return [Answer(topics.crt(device), encode(issued))]
