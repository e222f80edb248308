# SPDX-License-Identifier: Apache-2.0
"""How is a device on a serial port asked, and how is a port left at once when it is gone?

with SerialPort("/dev/serial/by-id/usb-Quectel_EG25-G-if02-port0") as port:
    reply = AtPort(port).ask("AT+CSQ")

Ports are opened by their lasting names, locked for others (flock and TIOCEXCL), with a deadline on every
read and write; whatever the operating system complains of closes them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import serial

from agent.contract.reason import Reason
from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.protocols.at_commands import ESCAPE, WAKE, encoded
from firmware_bridge.reading import DeviceFailed, Unanswered

_WRITE_S = 2.0
_SLICE_S = 0.05
_DRAIN_S, _DRAIN_MOST_S = 0.15, 2.0
_ASK_S = 3.0
_MAX_SILENT = 3
_WAKE_TRIES, _WAKE_S = 3, 1.0
_READ_BYTES = 4096
_BUSY = frozenset({errno.EAGAIN, errno.EBUSY})


class SerialPort:
    """One open port.

    Attributes:
        path: as configured; better a link below /dev/serial than a ttyUSB whose number changes.
    """

    def __init__(self, path: str, *, baud: int = 115_200) -> None:
        """Open and lock it.

        Raises:
            DeviceFailed: it is not there, somebody else has it, or we may not.
        """
        self.path = path
        try:
            self._serial = serial.Serial(
                path, baud, timeout=_SLICE_S, write_timeout=_WRITE_S, exclusive=True, rtscts=False
            )
            # flock is only advice; this refuses the next open of anybody without CAP_SYS_ADMIN.
            fcntl.ioctl(self._serial.fileno(), termios.TIOCEXCL)
        except (OSError, ValueError, termios.error) as e:
            raise _failed_to_open(path, e) from e

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it, whatever state it is in."""
        with contextlib.suppress(OSError, termios.error):
            fcntl.ioctl(self._serial.fileno(), termios.TIOCNXCL)
        with contextlib.suppress(OSError, termios.error):
            self._serial.close()

    def read(self) -> bytes:
        """What has come, waiting at most a twentieth of a second for the first byte.

        Raises:
            DeviceFailed: the port is gone.
        """
        try:
            first: bytes = self._serial.read(1)
            more: bytes = self._serial.read(min(self._serial.in_waiting, _READ_BYTES)) if first else b""
        except (OSError, TypeError, termios.error) as e:
            raise self._gone(e) from e
        return first + more

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            DeviceFailed: the port is gone, or takes nothing.
        """
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as e:
            raise DeviceFailed(self.path, Reason.TIMEOUT, "the port takes no bytes") from e
        except (OSError, termios.error) as e:
            raise self._gone(e) from e

    def drain(self, quiet_s: float = _DRAIN_S) -> int:
        """Throw away what waits until nothing came for a while; how many bytes that were."""
        dropped, end_s = 0, time.monotonic() + _DRAIN_MOST_S
        quiet_until_s = time.monotonic() + quiet_s
        while time.monotonic() < min(quiet_until_s, end_s):
            if data := self.read():
                dropped += len(data)
                quiet_until_s = time.monotonic() + quiet_s
        return dropped

    def _gone(self, error: Exception) -> DeviceFailed:
        self.close()
        return DeviceFailed(self.path, Reason.GONE, f"the port went away: {error}")


class AtPort:
    """A modem's port for AT commands.

    Args:
        timeout_s: an answer that takes longer is waited for no longer.
        within_s: nothing is asked any more so long after this was made.
    """

    def __init__(self, port: SerialPort, *, timeout_s: float = _ASK_S, within_s: float = math.inf) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._end_s = time.monotonic() + within_s
        self._silent = 0

    def wake(self) -> None:
        """Get to a state in which commands are answered: end a half line, no echo, words, numeric errors.

        Raises:
            DeviceFailed: whatever is there does not answer `AT`.
        """
        self._port.write(WAKE)
        self._port.drain()
        for attempt in range(_WAKE_TRIES):
            with contextlib.suppress(Unanswered):
                self._exchange("AT", _WAKE_S)
                break
            if attempt == _WAKE_TRIES - 1:
                raise DeviceFailed(
                    self._port.path,
                    Reason.TIMEOUT,
                    "nothing answers AT here: try the modem's other ports, or see whether it hangs",
                )
            self._port.write(ESCAPE + WAKE)
            self._port.drain()
        for command in ("ATE0", "ATV1", "AT+CMEE=1"):
            self.ask(command)

    def ask(self, command: str) -> Reply:
        """Send one command and wait for how it ended.

        Raises:
            Unanswered: no end came in time.
            DeviceFailed: the port is gone, or too many questions were not answered.
            NotAllowed: the command is not one that only asks.
        """
        left_s = self._end_s - time.monotonic()
        if left_s <= 0 or self._silent >= _MAX_SILENT:
            raise DeviceFailed(self._port.path, Reason.TIMEOUT, "the modem has stopped answering")
        try:
            reply = self._exchange(command, min(self._timeout_s, left_s))
        except Unanswered:
            self._silent += 1
            raise
        self._silent = 0
        return reply

    def _exchange(self, command: str, within_s: float) -> Reply:
        data = encoded(command)
        # An answer that comes too late must not end the next exchange.
        self._port.drain(quiet_s=_DRAIN_S if self._silent else 0.0)
        exchange = Exchange(command)
        self._port.write(data)
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            reply = exchange.feed(self._port.read())
            if reply is not None:
                return reply
            if exchange.wants_escape:
                self._port.write(ESCAPE)
        raise Unanswered(self._port.path, Reason.TIMEOUT, f"no answer to {command} within {within_s:g} s")


def _failed_to_open(path: str, error: Exception) -> DeviceFailed:
    number = getattr(error, "errno", None)
    if not Path(path).exists():
        return DeviceFailed(
            path, Reason.NOT_PRESENT, "no such port: is the device plugged in and switched on?"
        )
    if number in _BUSY or "exclusively lock" in str(error):
        return DeviceFailed(
            path, Reason.BUSY, "somebody else has the port: ModemManager is asked instead where it runs"
        )
    if isinstance(error, PermissionError) or number == errno.EACCES:
        return DeviceFailed(
            path, Reason.NOT_PERMITTED, "may not be opened: put the agent's user into the group dialout"
        )
    if "Could not configure port" in str(error):
        return DeviceFailed(path, Reason.NOT_PRESENT, "is no serial port: name one of /dev/serial/by-id")
    return DeviceFailed(path, Reason.NOT_PRESENT, f"cannot be opened: {error}")
