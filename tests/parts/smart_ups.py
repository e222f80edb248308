# SPDX-License-Identifier: Apache-2.0
"""An APC Smart-UPS behind a pty, as far as apcupsd asks it (UPS-Link protocol)."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from pathlib import Path
from typing import Self

_CAN = "3.!$%+?=#|.\x01ABCDEFGKLMNOPQRSUVWXYZ/789>acdefgjklmnopqrstuxyz~"
_SAYS = {
    "Y": "SM",
    "Q": "08",
    "\x01": "Smart-UPS 1000",
    "a": _CAN,
    "b": "652.13.I",
    "V": "652.13.I",
    "L": "230.0",
    "B": "27.4",
    "f": "100.0",
    "P": "014.5",
    "j": "0044:",
    "C": "039.6",
    "n": "000000000000",
}


class SmartUps:
    """Answers at `path` until its block ends."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        os.close(self._ours)
        os.close(self._theirs)

    def _serve(self) -> None:
        while not self._ends.is_set():
            if select.select([self._ours], [], [], 0.05)[0]:
                for letter in os.read(self._ours, 256).decode("latin-1"):
                    os.write(self._ours, f"{_SAYS.get(letter, 'NA')}\r\n".encode())


def configuration(device: str, port: int, folder: Path) -> str:
    """Of an apcupsd that does nothing but look."""
    places = ("LOCKFILE", "PWRFAILDIR", "NOLOGINDIR", "SCRIPTDIR")
    lines = [
        "## apcupsd.conf v1.1 ##",
        "UPSCABLE smart",
        "UPSTYPE apcsmart",
        f"DEVICE {device}",
        "NETSERVER on",
        "NISIP 127.0.0.1",
        f"NISPORT {port}",
        f"EVENTSFILE {folder}/events",
        f"STATFILE {folder}/status",
        "TIMEOUT 0",
        *(f"{place} {folder}" for place in places),
    ]
    return "\n".join(lines) + "\n"
