# SPDX-License-Identifier: Apache-2.0
"""How is the link program compiled, started, told and asked?"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.linkbed.change import Change
from tests.linkbed.truth import Counters, Truth, read_log

_HERE = Path(__file__).parent
_SOURCES = ("link.c", "way.c", "held.c")
_HEADERS = ("way.h", "held.h")
_BUILD = _HERE.parents[1] / "build" / "linkbed"
_STOP_S = 5.0


class LinkError(RuntimeError):
    """The link program ended, or said something else than it should."""


def compiled() -> Path:
    """The program, compiled anew when its source has changed."""
    source = b"".join((_HERE / name).read_bytes() for name in (*_SOURCES, *_HEADERS))
    program = _BUILD / f"link-{hashlib.sha256(source).hexdigest()[:12]}"
    if not program.exists():
        _BUILD.mkdir(parents=True, exist_ok=True)
        fresh = program.with_suffix(f".{os.getpid()}")
        flags = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
        subprocess.run(["cc", *flags, "-o", fresh, *_SOURCES, "-lm"], cwd=_HERE, check=True)
        fresh.rename(program)
    return program


class Program:
    """The running link; it ends when this process does, because its stdin ends then."""

    def __init__(self, log: Path, arguments: Sequence[str], *, keeps_packets: bool, seed: int) -> None:
        self._log = log
        self._changes: list[Change] = []
        command = [str(compiled()), str(log), str(int(keeps_packets)), str(seed), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def plan(self, change: Change, *, at_ns: int = 0) -> None:
        """Have a change made at a moment of the monotonic clock, or at once."""
        number = len(self._changes)
        self._changes.append(change)
        self._say(f"{number} {at_ns} {' '.join(change.words())}")

    def counters(self) -> dict[str, Counters]:
        """Of both ways; everything planned for now has been done when they come."""
        self._say("counters")
        return {name: Counters(**counted) for name, counted in self._answer().items()}

    def truth(self) -> Truth:
        """Everything until now."""
        counted = self.counters()
        return Truth(counted["up"], counted["down"], *read_log(self._log, self._changes))

    def stop(self) -> None:
        """End it, kill it if need be."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as e:
            raise LinkError(f"the link program has ended: {self._process.poll()}") from e

    def _answer(self) -> dict[str, dict[str, int]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LinkError(f"the link program has ended: {self._process.wait(_STOP_S)}")
        answer: dict[str, dict[str, int]] = json.loads(line)
        return answer


def mono_ns() -> int:
    """The clock of all truths."""
    return time.monotonic_ns()
