# SPDX-License-Identifier: Apache-2.0
"""By which way are hosts beyond the LAN asked, as far as this device knows by now?

The watch for outages finds out whether echoes are filtered or rationed on the way, and when no longer; the
probes do as it does, or rationed echoes would be told as loss.
"""

from __future__ import annotations

from typing import Literal

Way = Literal["echo", "connection"]
"""How a host is asked."""


class FarWay:
    """What holds for the whole device."""

    def __init__(self) -> None:
        self.now: Way = "echo"


FAR = FarWay()
