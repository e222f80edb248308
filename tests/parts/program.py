# SPDX-License-Identifier: Apache-2.0
"""How does a test run a real server: free port, own directory, ready before use, dead afterwards?"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.setup.parts import PATH

START_S = 30.0
STOP_S = 10.0


class PartError(RuntimeError):
    """A real part did not start; carries the end of its log."""


class Program:
    """One server process on a port of 127.0.0.1; the same port and directory over restarts.

    Attributes:
        port: where it listens.
        directory: its configuration and data.
        log_path: what it wrote to stdout and stderr, over all starts.
    """

    name = "program"

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.directory = directory / f"{self.name}-{self.port}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command line; writes the configuration it names."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the program answers; asked again and again after the start."""
        return accepts(self.port)

    @property
    def url(self) -> str:
        """Root of its HTTP interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running program."""
        return self._running().pid

    @property
    def log(self) -> str:
        """Everything it has logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> Self:
        """Start and wait until it answers."""
        command = self.command()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log)
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill9()
            raise
        return self

    def stop(self) -> None:
        """Ask it to end, and wait; harmless when it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        self.kill9()

    def kill9(self) -> None:
        """End it at once, as a power cut would; harmless when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Start again after `stop` or `kill9` (or stop first), same port, same data."""
        self.stop()
        self.start()

    def signal(self, number: int) -> None:
        """Send a signal, such as SIGSTOP for a server that hangs."""
        self._running().send_signal(number)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill9()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise PartError(f"{self.name} is not running")
        return self._process

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while not self.is_ready():
            code = self._running().poll()
            if code is not None or time.monotonic() > deadline:
                raise PartError(f"{self.name} did not start (exit code {code}):\n{self.log[-3000:]}")
            time.sleep(0.02)


def find(program: str) -> str:
    """Path of a program that a Debian package installs."""
    path = shutil.which(program, path=PATH)
    if path is None:
        raise PartError(f"{program} is not installed; the tests need the Debian package that has it")
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
