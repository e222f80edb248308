# SPDX-License-Identifier: Apache-2.0
"""How do those who follow the journal learn that there is more of it?"""

from __future__ import annotations

import asyncio

from collector.segment import Position


class Growth:
    """Where the journal's committed part ends, and a bell that rings when it has grown.

    Attributes:
        committed: everything before it may be read.
    """

    def __init__(self, committed: Position) -> None:
        self.committed = committed
        self._grown = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Set at the next growth; ask before reading `committed`, wait after."""
        return self._grown

    def announce(self, committed: Position) -> None:
        """Wake everybody who waits."""
        self.committed = committed
        self._grown.set()
        self._grown = asyncio.Event()
