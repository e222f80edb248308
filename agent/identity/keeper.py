# SPDX-License-Identifier: Apache-2.0
"""How does a running agent come by its identity, and keep it for years without a visit?

At two thirds of a certificate's life the next one is asked for over the connection there is, with a new key.
It is used as soon as it is on the disk; the old one stays until the new one has connected once, and is gone
back to when that does not happen.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from agent.config import AgentOptions, MqttOptions
from agent.contract.decoder import DecodeError
from agent.contract.enrolment import MAX_ANSWER_BYTES, Issued, read_file, read_message
from agent.contract.record import Batch, ClockState
from agent.identity import folder
from agent.identity.agreement import agree
from agent.identity.folder import Certificate
from agent.identity.sealing import Sealer
from agent.identity.signing import SigningKey

log = logging.getLogger("agent.identity")

_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 3600.0
_ANSWER_S = 30.0
_TRIAL_S = 90.0


class Connection(Protocol):
    """What is needed of `agent.publisher.link.Link`."""

    connections: int
    on_certificate: Callable[[bytes], None]
    has_clock: Callable[[], bool]

    def use(self, options: MqttOptions) -> None:
        """Connect anew, with these."""

    def ask_certificate(self, request: bytes) -> bool:
        """Send a request; False when there is no connection."""


class Keeper:
    """The identity of the program that runs."""

    def __init__(self, options: AgentOptions, link: Connection, now: Callable[[], ClockState]) -> None:
        self._options = options
        self._directory = Path(options.identity.directory)
        self._link = link
        self._answer: asyncio.Future[bytes] | None = None
        self._lead_s: float | None = None
        self._sealer = self._make_sealer()
        link.on_certificate = self._on_answer
        link.has_clock = lambda: now().age_s is not None

    def seal(self, payload: bytes, batch: Batch) -> bytes:
        """A batch as it goes out: signed or tagged, once the device is enrolled."""
        return payload if self._sealer is None else self._sealer.seal(payload, batch)

    def note_time(self, wall_ms: int) -> None:
        """The collector's time: what counts for a certificate, and there even without a clock of our own."""
        self._lead_s = wall_ms / 1000 - time.monotonic()

    async def enrol(self) -> None:
        """Where an enrolment file waits, come back when the device is enrolled; at once without one."""
        file = Path(self._options.identity.enrolment_file)
        pause_s = _FIRST_PAUSE_S
        while folder.enrolled(self._directory) is None and file.is_file():  # noqa: ASYNC240 -- a local file
            if (
                self._is_ours(file)
                and await _output_of("agent", "enrol", str(file), *self._where()) is not None
            ):
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        who = folder.enrolled(self._directory)
        if who is not None and self._sealer is None:
            self._sealer = self._make_sealer()
            self._link.use(self._with(who=who))

    async def run(self) -> None:
        """Renew in time, for ever."""
        if folder.enrolled(self._directory) is None:
            return
        while True:
            try:
                await self._care()
            except (OSError, DecodeError) as e:  # a full, read-only or damaged card: what there is goes on
                log.warning("certificate.not_renewed problem=%s", e)
            await asyncio.sleep(self._pause_s())

    async def _care(self) -> None:
        if folder.certificate(self._directory, "candidate") is not None:
            await self._try_candidate()
        elif self._is_due():
            await self._ask()

    def _where(self) -> tuple[str, str]:
        return "--directory", str(self._directory)

    def _is_ours(self, file: Path) -> bool:
        """Whether the file makes this device known and no other."""
        try:
            named = read_file(file.read_bytes()).device
        except (OSError, DecodeError) as e:
            log.warning("enrolment.unusable file=%s problem=%s", file, e)
            return False
        if named != self._options.device:
            log.warning("enrolment.of_another file=%s device=%s", file, named)
        return named == self._options.device

    def _is_due(self) -> bool:
        current = folder.certificate(self._directory)
        if current is None or self._lead_s is None:
            return False
        return self._lead_s + time.monotonic() >= current.renew_at_s()

    def _pause_s(self) -> float:
        """A twentieth of a certificate's life, at most an hour."""
        current = folder.certificate(self._directory)
        if current is None:
            return _LONGEST_PAUSE_S
        return min(_LONGEST_PAUSE_S, max(0.2, (current.not_after_s - current.not_before_s) / 20))

    async def _ask(self) -> None:
        request = await _output_of("agent.identity.renewal", str(self._directory))
        self._answer = asyncio.get_running_loop().create_future()
        if request is None or not self._link.ask_certificate(request):
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await self._answer
        except TimeoutError:
            log.warning("certificate.unanswered after_s=%g", _ANSWER_S)
            return
        self._take(answer)

    def _take(self, answer: bytes) -> None:
        try:
            issued = read_message(Issued, answer, MAX_ANSWER_BYTES)
        except DecodeError as e:
            log.warning("certificate.bad_answer problem=%s", e)
            return
        if issued.certificate is None:
            log.warning("certificate.refused problem=%s", issued.refused)
            return
        try:
            folder.add(self._directory, issued, "candidate")
        except OSError as e:
            log.warning("certificate.not_kept problem=%s", e)
            return
        log.info("certificate.renewed until_s=%d", issued.not_after_s)

    async def _try_candidate(self) -> None:
        """Connect with the new certificate; back to the old one when that does not work."""
        candidate = folder.certificate(self._directory, "candidate")
        before = self._link.connections
        try:
            self._link.use(self._with(certificate=candidate))
        except DecodeError as e:
            log.warning("certificate.unusable problem=%s back=old", e)
            self._with(certificate=folder.certificate(self._directory))
            folder.drop_candidate(self._directory)
            return
        try:
            async with asyncio.timeout(_TRIAL_S):
                while self._link.connections == before:  # noqa: ASYNC110 -- the link may be another's
                    await asyncio.sleep(0.1)
        except TimeoutError:
            log.warning("certificate.does_not_connect back=old")
            self._link.use(self._with(certificate=folder.certificate(self._directory)))
            return
        folder.promote(self._directory)
        if self._sealer is not None and self._key is not None:
            self._sealer.tag_key = self._tag_key(self._key)
        log.info("certificate.in_use")

    def _with(
        self, certificate: Certificate | None = None, who: folder.Enrolled | None = None
    ) -> MqttOptions:
        certificate = certificate or folder.certificate(self._directory)
        mqtt = self._options.mqtt
        if who is not None:
            ca_file = str(self._directory / folder.CA)
            mqtt = dataclasses.replace(mqtt, host=who.broker_host, port=who.broker_port, ca_file=ca_file)
        if certificate is not None:
            files: dict[str, Any] = {
                "cert_file": str(certificate.cert_file),
                "key_file": str(certificate.key_file),
            }
            mqtt = dataclasses.replace(mqtt, **files)
        self._options = dataclasses.replace(self._options, mqtt=mqtt)
        return mqtt

    def _on_answer(self, answer: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _make_sealer(self) -> Sealer | None:
        self._key = self._read_key()
        if self._key is None:
            return None
        return Sealer(self._options.device, self._key, self._tag_key(self._key))

    def _tag_key(self, key: SigningKey) -> bytes | None:
        """None where the authority has told no key of its own, or one that is none."""
        current = folder.certificate(self._directory)
        if current is None or current.tag_key is None:
            return None
        try:
            return agree(key, self._options.device, current.tag_key)
        except ValueError as e:
            log.warning("identity.no_tag_key problem=%s", e)
            return None

    def _read_key(self) -> SigningKey | None:
        if folder.enrolled(self._directory) is None:
            return None
        try:
            return SigningKey.read(self._directory / folder.SIGNING_KEY)
        except (OSError, ValueError) as e:
            log.error("identity.no_signing_key problem=%s", e)  # noqa: TRY400 -- the card's fault, not ours
            return None


async def _output_of(module: str, *words: str) -> bytes | None:
    """What a program of ours prints; None when it fails, which it explains itself on stderr.

    Keys are made in a process of their own, since that needs the library this one does without.
    """
    command = (sys.executable, "-m", module, *words)
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError as e:
        log.warning("identity.no_process problem=%s", e)
        return None
    try:
        output, _ = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        raise
    return output if child.returncode == 0 else None
