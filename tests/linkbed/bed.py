# SPDX-License-Identifier: Apache-2.0
"""How does a test get a school's way to the internet whose truth is known?

    with Bed() as bed:
        bed.apply(Link(rate_bps=10_000_000, rtt_ms=50, loss_ratio=0.01, up={"rate_bps": 1_000_000}))
        bed.script([(2.0, Cut("operator")), (7.5, Mend("operator"))])
        bed.run("school", ["ping", "-c", "20", "1.1.1.1"])
        bed.truth().events

From a shell: `python -m tests.linkbed --help`. Needs root, ip(8), a C compiler and /dev/net/tun. Nothing
of the machine's own network is touched.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.linkbed import namespace, place
from tests.linkbed.change import Change, Link
from tests.linkbed.program import Program
from tests.linkbed.truth import Truth

TREE = Path(__file__).resolve().parents[2]
_ROUTERS = ("router", "modem", "operator")
_NUMBERS = itertools.count(1)
_CLOSED_PORT = 9
_START_S = 10.0


class Bed:
    """School, pupil, router, modem, link, operator and internet; all of it gone at the end.

    Attributes:
        rooms: namespace by room (`tests.linkbed.place.ROOMS`).
        keeps_packets: the truth has every packet in it, not only counters.
        seed: the same seed loses the same packets.
    """

    def __init__(self, *, keeps_packets: bool = False, seed: int = 1, serves: bool = True) -> None:
        number = next(_NUMBERS)
        self.rooms = {room: f"{namespace.PREFIX}{os.getpid()}-{number}-{room}" for room in place.ROOMS}
        self.keeps_packets = keeps_packets
        self.seed = seed
        self._serves = serves
        self._folder = tempfile.TemporaryDirectory(prefix=namespace.PREFIX)
        self._programs: list[subprocess.Popen[str]] = []
        self._link: Program | None = None

    def __enter__(self) -> Self:
        namespace.sweep()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.kill()
            program.communicate()
        if self._link is not None:
            self._link.stop()
        for name in self.rooms.values():
            namespace.remove(name)
        self._folder.cleanup()

    def apply(self, *changes: Change) -> None:
        """Make these changes; they have been made when this returns."""
        for change in changes:
            self.link.plan(change)
        self.link.counters()

    def script(self, steps: Iterable[tuple[float, Change]]) -> int:
        """Have changes made so many seconds from now, to the microsecond, while the test goes on.

        Returns:
            The moment from which they are counted, in nanoseconds of the monotonic clock.
        """
        begin_ns = time.monotonic_ns()
        for at_s, change in steps:
            self.link.plan(change, at_ns=begin_ns + round(at_s * 1e9))
        return begin_ns

    def truth(self) -> Truth:
        """What really happened until now."""
        return self.link.truth()

    @property
    def link(self) -> Program:
        """The running link program."""
        assert self._link is not None, "the bed is used outside its `with`"
        return self._link

    def inside(self, room: str, command: Sequence[str]) -> list[str]:
        """The command line that runs a command in a room."""
        return ["ip", "netns", "exec", self.rooms[room], *command]

    def run(self, room: str, command: Sequence[str], **options: Any) -> str:
        """Run a command in a room that must succeed; its output."""
        done = subprocess.run(
            self.inside(room, command), cwd=TREE, capture_output=True, text=True, check=False, **options
        )
        if done.returncode:
            raise RuntimeError(f"{command} in {room}: {done.returncode}\n{done.stderr}")
        return str(done.stdout)

    def start(self, room: str, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program in a room; it ends with the bed."""
        program = subprocess.Popen(self.inside(room, command), cwd=TREE, text=True, **options)
        self._programs.append(program)
        return program

    def wait_for_way(self, room: str, host: str) -> None:
        """Until the room reaches a host of the internet.

        After a start, and after a cut of a cable, a bridge needs a second or so until it has a carrier.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        give_up_s = time.monotonic() + _START_S
        while True:
            with namespace.open_socket(self.rooms[room], family, socket.SOCK_STREAM) as knock:
                knock.settimeout(0.1)
                try:
                    knock.connect((host, _CLOSED_PORT))
                except ConnectionRefusedError:
                    return
                except OSError as e:
                    if time.monotonic() > give_up_s:
                        raise RuntimeError(f"no way from {room} to {host}") from e

    def _build(self) -> None:
        for name in self.rooms.values():
            namespace.add(name)
        namespace.ip("-batch", "-", commands=place.links(self.rooms))
        self._link = Program(
            Path(self._folder.name) / "truth.log",
            self._arguments(),
            keeps_packets=self.keeps_packets,
            seed=self.seed,
        )
        for end in (place.NEAR, place.FAR):
            # A burst of a fast sender waits in the emulated queue, not in the device's.
            # Without a link-local address it sends nothing of its own: an idle link is silent.
            options = ("txqueuelen", "20000", "addrgenmode", "none")
            namespace.ip("-n", self.rooms[end[0]], "link", "set", end[1], *options)
        self._furnish()
        self.apply(Link())
        for room in ("school", "pupil"):
            for host in place.WEB:
                self.wait_for_way(room, host)
        if self._serves:
            self._start_servers()

    def _furnish(self) -> None:
        for room, name in self.rooms.items():
            namespace.ip("-n", name, "-batch", "-", commands=place.inside(room))
        for room in _ROUTERS:
            namespace.forward(self.rooms[room])
        for room in ("school", "pupil"):
            namespace.write_resolvers(self.rooms[room], place.RESOLVERS[:1])

    def _arguments(self) -> list[str]:
        ends = [f"{self.rooms[room]}:{device}" for room, device in (place.NEAR, place.FAR)]
        places = [f"{name}={self.rooms[room]}:{device}" for name, (room, device) in place.INTERFACES.items()]
        return [*ends, ",".join(place.FIRST_HOP), *places]

    def _start_servers(self) -> None:
        servers = self.start(
            "internet", [sys.executable, "-m", "tests.linkbed.internet"], stdout=subprocess.PIPE
        )
        assert servers.stdout is not None
        if servers.stdout.readline() != "ready\n":
            raise RuntimeError("the internet's servers did not start")
