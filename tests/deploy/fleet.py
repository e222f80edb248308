# SPDX-License-Identifier: Apache-2.0
"""Which fleet do the dashboard's queries run against? Written through the collector's own line protocol."""

from __future__ import annotations

import random
import urllib.request
from collections.abc import Iterator

from agent.contract.kinds import (
    Dns,
    Event,
    Fields,
    Host,
    Http,
    Ipv6,
    Latency,
    NetworkPath,
    Portal,
    Reach,
    Throughput,
)
from agent.contract.reason import Reason
from agent.contract.record import ClockState, Record
from collector.registry import School
from collector.sinks.base import Measurement
from collector.sinks.lines import line
from tests.parts.influxdb import InfluxDB

UP, DOWN, SILENT = 15, 3, 2
"""Schools by what they say now; the silent ones stopped forty minutes ago."""

SILENT_SINCE_MIN = 40
MINUTES = 120
VALID_MBPS = 10.0
"""What each school's valid test found; one that is suspect says much more."""

OPERATORS = ("Alpha", "Beta, Ltd", "Gamma Telecom")
TECHNOLOGIES = ("fibre", "lte", "satellite")
REGIONS = ("Almaty", "Abai oblysy")


def schools() -> list[School]:
    """Everyone, in the order up, down, silent."""
    return [
        School(
            id=f"school-{i:03}",
            name=f"School {i}",
            country="KZ",
            region=REGIONS[i % 2],
            operator=OPERATORS[i % 3],
            technology=TECHNOLOGIES[i % 3],
            contract="pilot",
        )
        for i in range(UP + DOWN + SILENT)
    ]


def fill(database: InfluxDB, now_ms: int) -> int:
    """Write two hours of the fleet up to now; returns how many points."""
    text = [line(m) for i, school in enumerate(schools()) for m in _history(i, school, now_ms)]
    url = f"{database.url}/write?db={database.database}&precision=u"
    with urllib.request.urlopen(url, "\n".join(text).encode(), timeout=30):
        return len(text)


def _history(index: int, school: School, now_ms: int) -> Iterator[Measurement]:
    dice = random.Random(index)
    newest = SILENT_SINCE_MIN if index >= UP + DOWN else 0
    for seq, minute in enumerate(range(MINUTES, newest - 1, -1), start=1):
        is_up = not (UP <= index < UP + DOWN and minute < 30)
        for place, fields in enumerate(_round(minute, dice, is_up=is_up)):
            yield _measurement(school, index, seq * 20 + place, now_ms - minute * 60_000, fields)


def _round(minute: int, dice: random.Random, *, is_up: bool) -> Iterator[Fields | Reason]:
    heard = 10 * is_up
    yield Reach(
        up=is_up, anchors=3, anchors_up=3 * is_up, anchor_asked=10, anchor_answered=heard, method="icmp"
    )
    if minute % 5:
        return
    for target in ("gateway", "1.1.1.1"):
        rtt_ms = dice.gauss(90, 10) if is_up else None
        p95_ms = rtt_ms * 2 if rtt_ms else None
        loss = dice.random() / 50 if is_up else 1.0
        yield Latency(target=target, sent=10, rtt_median_ms=rtt_ms, rtt_p95_ms=p95_ms, loss_ratio=loss)
    yield Dns(target="192.0.2.1", lookup_ms=20.0) if is_up else Reason.TIMEOUT
    yield _health(dice)
    if minute == 60:
        yield Event(event="unclean_shutdown", count=1)
        yield Event(event="anchors_by_connection")
        yield from _eyes()


def _eyes() -> Iterator[Fields]:
    yield Portal(target="p", verdict="open", open=True)
    yield Http(target="h", family="4", tls_ok=True, content_ok=True)
    yield Dns(target="192.0.2.1", lookup_ms=20.0, poisoned=False)
    yield Ipv6(verdict="large_lost", working=True, large_answered=False)
    yield NetworkPath(target="p", mtu_black_hole=False)
    yield _test(mbps=VALID_MBPS, validity="valid")
    yield _test(mbps=100 * VALID_MBPS, validity="suspect")


def _test(*, mbps: float, validity: str) -> Throughput:
    return Throughput(direction="down", server="s", method="capacity", mbps=mbps, validity=validity)


def _health(dice: random.Random) -> Host:
    return Host(
        cpu_ratio=dice.random(),
        cpu_temperature_c=dice.uniform(40, 75),
        memory_ratio=0.4,
        disk_free_bytes=20_000_000_000,
        spool_records=dice.randrange(500),
        spool_oldest_s=dice.uniform(1, 300),
        undervoltage=False,
        throttled=False,
        wire_bytes_today=dice.randrange(100_000),
        clock_synchronised=True,
    )


def _measurement(school: School, index: int, seq: int, at_ms: int, found: Fields | Reason) -> Measurement:
    reason = found if isinstance(found, Reason) else None
    fields = Dns(target="192.0.2.1") if isinstance(found, Reason) else found
    record = Record(
        seq=seq,
        kind=fields.kind,
        clock=ClockState(wall_ms=at_ms, mono_ms=seq, boot="0123abcd", age_s=5),
        duration_ms=900,
        reason=reason,
        fields=fields,
    )
    return Measurement(
        school=school,
        device=f"pi-{index:04}",
        session="0123456789abcdef",
        record=record,
        at_ms=at_ms,
        received_ms=at_ms + 2500,
        backlog=False,
    )
