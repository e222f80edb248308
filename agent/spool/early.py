# SPDX-License-Identifier: Apache-2.0
"""What keeps records that are not on the card yet when the agent is killed?

A log in a directory that the agent's death leaves alone and that costs no card: `$RUNTIME_DIRECTORY`, a
tmpfs. Records enter it one by one, and it is emptied when all of them are on the card. It counts only within
the boot that wrote it. Where it cannot be written, records are in memory alone, and the agent goes on.

    log   = frames
    frame = marker a5 5a, length (u32), CRC-32 of the content (u32), content as JSON
"""

from __future__ import annotations

import base64
import json
import logging
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.contract.record import Record, record_from_plain, to_plain
from agent.spool.card import Place
from agent.spool.disk import Disk, OpenFile

log = logging.getLogger("agent.spool")

NAME = "early.log"
_MARKER = b"\xa5\x5a"
_HEAD = struct.Struct("<2sII")


@dataclass(kw_only=True)
class Early:
    """What a log holds: single records, packed ones, and places on the card that do not count."""

    records: list[tuple[str, Record]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    spoiled: list[Place] = field(default_factory=list)


class EarlyLog:
    """The log; never raises `OSError`.

    Attributes:
        is_behind: whether something that should be in it is not.
    """

    def __init__(self, disk: Disk, directory: Path, boot: str) -> None:
        self._disk = disk
        self._path = directory / NAME
        self._boot = boot
        self._file: OpenFile | None = None
        self.is_behind = False
        self._head_bytes = 0
        self.bytes = 0

    def recover(self) -> Early:
        """What an agent of the same boot left."""
        try:
            data = self._disk.read(self._path)
        except OSError:
            self.replace(Early())
            return Early()
        frames = list(_frames(data))
        if not frames or frames[0] != {"boot": self._boot}:
            self.replace(Early())
            return Early()
        self.bytes = len(data)
        self._head_bytes = len(_frame(frames[0])) if data.startswith(_frame(frames[0])) else 0
        return _early(frames)

    def add(self, session: str, record: Record) -> None:
        """Keep one more record."""
        frame = _frame({"session": session, "record": to_plain(record)})
        try:
            if self._file is None:
                self._file = self._disk.open(self._path)
            self._file.append(frame)
        except OSError as e:
            self._note(e)
            return
        self.bytes += len(frame)

    def replace(self, early: Early) -> None:
        """Hold this and nothing else, in one step."""
        self.close()
        if early == Early() and self._head_bytes and self._empty():
            return
        content = b"".join(map(_frame, _plain(early, self._boot)))
        try:
            self._disk.make_directory(self._path.parent)
            self._disk.replace(self._path, content)
        except OSError as e:
            self._note(e)
            self._disown()
            return
        self.bytes, self.is_behind = len(content), False
        self._head_bytes = len(_frame({"boot": self._boot}))

    def _empty(self) -> bool:
        """Cut off all but the head: cheaper than a new file where the log is on a card."""
        try:
            self._file = self._disk.open(self._path)
            self._file.truncate(self._head_bytes)
        except OSError:
            return False
        self.bytes, self.is_behind = self._head_bytes, False
        return True

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _disown(self) -> None:
        """What could not be replaced must not be taken for true after a restart."""
        self._head_bytes = 0
        try:
            self._disk.remove(self._path)
        except OSError as e:
            log.debug("spool.early_stays problem=%s", e)

    def _note(self, e: OSError) -> None:
        if not self.is_behind:
            log.warning("spool.early_unwritable file=%s problem=%s", self._path, e.strerror)
        self.is_behind = True


def _plain(early: Early, boot: str) -> Iterable[dict[str, Any]]:
    yield {"boot": boot}
    if early.spoiled:
        yield {"spoiled": [[p.file, p.slot, p.slots] for p in early.spoiled]}
    for payload in early.payloads:
        yield {"payload": base64.b85encode(payload).decode()}
    for session, record in early.records:
        yield {"session": session, "record": to_plain(record)}


def _early(frames: Iterable[dict[str, Any]]) -> Early:
    early = Early()
    for plain in frames:
        try:
            _take_in(early, plain)
        except (ValueError, KeyError, TypeError) as e:  # DecodeError is a ValueError
            log.warning("spool.early_record_unknown problem=%s", e)
    return early


def _take_in(early: Early, plain: dict[str, Any]) -> None:
    if "record" in plain:
        early.records.append((plain["session"], record_from_plain(plain["record"])))
    elif "payload" in plain:
        early.payloads.append(base64.b85decode(plain["payload"]))
    else:
        early.spoiled += [Place(*p) for p in plain.get("spoiled", ())]


def _frame(plain: dict[str, Any]) -> bytes:
    content = json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()
    return _HEAD.pack(_MARKER, len(content), zlib.crc32(content)) + content


def _frames(data: bytes) -> Iterator[dict[str, Any]]:
    """Every whole frame; what a kill or a full disk left between them is passed over."""
    at = 0
    while (at := data.find(_MARKER, at)) >= 0 and at + _HEAD.size <= len(data):
        _, length, checksum = _HEAD.unpack_from(data, at)
        content = data[at + _HEAD.size : at + _HEAD.size + length]
        plain = _table(content) if len(content) == length and zlib.crc32(content) == checksum else None
        if plain is None:
            at += 1
            continue
        yield plain
        at += _HEAD.size + length


def _table(content: bytes) -> dict[str, Any] | None:
    """None for what is no table: zeros have the check sum of an empty frame."""
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None
