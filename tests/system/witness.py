# SPDX-License-Identifier: Apache-2.0
"""The agent as it is, with an oracle that writes down every record at the moment the spool has taken it.

Run as `python -m tests.system.witness ORACLE run --config FILE`. The oracle gets `try SEQ` before a record is
written and `made SEQ KIND DIGEST` after, each in one write call, so that a SIGKILL between the two leaves at
most one try.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

from agent import __main__ as program
from agent.contract.record import Record, to_plain
from agent.spool.spool import Spool


def digest(record: Record) -> str:
    """What identifies a record's content."""
    return hashlib.sha256(json.dumps(to_plain(record), sort_keys=True).encode()).hexdigest()[:16]


def main() -> int:
    """Run the agent under observation."""
    oracle = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    append = Spool.append

    def observed(spool: Spool, **record: Any) -> Record:
        os.write(oracle, f"try {spool.session} {spool._next_seq}\n".encode())
        made = append(spool, **record)
        os.write(oracle, f"made {spool.session} {made.seq} {made.kind} {digest(made)}\n".encode())
        return made

    Spool.append = observed  # type: ignore[method-assign,assignment]  # the only place through which records go
    return program.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
