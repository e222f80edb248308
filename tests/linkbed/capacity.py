# SPDX-License-Identifier: Apache-2.0
"""What does the capacity test say of a link whose truth is known? Reflector and agent are the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import public_key
from collector.reflector import token
from tests.linkbed import place
from tests.linkbed.bed import Bed

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TOKEN = token.make(_KEY, "kz-0001", expires_s=2**33)
_OPTIONS = f"""
[gate]
token_public_key = "{public_key(_KEY)}"
device_tests_per_hour = 10000
device_bytes_per_day = 1_000_000_000_000
[capacity]
host = "{place.SERVER[0]}"
"""
_RUN = """
import dataclasses, json, logging, os, sys, time
if os.environ.get("SPCAP"): logging.basicConfig(level=10, stream=sys.stderr)
from agent.throughput.capacity import Wanted, run
wanted = json.loads(sys.argv[1])
began_s = time.monotonic()
outcomes = run(Wanted(**{**wanted, "directions": tuple(wanted["directions"])}))
for o in outcomes:
    fields = dataclasses.asdict(o.fields)
    print(json.dumps({**fields, "reason": o.reason, "detail": o.detail}))
"""


@contextmanager
def reflector(bed: Bed, folder: Path, more: str = "") -> Iterator[subprocess.Popen[str]]:
    """A reflector in the bed's internet."""
    file = folder / "reflector.toml"
    file.write_text(_OPTIONS + more)
    command = [sys.executable, "-m", "collector", "reflector", "--config", str(file)]
    program = bed.start("internet", command, stderr=subprocess.PIPE)
    assert program.stderr is not None
    while "reflector.listening" not in (line := program.stderr.readline()):
        assert line, "the reflector did not start"
    try:
        yield program
    finally:
        program.terminate()
        program.wait()


def measure(bed: Bed, *, directions: tuple[str, ...] = ("down", "up"), **wanted: Any) -> list[dict[str, Any]]:
    """One test from the school; a row for each direction."""
    told = {
        "host": place.SERVER[0],
        "port": 7470,
        "token": TOKEN,
        "directions": directions,
        **wanted,
    }
    out = bed.run("school", [sys.executable, "-c", _RUN, json.dumps(told)])
    return [json.loads(line) for line in out.splitlines()]
