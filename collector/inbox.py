# SPDX-License-Identifier: Apache-2.0
"""How do messages get from the network's thread into the event loop without either waiting for the other?

Limited in messages and bytes, as a whole and for each sender, and taken out one sender after the other: who
sends more than its share waits behind nobody but itself, and loses nothing but its own. A sender's rate is
limited as well, so that a flood is turned away before it costs the time the others need; and so is what a
group may cost, since all others wait for its end. What does not fit is not taken; since nothing of it is
acknowledged, its agent sends it again.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from collector.message import Message

MAX_MESSAGES = 20_000
MAX_BYTES = 128 * 1024 * 1024
SENDER_MESSAGES = 64
SENDER_BYTES = 8 * 1024 * 1024
SENDER_PER_S = 50.0
"""An agent has a handful of batches under way; these are more than it ever sends."""
MESSAGE_CPU_S = 0.01
"""What a message may cost to count as one; the largest that an agent sends takes half of it."""

_SENDERS_REMEMBERED = 50_000


@dataclass(slots=True)
class _Queue:
    """What one sender has waiting."""

    messages: deque[Message] = field(default_factory=deque)
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Spent:
    """How much of its allowance a sender had used at a time."""

    messages: float
    at_s: float


class Inbox:
    """Filled by `offer` from any thread, emptied by the groups that `take` gives in the loop it was made in.

    Attributes:
        charged_s: seconds of the processor that messages have cost so far.
    """

    def __init__(
        self,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        sender_messages: int = SENDER_MESSAGES,
        sender_bytes: int = SENDER_BYTES,
        sender_per_s: float = SENDER_PER_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = max_messages, max_bytes
        self._most_of_one = sender_messages, sender_bytes
        self._sender_per_s = sender_per_s
        self._now_s = now_s
        self._spent: OrderedDict[str, _Spent] = OrderedDict()
        self._lock = threading.Lock()
        self._queues: OrderedDict[str, _Queue] = OrderedDict()
        self.charged_s = 0.0
        self._count = 0
        self._bytes = 0
        self._is_closed = False
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return self._count

    def has_room(self, topic: str, size: int) -> bool:
        """Whether a message would be taken; for who does not want to make it in vain."""
        queue = self._queues.get(topic)
        mine = (0, 0) if queue is None else (len(queue.messages), queue.bytes)
        return not self._is_closed and all(
            (
                self._count < self._most[0],
                self._bytes + size <= self._most[1],
                mine[0] < self._most_of_one[0],
                mine[1] + size <= self._most_of_one[1] or not mine[0],
                self._spent_by(topic) + 1 <= self._most_of_one[0],
            )
        )

    def _spent_by(self, topic: str) -> float:
        """Messages a sender has not yet been given back."""
        spent = self._spent.get(topic)
        if spent is None:
            return 0.0
        return max(0.0, spent.messages - (self._now_s() - spent.at_s) * self._sender_per_s)

    def _spend(self, topic: str, messages: float = 1) -> None:
        self._spent[topic] = _Spent(self._spent_by(topic) + messages, self._now_s())
        self._spent.move_to_end(topic)
        if len(self._spent) > _SENDERS_REMEMBERED:
            self._spent.popitem(last=False)

    def offer(self, message: Message) -> bool:
        """Put a message in; False when there is no room, or nobody takes any more."""
        size = len(message.payload)
        with self._lock:
            if not self.has_room(message.topic, size):
                return False
            self._spend(message.topic)
            queue = self._queues.setdefault(message.topic, _Queue())
            queue.messages.append(message)
            queue.bytes += size
            self._count, self._bytes = self._count + 1, self._bytes + size
            if self._count == 1:
                self._loop.call_soon_threadsafe(self._filled.set)
        return True

    def charge(self, topic: str, cpu_s: float) -> None:
        """A message of this sender took so long to understand: more than its share counts as several."""
        with self._lock:
            self.charged_s += cpu_s
            self._spend(topic, max(0.0, cpu_s / MESSAGE_CPU_S - 1))

    def close(self) -> None:
        """Take nothing more in; what is in can still be taken out."""
        with self._lock:
            self._is_closed = True
            self._filled.set()

    async def take(self, at_most: int, cpu_s: float = math.inf) -> Group | None:
        """The next group, once there is a message; None once it is closed and empty."""
        while not self._count and not self._is_closed:
            self._filled.clear()
            await self._filled.wait()
        return Group(self, at_most, cpu_s) if self._count else None

    def next(self) -> Message | None:
        """The oldest message of the sender whose turn it is; its next turn comes after all others'."""
        with self._lock:
            return self._next() if self._count else None

    def _next(self) -> Message:
        topic, queue = self._queues.popitem(last=False)
        message = queue.messages.popleft()
        queue.bytes -= len(message.payload)
        if queue.messages:
            self._queues[topic] = queue
        self._count, self._bytes = self._count - 1, self._bytes - len(message.payload)
        return message


class Group:
    """Messages of each sender in turn, taken out one by one until so many are, or have cost so much.

    What a message costs is known only once it is understood. Who comes in meanwhile has its turn in this
    group or the next, behind one message of each other sender. Iterated once, in any thread.

    Attributes:
        count: messages taken out.
    """

    def __init__(self, inbox: Inbox, at_most: int, cpu_s: float) -> None:
        self._inbox = inbox
        self._at_most = at_most
        self._until_s = inbox.charged_s + cpu_s
        self.count = 0

    def __iter__(self) -> Iterator[Message]:
        while self.count < self._at_most and (not self.count or self._inbox.charged_s < self._until_s):
            message = self._inbox.next()
            if message is None:
                return
            self.count += 1
            yield message
