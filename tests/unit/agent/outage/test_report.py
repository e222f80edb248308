# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

from agent.contract.record import ClockState
from agent.outage.outage import Outage
from agent.outage.report import Reporter, at
from agent.outage.silence import Bounds

CLOCK = ClockState(wall_ms=1_795_000_100_000, mono_ms=100_000, boot="1a2b3c4d", age_s=20)
OPEN = Outage(
    number=1, scope="link", opened=Bounds(89.0, 91.0), cause="modem", evidence="gateway 3/3", lost=7
)


def test_an_outage_is_told_with_the_clocks_of_its_begin() -> None:
    report = Reporter().report(OPEN, CLOCK, 95.0)
    assert (report.clock.mono_ms, report.clock.wall_ms, report.clock.age_s) == (95_000, 1_795_000_095_000, 15)
    fields = report.fields
    assert (fields.outage, fields.revision, fields.ongoing) == ("1a2b3c4d-95000", 0, True)
    assert (fields.opened_mono_ms, fields.opened_resolution_s, fields.lasted_s) == (95_000, 1.0, None)


def test_later_records_of_an_outage_have_its_id() -> None:
    reporter = Reporter()
    first = reporter.report(OPEN, CLOCK, 95.0).fields
    closed = dataclasses.replace(OPEN, opened=Bounds(90.0, 90.5), closed=Bounds(93.0, 93.5))
    last = reporter.report(closed, CLOCK, 95.0)
    assert (last.fields.outage, last.fields.revision, last.fields.ongoing) == (first.outage, 1, False)
    assert (last.fields.lasted_s, last.duration_ms, last.fields.closed_resolution_s) == (3.0, 3000, 0.25)
    assert reporter.unfinished(CLOCK, 96.0) is None
    again = reporter.report(dataclasses.replace(OPEN, number=2), CLOCK, 97.0).fields
    assert again.outage != first.outage
    assert again.revision == 0


def test_an_outage_that_outlives_the_watch_says_that_its_end_is_not_known() -> None:
    reporter = Reporter()
    assert reporter.unfinished(CLOCK, 95.0) is None
    reporter.report(OPEN, CLOCK, 95.0)
    report = reporter.unfinished(CLOCK, 96.0)
    assert report is not None
    assert (report.fields.ongoing, report.fields.closed_mono_ms, report.fields.revision) == (None, None, 1)


def test_a_moment_before_the_boot_is_the_boot() -> None:
    assert at(0.0, dataclasses.replace(CLOCK, mono_ms=5, age_s=None), 95.0).mono_ms == 0
