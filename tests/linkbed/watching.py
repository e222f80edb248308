# SPDX-License-Identifier: Apache-2.0
"""What does the outage watcher tell while a script cuts and mends the bed, beside what was really done?

The truth of a cut on the link is the link program's; of one that takes an interface down, whose bridge needs
a moment to come back, it is an echo each 20 ms that nobody but the test sends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agent.contract.decoder import decode
from agent.outage.flapping import Flapping
from agent.outage.options import OutageOptions
from agent.outage.outage import Outage
from agent.outage.watcher import Watcher
from tests.linkbed import namespace, place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Cut, Mend

_STREAM_EVERY_S = 0.02
STREAM_ID = 0x5151
_MARGIN_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One change as the watcher told it; times in seconds of the monotonic clock."""

    at_s: float
    number: int
    scope: str
    cause: str
    evidence: str
    opened_s: float
    opened_resolution_s: float | None
    closed_s: float | None
    closed_resolution_s: float | None

    @property
    def is_closed(self) -> bool:
        return self.closed_s is not None


@dataclass(frozen=True, slots=True)
class Dead:
    """A stretch of time in which a place was dead."""

    place: str
    from_s: float
    until_s: float

    @property
    def lasted_s(self) -> float:
        return self.until_s - self.from_s


class Watching:
    """A watcher that runs in a room of the bed."""

    def __init__(self, bed: Bed, room: str = "school", **options: Any) -> None:
        command = [sys.executable, "-m", "tests.linkbed.watching", json.dumps(options)]
        self._program = bed.start(room, command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert self._program.stdout is not None
        if self._program.stdout.readline() != "watching\n":
            raise RuntimeError("the watcher did not start")

    def stop(self) -> list[Told]:
        """End it; everything it told."""
        told, _ = self._program.communicate("", timeout=20)
        return [Told(**json.loads(line)) for line in told.splitlines()]


def script(bed: Bed, cuts: Sequence[Dead]) -> float:
    """Have the bed cut and mend these places; the moment from which their seconds are counted."""
    steps = [(c.from_s, Cut(c.place)) for c in cuts] + [(c.until_s, Mend(c.place)) for c in cuts]
    return bed.script(sorted(steps, key=lambda step: step[0])) / 1e9


@contextmanager
def stream(bed: Bed, host: str = place.ANCHORS[0]) -> Iterator[list[tuple[float, float | None]]]:
    """Meanwhile, an echo each 20 ms: when it was sent, and when answered."""
    sent: list[tuple[float, float | None]] = []
    arguments = (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with namespace.open_socket(bed.rooms["school"], *arguments) as sock:
        stop = threading.Event()
        threads = [
            threading.Thread(target=_send, args=(sock, host, sent, stop)),
            threading.Thread(target=_read, args=(sock, sent, stop)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield sent
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def silence(sent: Sequence[tuple[float, float | None]], about: Dead) -> Dead:
    """From the last answer that came through to the first request that did, of a place on the near side.

    A router holds requests back while it looks for a neighbour that is down, so the arrival counts.
    """
    answered = [(at_s, back_s) for at_s, back_s in sent if back_s is not None]
    rtt_s = min(back_s - at_s for at_s, back_s in answered)
    before_s = max(back_s for _, back_s in answered if back_s < about.from_s + _MARGIN_S)
    after_s = min(back_s for _, back_s in answered if back_s > about.until_s - _MARGIN_S)
    return Dead(about.place, before_s, after_s - rtt_s)


def _send(
    sock: socket.socket, host: str, sent: list[tuple[float, float | None]], stop: threading.Event
) -> None:
    while not stop.wait(_STREAM_EVERY_S):
        seq = len(sent) & 0xFFFF
        total = 0x0800 + STREAM_ID + seq
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        sent.append((time.monotonic(), None))
        head = b"\x08\0" + checksum.to_bytes(2, "big") + STREAM_ID.to_bytes(2, "big") + seq.to_bytes(2, "big")
        try:
            sock.sendto(head, (host, 0))
        except OSError:
            continue


def _read(sock: socket.socket, sent: list[tuple[float, float | None]], stop: threading.Event) -> None:
    sock.settimeout(0.1)
    while not stop.is_set():
        try:
            answer = sock.recv(256)[20:]
        except OSError:
            continue
        seq = int.from_bytes(answer[6:8], "big")
        if answer[:1] == b"\0" and answer[4:6] == STREAM_ID.to_bytes(2, "big") and seq < len(sent):
            sent[seq] = (sent[seq][0], time.monotonic())


def _plain(outage: Outage) -> str:
    told = Told(
        at_s=time.monotonic(),
        number=outage.number,
        scope=outage.scope,
        cause=outage.cause,
        evidence=outage.evidence,
        opened_s=outage.opened.at_s,
        opened_resolution_s=outage.opened.resolution_s,
        closed_s=None if outage.closed is None else outage.closed.at_s,
        closed_resolution_s=None if outage.closed is None else outage.closed.resolution_s,
    )
    return json.dumps(dataclasses.asdict(told))


async def _watch(options: OutageOptions) -> None:
    # A script has more outages in a few minutes than are told one by one.
    each = Flapping(many=1000)
    watcher = Watcher(options, lambda outage: print(_plain(outage), flush=True), flapping=each)
    task = asyncio.create_task(watcher.run())
    print("watching", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    task.cancel()


if __name__ == "__main__":
    asyncio.run(_watch(decode(OutageOptions, json.loads(sys.argv[1]), strict=True)))
