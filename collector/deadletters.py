# SPDX-License-Identifier: Apache-2.0
"""Where does everything go that was refused, so that nothing vanishes and nobody can fill the disk with it?

One JSON Lines file per day (UTC of arrival), limited in bytes, a quarter of them for any one device; what is
over the limit is counted. The oldest days go when there are too many. Of a device that is not registered one
letter an hour is written, with the number of those left out since the last.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from agent.contract.record import Refused
from collector.admission import Admitted, Refusal, RefusalReason
from collector.disk import Disk
from collector.health import Health
from collector.sinks.base import Measurement

log = logging.getLogger("collector.deadletters")

MAX_BYTES_PER_DAY = 64 * 1024 * 1024
KEPT_DAYS = 90
_PAYLOAD_BYTES = 256 * 1024
_REPEAT_MS = 3_600_000
_FILE = re.compile(r"\d{4}-\d\d-\d\d\.jsonl")
_DEVICES_REMEMBERED = 10_000
_RECORD_BYTES = 16 * 1024
_SHARE = 4


@dataclass(kw_only=True)
class _Repeats:
    written_ms: int
    left_out: int = 0


class _Letter(NamedTuple):
    sender: str
    line: bytes


class DeadLetters:
    """Letters are collected by `add_…` and made durable by `commit`, from any thread."""

    def __init__(
        self,
        directory: Path,
        health: Health,
        *,
        max_bytes_per_day: int = MAX_BYTES_PER_DAY,
        kept_days: int = KEPT_DAYS,
        disk: Disk | None = None,
    ) -> None:
        self._directory = directory
        self._health = health
        self._max_bytes = max_bytes_per_day
        self._kept_days = kept_days
        self._disk = disk or Disk()
        self._waiting: dict[str, list[_Letter]] = {}
        self._used: tuple[str, Counter[str]] = "", Counter()
        self._unknown: dict[str, _Repeats] = {}
        self._is_failing = False
        self._full_day = ""
        self._lock = threading.Lock()

    def add_refusal(self, refusal: Refusal) -> None:
        """A whole message."""
        message, left_out = refusal.message, 0
        if refusal.reason is RefusalReason.UNKNOWN_DEVICE:
            repeats = self._repeats(refusal.device or "", message.received_ms)
            if repeats is None:
                return
            left_out = repeats
        payload = message.payload[:_PAYLOAD_BYTES]
        self._add(
            message.received_ms,
            sender=_sender(message.topic),
            reason=str(refusal.reason),
            problem=refusal.problem,
            topic=message.topic,
            bytes=len(message.payload),
            left_out=left_out or None,
            payload=base64.b64encode(payload).decode(),
        )

    def add_record(self, admitted: Admitted, refused: Refused, reason: str = "record") -> None:
        """One record of a batch that is in the journal."""
        self._add(
            admitted.message.received_ms,
            sender=admitted.batch.device,
            reason=reason,
            problem=refused.problem,
            topic=admitted.message.topic,
            session=admitted.batch.session,
            seq=refused.seq,
            record=_shortened(refused.plain),
        )

    def add_rejection(self, measurement: Measurement, sink: str, problem: str) -> None:
        """One measurement that a sink will never take; the journal has it."""
        self._add(
            measurement.received_ms,
            sender=measurement.device,
            reason="sink",
            problem=problem,
            sink=sink,
            device=measurement.device,
            session=measurement.session,
            seq=measurement.record.seq,
            kind=measurement.record.kind,
        )

    def commit(self) -> None:
        """Write what was added and make it durable; what the disk does not take is counted and logged."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            for day, lines in waiting.items():
                self._write(day, lines)

    def _add(self, received_ms: int, *, sender: str, **letter: Any) -> None:
        at = datetime.fromtimestamp(received_ms / 1000, UTC)
        stated = {name: value for name, value in letter.items() if value is not None}
        line = json.dumps(
            {"at": at.isoformat(timespec="milliseconds"), **stated}, ensure_ascii=False, default=repr
        )
        with self._lock:
            made = _Letter(sender, line.encode(errors="replace") + b"\n")
            self._waiting.setdefault(f"{at:%Y-%m-%d}", []).append(made)

    def _write(self, day: str, lines: list[_Letter]) -> None:
        try:
            written = self._append(day, lines)
        except OSError as e:
            written = 0
            if not self._is_failing:
                log.warning("deadletters.not_written directory=%s problem=%s", self._directory, e)
            self._is_failing = True
        else:
            self._is_failing = False
        self._health.dead_letters += written
        self._health.dead_letters_dropped += len(lines) - written

    def _append(self, day: str, lines: list[_Letter]) -> int:
        self._disk.make_directory(self._directory)
        path = self._directory / f"{day}.jsonl"
        is_new = path.name not in self._disk.names(self._directory)
        file = self._disk.open(path, new=is_new)
        try:
            fitting = self._fitting(day, file.size, lines)
            file.append(self._end_torn_line(path, file.size) + b"".join(fitting))
            file.sync()
        finally:
            file.close()
        if is_new:
            self._disk.sync_directory(self._directory)
            self._remove_oldest()
        return len(fitting)

    def _remove_oldest(self) -> None:
        """Days over the number to be kept; other files of the folder are nobody's business here."""
        days = sorted(name for name in self._disk.names(self._directory) if _FILE.fullmatch(name))
        for name in days[: -self._kept_days]:
            log.warning("deadletters.removed file=%s kept_days=%d", name, self._kept_days)
            self._disk.remove(self._directory / name)

    def _end_torn_line(self, path: Path, size: int) -> bytes:
        """A power cut may have left half a letter; it must not take the next one with it."""
        return b"\n" if size and self._disk.read(path, size - 1) != b"\n" else b""

    def _fitting(self, day: str, size: int, lines: list[_Letter]) -> list[bytes]:
        """Those the day's limit, and their sender's share of it since the start, leave room for."""
        if self._used[0] != day:
            self._used = day, Counter()
        used, fitting = self._used[1], []
        for sender, line in lines:
            is_share_left = used[sender] + len(line) <= self._max_bytes // _SHARE
            if is_share_left and size + len(line) <= self._max_bytes:
                fitting.append(line)
                size += len(line)
                used[sender] += len(line)
        if len(fitting) < len(lines) and self._full_day != day:
            self._full_day = day
            log.error("deadletters.full day=%s max_bytes=%d", day, self._max_bytes)
        return fitting

    def _repeats(self, device: str, now_ms: int) -> int | None:
        """How many were left out since the device's last letter; None when this one is left out too."""
        last = self._unknown.get(device)
        if last is not None and 0 <= now_ms - last.written_ms < _REPEAT_MS:
            last.left_out += 1
            return None
        self._unknown.pop(device, None)
        self._unknown[device] = _Repeats(written_ms=now_ms)
        if len(self._unknown) > _DEVICES_REMEMBERED:
            del self._unknown[next(iter(self._unknown))]
        return last.left_out if last else 0


def _sender(topic: str) -> str:
    """What the topic calls the device, whether there is one or not."""
    return topic.rsplit("/", 2)[-2][:60] if topic.count("/") > 1 else ""


def _shortened(plain: Any) -> Any:
    """A record that is too long to be kept twice; the journal has the whole of it."""
    text = json.dumps(plain, ensure_ascii=False, default=repr)
    return plain if len(text) <= _RECORD_BYTES else text[:_RECORD_BYTES]
