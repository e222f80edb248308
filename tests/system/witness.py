# SPDX-License-Identifier: Apache-2.0
"""The agent as it is, with an oracle that writes down every record at the moment the spool has taken it.

Run as `python -m tests.system.witness ORACLE run --config FILE`. The oracle gets `try SEQ` before a record is
written and `made SEQ KIND DIGEST` after, each in one write call, so that a SIGKILL between the two leaves at
most one try. The file named by SCHOOLPULSE_TEST_CLOCK says what the machine's clocks show (`FaultyClock`).
SCHOOLPULSE_TEST_KEYS holds what batches are signed and tagged with.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import __main__ as program
from agent.clock import system
from agent.contract.record import Batch, Record, to_plain
from agent.identity.agreement import agree
from agent.identity.keeper import Keeper
from agent.identity.sealing import Sealer
from agent.identity.signing import SigningKey
from agent.spool.drop import Drop
from agent.spool.session import Session
from agent.spool.spool import Spool

CLOCK = "SCHOOLPULSE_TEST_CLOCK"
KEYS = "SCHOOLPULSE_TEST_KEYS"


@dataclass(frozen=True, kw_only=True)
class FaultyClock:
    """By how much the machine's clocks are off, and which boot it is in."""

    wall_ms: int = 0
    mono_ms: int = 0
    is_synchronised: bool = False
    boot: str = "00000001"

    def write(self, path: Path) -> None:
        """From now on."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(dataclasses.asdict(self)))
        new.replace(path)


def digest(record: Record) -> str:
    """What identifies a record's content."""
    return hashlib.sha256(json.dumps(to_plain(record), sort_keys=True).encode()).hexdigest()[:16]


def main() -> int:
    """Run the agent under observation."""
    oracle = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    append, done = Spool.append, Session.done

    def observed(spool: Spool, **record: Any) -> Record:
        os.write(oracle, f"try {spool.session} {spool._own.next_seq}\n".encode())
        made = append(spool, **record)
        os.write(oracle, made_line(spool.session, made))
        return made

    def counted(session: Session, drop: Drop, records: Sequence[Record]) -> None:
        done(session, drop, records)
        for record in records:
            os.write(oracle, made_line(session.name, record))

    Spool.append = observed  # type: ignore[method-assign,assignment]  # all records but those of drops
    Session.done = counted  # type: ignore[method-assign,assignment]
    if KEYS in os.environ:
        _sign(*map(bytes.fromhex, os.environ[KEYS].split()))
    if CLOCK in os.environ:
        _disturb(Path(os.environ[CLOCK]))
    return program.main(sys.argv[2:])


def made_line(session: str, record: Record) -> bytes:
    """What the oracle says of a record that was made."""
    return f"made {session} {record.seq} {record.kind} {digest(record)}\n".encode()


def _sign(seed: bytes, authority_key: bytes) -> None:
    """As an enrolled device does, without TLS."""
    key = SigningKey(seed)
    sealer = Sealer("kz-1", key, agree(key, "kz-1", authority_key))

    def seal(_keeper: Keeper, payload: bytes, batch: Batch) -> bytes:
        return sealer.seal(payload, batch)

    Keeper.seal = seal  # type: ignore[method-assign,assignment]


def _disturb(path: Path) -> None:
    """Show the clocks of another machine."""
    read = system.read

    def shown() -> system.Shown:
        faulty = FaultyClock(**json.loads(path.read_text()))
        real = read()
        return system.Shown(
            real.mono_ms + faulty.mono_ms, real.wall_ms + faulty.wall_ms, faulty.is_synchronised
        )

    boot = FaultyClock(**json.loads(path.read_text())).boot
    system.read = shown
    system.read_boot = lambda: boot


if __name__ == "__main__":
    sys.exit(main())
