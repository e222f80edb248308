# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.contract.histogram import count
from agent.contract.kinds import Latency
from collector.web.latency import by_target, slot
from collector.web.slots import Window
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS, Stored

WINDOW = Window.of(NOW_MS)


def answered(*times: float, sent: int | None = None, target: str = "a") -> Latency:
    return Latency(target=target, sent=sent or len(times), received=len(times), rtt_histogram=count(times))


def test_slot_merges_times_instead_of_percentiles() -> None:
    found = slot(0, [answered(*[10.0] * 95), answered(*[500.0] * 5)])
    assert found.rtt_median_ms == pytest.approx(10, rel=0.01)
    assert found.rtt_p95_ms == pytest.approx(10, rel=0.01)
    assert found.loss_ratio == 0


def test_slot_has_loss_but_no_time_when_nothing_answered() -> None:
    found = slot(0, [Latency(target="a", sent=10, received=0, loss_ratio=1.0)])
    assert (found.rtt_median_ms, found.rtt_p95_ms, found.loss_ratio) == (None, None, 1.0)


def test_slot_counts_neither_late_answers_nor_untold_ones_as_lost() -> None:
    assert slot(0, [Latency(target="a", sent=10, received=8, late=2)]).loss_ratio == 0
    assert slot(0, [Latency(target="a")]).loss_ratio is None


def test_slot_takes_the_middle_median_when_there_is_no_histogram() -> None:
    found = slot(0, [Latency(target="a", rtt_median_ms=m) for m in (9.0, 1.0, 3.0)])
    assert (found.rtt_median_ms, found.rtt_p95_ms) == (3.0, None)


def test_targets_come_in_order_with_the_gateway_last() -> None:
    stored = [Stored(at_ms=NOW_MS - 1, fields=answered(5.0, target=t)) for t in ("gateway", "b", "a")]
    stored += [
        Stored(at_ms=NOW_MS - 1, fields=None),
        Stored(at_ms=WINDOW.start_ms - 1, fields=answered(5.0, target="old")),
    ]
    assert [d.target for d in by_target(stored, WINDOW, every_ms=MINUTE_MS)] == ["a", "b", "gateway"]


@pytest.mark.parametrize(
    ("every_ms", "slot_min"), [(60_000, 5), (300_000, 15), (900_000, 30), (3_600_000, 60)]
)
def test_slots_are_as_long_as_the_schedule_asks(every_ms: int, slot_min: int) -> None:
    (day,) = by_target([Stored(at_ms=NOW_MS - 1, fields=answered(5.0))], WINDOW, every_ms=every_ms)
    assert day.slot_ms == slot_min * MINUTE_MS


def test_slots_come_in_order_with_what_belongs_to_each_and_the_day_over_all() -> None:
    first_ms = -(-WINDOW.start_ms // (5 * MINUTE_MS)) * 5 * MINUTE_MS
    second_ms = first_ms + 5 * MINUTE_MS
    moments = [(second_ms, 100.0), (second_ms - 1, 1.0), (first_ms, 2.0), (second_ms + 1, 300.0)]
    stored = [Stored(at_ms=at_ms, fields=answered(rtt_ms, sent=2)) for at_ms, rtt_ms in moments]
    (day,) = by_target(stored, WINDOW, every_ms=MINUTE_MS)
    assert [one.start_ms for one in day.slots] == [first_ms, second_ms]
    medians_ms = [one.rtt_median_ms for one in (*day.slots, day.whole)]
    assert medians_ms == [pytest.approx(ms, rel=0.01) for ms in (1, 100, 2)]
    assert [one.rtt_p95_ms for one in day.slots] == [pytest.approx(ms, rel=0.01) for ms in (2, 300)]
    assert day.whole.loss_ratio == 0.5


def test_the_day_begins_with_its_first_moment_and_ends_before_the_next() -> None:
    moments = [WINDOW.start_ms - 1, WINDOW.start_ms, WINDOW.end_ms - 1, WINDOW.end_ms]
    stored = [Stored(at_ms=at_ms, fields=answered(10.0 + n)) for n, at_ms in enumerate(moments)]
    (day,) = by_target(stored, WINDOW, every_ms=MINUTE_MS)
    assert [one.rtt_median_ms for one in day.slots] == [pytest.approx(ms, rel=0.01) for ms in (11, 12)]


def test_only_records_that_say_both_sent_and_received_are_counted_for_loss() -> None:
    untold = [Latency(target="a", sent=10), Latency(target="a", received=7), Latency(target="a", late=3)]
    assert slot(0, untold).loss_ratio is None
    assert slot(0, [*untold, Latency(target="a", sent=3, received=2)]).loss_ratio == pytest.approx(1 / 3)
    assert slot(0, [Latency(target="a", sent=3, received=2, late=2)]).loss_ratio == 0


def test_a_record_without_a_median_has_none_to_be_the_middle() -> None:
    found = slot(0, [Latency(target="a", rtt_median_ms=m) for m in (9.0, None, 1.0, 3.0, 20.0)])
    assert found.rtt_median_ms == 3


def test_the_share_of_times_that_are_of_handshakes_is_told() -> None:
    stored = [
        Stored(at_ms=NOW_MS - n, fields=Latency(target="a", sent=1, received=1, method=method))
        for n, method in enumerate(("tcp", "icmp", None, "icmp"), 1)
    ]
    (day,) = by_target(stored, WINDOW, every_ms=MINUTE_MS)
    assert day.handshakes_ratio == 0.25
