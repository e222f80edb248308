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
