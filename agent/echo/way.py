# SPDX-License-Identifier: Apache-2.0
"""By which way are hosts beyond the LAN asked, as far as this device knows by now?

The watch for outages finds out whether echoes are filtered or rationed on the way, and when no longer; the
probes do as it does, or rationed echoes would be told as loss.
"""

from __future__ import annotations

import math
from typing import Literal

Way = Literal["echo", "connection"]
"""How a host is asked."""


_WINDOW_S = 600.0
_LONG_S = 0.2
_NEAR_TIMES = 1 / 3


class FarWay:
    """What holds for the whole device.

    Attributes:
        now: by which way hosts beyond the LAN are asked.
    """

    def __init__(self) -> None:
        self.now: Way = "echo"
        self._window_s = -math.inf
        self._least_s = self._least_before_s = math.inf

    def heard(self, rtt_s: float, at_s: float) -> None:
        """An anchor answered an echo; the monotonic clock says when."""
        self._turn(at_s)
        self._least_s = min(self._least_s, rtt_s)

    def is_too_near(self, rtt_s: float, at_s: float) -> bool:
        """Whether a handshake cannot have come from an anchor: echoes took much longer these ten minutes.

        Only a long way (a satellite) has accelerators. A way that became shorter in the meantime, as after a
        change to another link, is believed when the old echoes are forgotten.
        """
        self._turn(at_s)
        least_s = min(self._least_s, self._least_before_s)
        return _LONG_S <= least_s < math.inf and rtt_s < _NEAR_TIMES * least_s

    def _turn(self, at_s: float) -> None:
        if at_s - self._window_s < _WINDOW_S:
            return
        is_next = at_s - self._window_s < 2 * _WINDOW_S
        self._least_before_s = self._least_s if is_next else math.inf
        self._least_s, self._window_s = math.inf, at_s


FAR = FarWay()
