# SPDX-License-Identifier: Apache-2.0
"""A modem behind a pty that answers as it was recorded, and misbehaves as modems do."""

from __future__ import annotations

import json
import os
import pty
import random
import select
import stat
import threading
import time
import tty
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from firmware_bridge.links.modem_manager import ModemManager
from tests.drivers.transcript import FOLDER, load

MMCLI = FOLDER.parent / "mmcli"
_BOOT = b"\xff\x00\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n"
_URC = b"\r\n+CREG: 1\r\n\r\n^RSSI:18\r\n"


class PtyModem:
    """Answers at `path` until its block ends.

    Args:
        echo: commands come back.
        dribble: answers come a few bytes at a time.
        urc_ratio: how often an unsolicited report comes before an answer.
        mute: commands that are never answered; all of them with "*".
        late_s: answers that come only after so long, by command.
        resets_at: the command in whose answer the modem starts anew, once; it echoes again then.
        swaps: what stands in the recording, and what the modem says instead.
    """

    def __init__(
        self,
        name: str,
        *,
        echo: bool = True,
        dribble: bool = False,
        urc_ratio: float = 0.0,
        mute: frozenset[str] = frozenset(),
        late_s: Mapping[str, float] | None = None,
        resets_at: str = "",
        swaps: Mapping[str, str] | None = None,
    ) -> None:
        self._recorded = load(name)
        self._echo, self._dribble, self._urc_ratio, self._mute = echo, dribble, urc_ratio, mute
        self._swaps = swaps or {}
        self._late_s = late_s or {}
        self._resets_at = resets_at
        self._dice = random.Random(1)
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self.asked: list[str] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for end in (self._ours, self._theirs):
            if end >= 0:
                os.close(end)

    def unplug(self) -> None:
        """Gone, as a modem that resets."""
        self._ends.set()
        self._thread.join()
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = self._theirs = -1

    def _serve(self) -> None:
        waiting = b""
        while not self._ends.is_set():
            ready, _, _ = select.select([self._ours], [], [], 0.02)
            if ready:
                waiting += os.read(self._ours, 4096)
            while b"\r" in waiting:
                command, _, waiting = waiting.partition(b"\r")
                self._answer(command.strip(b"\n\x1b").decode("ascii", "replace"))

    def _answer(self, command: str) -> None:
        if not command:
            return
        self.asked.append(command)
        if command in self._mute or "*" in self._mute:
            return
        time.sleep(self._late_s.get(command, 0.0))
        answer = self._recorded.bytes_of(command) or b"\r\nERROR\r\n"
        for old, new in self._swaps.items():
            answer = answer.replace(old.encode(), new.encode())
        if command == self._resets_at:
            self._resets_at, self._echo = "", True
            self._say(answer[: len(answer) // 2] + _BOOT)
            return
        if self._echo:
            answer = command.encode() + b"\r" + answer
        if self._dice.random() < self._urc_ratio:
            answer = _URC + answer
        if command == "ATE0":
            self._echo = False
        self._say(answer)

    def _say(self, answer: bytes) -> None:
        size = 3 if self._dribble else len(answer)
        for at in range(0, len(answer), size):
            os.write(self._ours, answer[at : at + size])
            if self._dribble:
                time.sleep(0.0005)


def mmcli(folder: Path, fixture: str, port: str) -> ModemManager:
    """A program that answers as mmcli was recorded to, for a modem with this port."""
    told = json.loads((MMCLI / fixture).read_text())
    told["generic"]["ports"].append(f"{Path(port).resolve().name} (at)")
    signal = told.pop("signal")
    (folder / "modem.json").write_text(json.dumps({"modem": told}))
    (folder / "signal.json").write_text(json.dumps({"modem": {"signal": signal}}))
    program = folder / "mmcli"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
*--list-modems*) echo '{{"modem-list":["{told["dbus-path"]}"]}}' ;;
*--signal-get*) cat {folder}/signal.json ;;
*--modem*) cat {folder}/modem.json ;;
esac
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return ModemManager(str(program))
