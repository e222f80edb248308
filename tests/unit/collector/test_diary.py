# SPDX-License-Identifier: Apache-2.0
"""Does the collector measure itself as it measures others, where somebody wants to know?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.contract.codec import decode_batch
from agent.contract.kinds import Collector
from collector.admission import Admitted, admit
from collector.diary import DEVICE, Diary, _clock
from collector.health import Health, SinkHealth
from collector.message import Message
from collector.registry import Placement, Registry, School
from tests.unit.collector.samples import REGISTRY, clock


class Told(list[Message]):
    """Everything that was offered; taken, unless the answers say otherwise."""

    def __init__(self, answers: Sequence[bool] = ()) -> None:
        super().__init__()
        self._answers = iter(answers)

    def take(self, message: Message) -> bool:
        self.append(message)
        return next(self._answers, True)


CENTRE = Registry.of([School(id="centre")], [Placement(device=DEVICE, school="centre")])


def test_a_page_is_a_batch_that_is_admitted() -> None:
    health = Health(
        journal_entries=320,
        dead_letters=4,
        messages_refused=Counter(unsigned=2, too_large=1),
        sinks={
            "store": SinkHealth(written=9, available=True, lag_s=0.0),
            "influxdb": SinkHealth(lag_entries=7),
        },
    )
    told = Told()
    diary = Diary(health, CENTRE, told.take)
    assert diary.write(clock())
    assert diary.write(clock(120_000))

    first, second = (decode_batch(message.payload).batch for message in told)
    assert all(isinstance(admit(message, CENTRE), Admitted) for message in told)
    assert (first.first_seq, first.last_seq, second.first_seq, second.want_ack) == (1, 3, 4, False)
    pages = {r.fields.part: r.fields for r in first.records if isinstance(r.fields, Collector)}
    assert (pages["journal"].entries, pages["journal"].dead_letters, pages["journal"].messages_refused) == (
        320,
        4,
        3,
    )
    assert (pages["store"].written, pages["store"].available, pages["store"].lag_s) == (9, True, 0.0)
    assert (pages["influxdb"].lag_entries, pages["influxdb"].lag_s, pages["influxdb"].available) == (
        7,
        None,
        None,
    )


def test_nothing_is_written_where_nobody_placed_it() -> None:
    told = Told()
    assert not Diary(Health(), REGISTRY, told.take).write(_clock())
    assert told == []


def test_numbers_are_not_used_up_by_what_found_no_room() -> None:
    told = Told([False, True])
    diary = Diary(Health(), CENTRE, told.take)
    assert [diary.write(clock()), diary.write(clock())] == [False, True]
    assert [decode_batch(m.payload).batch.first_seq for m in told] == [1, 1]
