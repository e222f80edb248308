# SPDX-License-Identifier: Apache-2.0
"""What lies on the card, seen from outside and without changing anything?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.contract.decoder import DecodeError
from agent.spool.block import SLOT_BYTES, scan, unpack
from agent.spool.disk import Disk
from agent.spool.files import read_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All files of a spool; acknowledged records count until their place is used again."""

    segments: int
    bytes: int
    records: int
    sessions: int
    damaged_bytes: int


def contents_of(directory: Path) -> Contents:
    """Read all files.

    Raises:
        OSError: one cannot be read.
    """
    disk = Disk()
    names, _ = read_names(disk.names(directory))
    found: set[tuple[str, int]] = set()
    damaged_bytes = size = 0
    for name in names:
        try:
            data = disk.read(directory / str(name))
        except FileNotFoundError:  # a running agent has removed it meanwhile
            continue
        size += len(data)
        for block in scan(data):
            seqs = _identities(block.payload)
            found |= seqs
            damaged_bytes += 0 if seqs else block.slots * SLOT_BYTES
    return Contents(
        segments=len(names),
        bytes=size,
        records=len(found),
        sessions=len({session for session, _ in found}),
        damaged_bytes=damaged_bytes,
    )


def _identities(payload: bytes | None) -> set[tuple[str, int]]:
    if payload is None:
        return set()
    try:
        session, records = unpack(payload)
    except DecodeError:
        return set()
    return {(session, record.seq) for record in records}
