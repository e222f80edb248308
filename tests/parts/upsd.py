# SPDX-License-Identifier: Apache-2.0
"""A real upsd of Network UPS Tools with its driver for UPSes that are not there."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from pathlib import Path

from tests.parts.program import PartError, Program

# What Debian puts on the path looks into /etc/nut first.
SERVER, DRIVER = Path("/lib/nut/upsd"), Path("/lib/nut/dummy-ups")


class Upsd(Program):
    """One UPS that says what a file holds.

    Args:
        directory: for its files.
        says: lines `battery.charge: 100`.
    """

    name = "upsd"

    def __init__(self, directory: Path, says: str, *, port: int | None = None) -> None:
        super().__init__(directory, port=port)
        self._drivers: list[subprocess.Popen[bytes]] = []
        self._said = self.directory / "ups.dev"
        self._said.write_text(says)
        # Its users may not read what belongs to nobody.
        self.directory.chmod(0o755)

    def command(self) -> list[str]:
        """The server in the foreground; its driver is started first."""
        (self.directory / "ups.conf").write_text(
            f"[ups]\ndriver = dummy-ups\nport = {self._said}\nmode = dummy-once\n"
        )
        (self.directory / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {self.port}\nMAXAGE 4\n")
        (self.directory / "upsd.users").write_text("")
        for file in ("upsd.conf", "upsd.users", "ups.conf"):
            (self.directory / file).chmod(0o640)
        self.start_driver()
        places = [f"NUT_{name}PATH={self.directory}" for name in ("CONF", "STATE", "ALTPID")]
        return ["env", *places, str(SERVER), "-F", "-u", getpass.getuser()]

    def is_ready(self) -> bool:
        """The server has heard everything of the driver."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as link:
                link.sendall(b"LIST VAR ups\n")
                said = b""
                while b"END LIST" not in said and not said.startswith(b"ERR") and (more := link.recv(4096)):
                    said += more
        except OSError:
            return False
        return all(line.split(":")[0].encode() in said for line in self._said.read_text().splitlines())

    def start_driver(self) -> None:
        """What stands between the server and the UPS."""
        command = [str(DRIVER), "-F", "-a", "ups", "-u", getpass.getuser()]
        places = {f"NUT_{name}PATH": str(self.directory) for name in ("CONF", "STATE", "ALTPID")}
        with self.log_path.open("ab") as log:
            driver = subprocess.Popen(command, env={**os.environ, **places}, stdout=log, stderr=log)
        self._drivers.append(driver)
        end_s = time.monotonic() + 10
        while not (self.directory / "dummy-ups-ups").exists():
            if time.monotonic() > end_s or driver.poll() is not None:
                raise PartError(f"dummy-ups does not start: {self.log}")
            time.sleep(0.05)

    def kill9(self) -> None:
        """The driver too."""
        self.lose_ups()
        super().kill9()

    def lose_ups(self) -> None:
        """As when its cable is pulled."""
        for driver in self._drivers:
            driver.kill()
            driver.wait()
        self._drivers = []

    def stop(self) -> None:
        """The server, then its driver."""
        super().stop()
        self.lose_ups()
