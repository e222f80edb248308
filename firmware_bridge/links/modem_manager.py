# SPDX-License-Identifier: Apache-2.0
"""How is a modem asked that ModemManager has taken? By ModemManager's own tool, mmcli; never by its port.

mmcli only reads here. It runs as a program of its own: one that hangs is killed and costs nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from agent.contract.reason import Reason
from firmware_bridge.reading import DeviceFailed

_MMCLI_S = 10.0
_MAX_BYTES = 256 * 1024


class ModemManager:
    """The modems that ModemManager knows of."""

    def __init__(self, program: str = "mmcli") -> None:
        self._program = program

    @property
    def is_here(self) -> bool:
        """Whether its tool is installed."""
        return shutil.which(self._program) is not None

    def modem_of(self, port: str) -> dict[str, Any] | None:
        """What it says of the modem that this port belongs to; None when it knows none.

        Raises:
            DeviceFailed: it does not answer, or not in JSON.
        """
        name = os.path.basename(os.path.realpath(port))  # noqa: PTH119 -- a link's end need not exist
        for path in self._paths(port):
            modem = _table(self._ask(port, "--modem", path).get("modem"))
            generic = _table(modem.get("generic"))
            ports = generic.get("ports")
            if isinstance(ports, list) and any(str(p).split(" ")[0] == name for p in ports):
                return {**modem, "signal": self._signal(port, path)}
        return None

    def _paths(self, port: str) -> list[str]:
        listed = self._ask(port, "--list-modems").get("modem-list")
        return [str(path) for path in listed] if isinstance(listed, list) else []

    def _signal(self, port: str, path: str) -> Any:
        told = self._ask(port, "--modem", path, "--signal-get").get("modem")
        return told.get("signal") if isinstance(told, dict) else None

    def _ask(self, port: str, *words: str) -> dict[str, Any]:
        command = [self._program, "--output-json", *words]
        try:
            ran = subprocess.run(command, capture_output=True, timeout=_MMCLI_S, check=False)
            plain = json.loads(ran.stdout[:_MAX_BYTES] or b"{}") if ran.returncode == 0 else {}
        except subprocess.TimeoutExpired as e:
            raise DeviceFailed(port, Reason.TIMEOUT, f"mmcli says nothing within {_MMCLI_S:g} s") from e
        except OSError as e:
            raise DeviceFailed(port, Reason.NOT_PRESENT, f"mmcli cannot be run: {e}") from e
        except (ValueError, RecursionError) as e:
            raise DeviceFailed(port, Reason.BAD_ANSWER, "mmcli wrote no JSON") from e
        return plain if isinstance(plain, dict) else {}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
