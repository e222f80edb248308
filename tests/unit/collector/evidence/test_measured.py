# SPDX-License-Identifier: Apache-2.0
"""Which of a school's records count as tests and as round trips?"""

from __future__ import annotations

from typing import Any

from agent.contract.histogram import count
from agent.contract.kinds import Fields, Latency, Throughput
from collector.evidence.measured import samples, speed_tests
from collector.moment import TimeBasis
from collector.sinks.base import Measurement
from collector.sla.slot import SLOT_MS
from tests.unit.collector.samples import DEVICE, NOW_MS, SCHOOL, SESSION, record


def measured(seq: int, fields: Fields | None, *, at_ms: int = NOW_MS, **changes: Any) -> Measurement:
    basis = changes.pop("basis", TimeBasis.DEVICE)
    kind = "latency" if isinstance(fields, Latency) else "throughput"
    return Measurement(
        school=SCHOOL,
        device=DEVICE,
        session=SESSION,
        record=record(seq, kind=kind, fields=fields, **changes),
        at_ms=at_ms,
        received_ms=NOW_MS,
        backlog=False,
        time_basis=basis,
    )


def speed(mbps: float | None, **changes: Any) -> Throughput:
    return Throughput(direction="down", server="one", method="capacity", mbps=mbps, **changes)


def echoed(target: str, rtt_ms: float | None, **changes: Any) -> Latency:
    plain: dict[str, Any] = {"sent": 10, "received": 9, "loaded": False}
    return Latency(target=target, rtt_median_ms=rtt_ms, **{**plain, **changes})


def test_a_test_says_itself_whether_it_is_valid_and_why_not() -> None:
    found = speed_tests(
        [
            measured(1, speed(9.5, validity="valid")),
            measured(2, speed(4.0, validity="suspect", reasons="cpu_bound,throttled"), at_ms=NOW_MS + 1),
        ]
    )

    assert [(t.validity, t.reasons) for t in found] == [
        ("valid", ()),
        ("suspect", ("cpu_bound", "throttled")),
    ]


def test_a_test_that_failed_or_that_nobody_can_date_is_invalid_for_that_reason() -> None:
    (failed,) = speed_tests([measured(1, speed(None), reason="timeout")])
    (undated,) = speed_tests([measured(1, speed(9.5, validity="valid"), basis=TimeBasis.UNKNOWN)])

    assert (failed.validity, failed.reasons, failed.mbps) == ("invalid", ("timeout",), None)
    assert (undated.validity, undated.reasons) == ("invalid", ("bad_clock",))


def test_a_rate_that_does_not_say_whether_it_is_valid_is_not_taken_as_valid() -> None:
    (untold,) = speed_tests([measured(1, speed(9.5, reasons="jitter"))])

    assert (untold.validity, untold.reasons) == ("suspect", ("jitter", "untold"))


def test_the_round_trip_of_a_minute_is_that_of_the_target_in_the_middle() -> None:
    """Of 30, 50 and 900 ms the middle is 50; of thirty echoes three were lost; the gateway is no target."""
    (one,) = samples(
        [
            measured(1, echoed("a", 900.0)),
            measured(2, echoed("b", 30.0)),
            measured(3, echoed("c", 50.0)),
            measured(4, echoed("gateway", 1.0)),
        ]
    )

    assert (one.rtt_ms, one.sent, one.received, one.loaded) == (50.0, 30, 27, False)


def test_idle_and_loaded_minutes_are_apart_and_late_answers_are_not_lost() -> None:
    idle, loaded, dead = samples(
        [
            measured(1, echoed("a", 40.0, received=8, late=2)),
            measured(2, echoed("a", 400.0, loaded=True)),
            measured(3, echoed("a", None, received=0), at_ms=NOW_MS + SLOT_MS),
        ]
    )

    assert (idle.loaded, idle.sent - idle.received) == (False, 0)
    assert (loaded.loaded, loaded.rtt_ms) == (True, 400.0)
    assert (dead.rtt_ms, dead.sent, dead.received) == (None, 10, 0)


def test_the_echoes_of_a_minute_are_those_of_all_its_targets() -> None:
    times_ms = {"a": [30.0, 31.0], "b": [900.0, 901.0, 902.0], "gateway": [1.0]}
    (one,) = samples(
        measured(n, echoed(target, rtts_ms[0], rtt_histogram=count(rtts_ms)))
        for n, (target, rtts_ms) in enumerate(times_ms.items(), 1)
    )

    assert one.rtt_histogram == count(times_ms["a"] + times_ms["b"])


def test_what_says_nothing_of_echoes_is_no_loss_and_more_answers_than_questions_are_no_gain() -> None:
    (one,) = samples(
        [
            measured(1, echoed("a", 40.0, sent=10, received=None)),
            measured(2, echoed("b", 50.0, sent=10, received=9, late=5)),
            measured(3, echoed("c", None, sent=None, received=7)),
            measured(4, echoed("d", None, sent=0, received=0)),
        ]
    )

    assert (one.rtt_ms, one.sent, one.received, one.rtt_histogram) == (40.0, 20, 10, ())


def test_a_minute_of_which_nobody_knows_when_it_was_is_no_sample() -> None:
    assert samples([measured(1, echoed("a", 40.0), basis=TimeBasis.UNKNOWN)]) == ()
    assert samples([measured(1, None, reason="timeout")]) == ()
