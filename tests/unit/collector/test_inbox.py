# SPDX-License-Identifier: Apache-2.0
"""Do messages pass from thread to loop in order, within limits?"""

from __future__ import annotations

import asyncio
import math

import pytest

from agent.contract import topics
from collector.inbox import MESSAGE_CPU_S, Inbox
from collector.message import Message
from tests.unit.collector.samples import message


async def next_group(inbox: Inbox, at_most: int) -> list[Message]:
    """The next group's messages."""
    return list(await inbox.take(at_most) or ())


async def test_messages_come_out_in_the_order_they_went_in() -> None:
    inbox = Inbox(sender_messages=100)
    sent = [message(bytes([n])) for n in range(100)]

    await asyncio.to_thread(lambda: [inbox.offer(m) for m in sent])

    assert await next_group(inbox, 60) + await next_group(inbox, 60) == sent


async def test_who_waits_is_woken() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(next_group(inbox, 10))
    await asyncio.sleep(0)
    await asyncio.to_thread(inbox.offer, message(b"a"))

    assert len(await waiting) == 1


async def test_what_does_not_fit_is_not_taken() -> None:
    by_number, by_bytes = Inbox(max_messages=2), Inbox(max_bytes=5)

    assert [by_number.offer(message(b"")) for _ in range(3)] == [True, True, False]
    assert [by_bytes.offer(message(b"12")) for _ in range(3)] == [True, True, False]


async def test_room_taken_out_can_be_filled_again() -> None:
    inbox = Inbox(max_messages=1, max_bytes=2)
    for _ in range(3):
        assert inbox.offer(message(b"12"))
        assert len(await next_group(inbox, 10)) == 1


async def test_a_closed_inbox_is_emptied_and_then_says_so() -> None:
    inbox = Inbox()
    inbox.offer(message(b"a"))
    inbox.close()

    assert not inbox.offer(message(b"b"))
    assert [len(await next_group(inbox, 10)) for _ in range(3)] == [1, 0, 0]


async def test_closing_wakes_who_waits() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(next_group(inbox, 10))
    await asyncio.sleep(0)
    inbox.close()

    assert await waiting == []


async def test_a_flood_of_one_sender_waits_behind_itself() -> None:
    inbox = Inbox(sender_messages=10)
    taken = [inbox.offer(message(b"flood")) for _ in range(1000)]
    assert inbox.offer(message(b"small", topic=topics.up("kz-2")))

    assert (taken.count(True), len(inbox)) == (10, 11)
    assert b"small" in [m.payload for m in await next_group(inbox, 2)]


async def test_senders_take_turns_and_each_keeps_its_order() -> None:
    inbox = Inbox()
    for n in range(3):
        for device in ("kz-1", "kz-2"):
            inbox.offer(message(bytes([n]), topic=topics.up(device)))

    taken = [(m.topic == topics.up("kz-1"), m.payload[0]) for m in await next_group(inbox, 6)]
    assert taken == [(True, 0), (False, 0), (True, 1), (False, 1), (True, 2), (False, 2)]


async def test_a_sender_that_goes_on_and_on_is_given_so_much_a_second() -> None:
    now_s = 0.0
    inbox = Inbox(sender_messages=10, sender_per_s=2, now_s=lambda: now_s)
    taken = 0
    for tick in range(100):
        now_s = tick / 10
        taken += sum(inbox.offer(message(b"flood")) for _ in range(50))
        if len(inbox):
            await next_group(inbox, 100)

    assert 10 + 2 * 9 <= taken <= 10 + 2 * 10


async def test_a_sender_whose_messages_cost_much_is_given_fewer() -> None:
    inbox = Inbox(sender_messages=10, sender_per_s=2, now_s=lambda: 0.0)
    assert inbox.offer(message(b"heavy"))
    inbox.charge(message(b"").topic, 6 * MESSAGE_CPU_S)

    assert [inbox.offer(message(b"more")) for _ in range(6)] == [True] * 4 + [False] * 2
    assert inbox.offer(message(b"small", topic=topics.up("kz-2")))


async def test_a_message_that_costs_little_counts_as_one() -> None:
    inbox = Inbox(sender_messages=2, now_s=lambda: 0.0)
    assert inbox.offer(message(b"first"))
    inbox.charge(message(b"").topic, 0.0)

    assert [inbox.offer(message(b"more")) for _ in range(2)] == [True, False]


HEAVY_S = 1 / 16
"""What a message of the heavy sender costs, on the clock of these tests."""


async def _waited_s(cpu_s: float, *, joins_after: int) -> float:
    """From when a small message comes in, while a heavy sender's are understood, until its group is whole."""
    inbox, small = Inbox(sender_messages=64), message(b"small", topic=topics.up("kz-2"))
    while inbox.offer(message(b"heavy")):
        pass
    understood = 0
    while group := await inbox.take(500, cpu_s):
        arrived = []
        for arrival in group:
            arrived.append(arrival)
            if arrival is not small:
                inbox.charge(arrival.topic, HEAVY_S)
                understood += 1
                if understood == joins_after:
                    assert inbox.offer(small)
        if small in arrived:
            return (understood - joins_after) * HEAVY_S
    raise AssertionError("it never came")


@pytest.mark.parametrize("joins_after", range(1, 60))
async def test_nobody_waits_for_more_than_a_groups_cost_and_one_message(joins_after: int) -> None:
    assert await _waited_s(2 * HEAVY_S, joins_after=joins_after) <= 3 * HEAVY_S


async def test_a_group_without_a_limit_of_cost_makes_the_others_wait_for_all_of_it() -> None:
    assert await _waited_s(math.inf, joins_after=1) == pytest.approx(63 * HEAVY_S)


async def test_one_message_is_taken_however_little_a_group_may_cost() -> None:
    inbox = Inbox()
    inbox.offer(message(b"a"))
    group = await inbox.take(10, 0.0)
    assert group is not None
    assert (len(list(group)), group.count) == (1, 1)


async def test_a_message_that_came_and_went_before_its_bell_rang_ends_no_wait() -> None:
    inbox = Inbox()
    await asyncio.to_thread(inbox.offer, message(b"a"))
    assert inbox.next() is not None
    waiting = asyncio.create_task(next_group(inbox, 10))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await asyncio.to_thread(inbox.offer, message(b"b"))

    assert [m.payload for m in await waiting] == [b"b"]
