# SPDX-License-Identifier: Apache-2.0
"""How is a foreign measuring program run so that it cannot take more memory, data or time than it may?

Its memory is bounded by the kernel (`RLIMIT_AS`), its time by us, its data by the counters of the interface
to its server: what others move meanwhile counts too, so it ends sooner rather than later. It and all its
children die together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer

_LOOK_EVERY_S = 0.1
_LAST_WORD_S = 0.5
_OUTPUT_BYTES = 1 << 20
_STACK_BYTES = 1 << 20
_FRUGAL = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
"""Else each thread of a Python program takes 72 MB of address space, and none of it is used."""
_ENVIRONMENT = ("PATH", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the program may take.

    Attributes:
        memory_bytes: address space of the program.
        bytes: both ways, on the interface.
        seconds: until it is killed.
    """

    memory_bytes: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What it left behind.

    Attributes:
        output: what it wrote to its standard output.
        complaint: the end of what it wrote to its standard error.
        stopped: why it was killed: `bytes` or `seconds`; None when it ended by itself.
        moved_bytes: over the interface meanwhile, both ways.
    """

    code: int
    output: bytes
    complaint: str
    stopped: str | None
    moved_bytes: int
    lasted_s: float


async def run(command: Sequence[str], bounds: Bounds, interface: str | None) -> Ran:
    """Run it to its end.

    Raises:
        NoAnswer: there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise NoAnswer(Reason.NOT_PRESENT, f"{command[0]} is not installed")
    began_s, count = time.monotonic(), _counter(interface)
    program = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_FRUGAL | {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
        preexec_fn=lambda: _bind(bounds.memory_bytes),
    )
    reading = asyncio.gather(*(_read(pipe) for pipe in (program.stdout, program.stderr) if pipe))
    try:
        stopped = await _watch(program, bounds, count)
        if stopped is not None:
            await _let_speak(program)
        _kill(program.pid)
        output, complaint = await reading
        code = await program.wait()
    finally:
        _kill(program.pid)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(reading, return_exceptions=True)
    return Ran(
        code=code,
        output=output,
        complaint=complaint.decode(errors="replace").strip()[-200:],
        stopped=stopped,
        moved_bytes=count(),
        lasted_s=time.monotonic() - began_s,
    )


async def _watch(program: asyncio.subprocess.Process, bounds: Bounds, count: Callable[[], int]) -> str | None:
    ends_s = time.monotonic() + bounds.seconds
    ending = asyncio.create_task(program.wait(), name="the program's end")
    try:
        while not (await asyncio.wait({ending}, timeout=_LOOK_EVERY_S))[0]:
            if count() > bounds.bytes:
                return "bytes"
            if time.monotonic() > ends_s:
                return "seconds"
    finally:
        ending.cancel()
    return None


async def _let_speak(program: asyncio.subprocess.Process) -> None:
    """Some say when they are asked to end what they have found until then; they get no time for more."""
    with contextlib.suppress(ProcessLookupError):
        program.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORD_S):
            await program.wait()


async def _read(stream: asyncio.StreamReader) -> bytes:
    """All it says, as far as that is bearable; the rest is read and thrown away."""
    found = b""
    while data := await stream.read(1 << 16):
        found = (found + data)[:_OUTPUT_BYTES]
    return found


def _bind(memory_bytes: int) -> None:
    """In the child: what it may have of memory, and of that for the stack of each thread."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, _STACK_BYTES))


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _counter(interface: str | None) -> Callable[[], int]:
    """How many bytes the interface has moved since."""

    def count() -> int:
        found = psutil.net_io_counters(pernic=True, nowrap=False).get(interface or "")
        return found.bytes_recv + found.bytes_sent if found is not None else 0

    before = count()
    return lambda: max(0, count() - before)
