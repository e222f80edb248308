# SPDX-License-Identifier: Apache-2.0
"""How do messages get from the network's thread into the event loop without either waiting for the other?

Limited in messages and bytes. What does not fit is not taken; since nothing of it is acknowledged, its
agent sends it again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from collector.message import Message

MAX_MESSAGES = 20_000
MAX_BYTES = 128 * 1024 * 1024


class Inbox:
    """Filled by `offer` from any thread, emptied by `take` in the loop it was made in."""

    def __init__(self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._is_closed = False
        self._filled = asyncio.Event()

    def offer(self, message: Message) -> bool:
        """Put a message in; False when there is no room, or nobody takes any more."""
        size = len(message.payload)
        with self._lock:
            has_room = len(self._messages) < self._max_messages and self._bytes + size <= self._max_bytes
            if self._is_closed or not has_room:
                return False
            self._messages.append(message)
            self._bytes += size
            if len(self._messages) == 1:
                self._loop.call_soon_threadsafe(self._filled.set)
        return True

    def close(self) -> None:
        """Take nothing more in; what is in can still be taken out."""
        with self._lock:
            self._is_closed = True
            self._filled.set()

    async def take(self, at_most: int) -> list[Message]:
        """The oldest messages, at least one; none once it is closed and empty."""
        await self._filled.wait()
        with self._lock:
            taken = [self._messages.popleft() for _ in range(min(at_most, len(self._messages)))]
            self._bytes -= sum(len(message.payload) for message in taken)
            if not self._messages and not self._is_closed:
                self._filled.clear()
        return taken
