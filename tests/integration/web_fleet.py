# SPDX-License-Identifier: Apache-2.0
"""A made-up country: 105 schools of Kazakhstan with every state the page can show."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.contract import histogram
from agent.contract.kinds import Dns, Fields, Host, Interface, Latency, Reach
from agent.contract.reason import Reason
from collector.registry import Placement, School
from collector.sinks.base import Gap
from tests.unit.collector.web.fakes import HOUR_MS, MINUTE_MS, RollUp, Seen, Stored

PLACES = (
    "Әйтеке би", "Ғани Мұратбаев", "Қызылағаш", "Жаңаөзен", "Өскемен", "Ұзынағаш", "Үшарал", "Һамза",
    "Іргелі", "Тасқала", "Сарыағаш", "Қарқаралы", "Бөрлі", "Мойынқұм", "Шығанақ", "Ақтоғай", "Көкпекті",
    "Жымпиты", "Ескене", "Щербаковка", "Зыряновск",
)  # fmt: skip
REGIONS = (
    "Алматы облысы", "Қызылорда облысы", "Маңғыстау облысы", "Түркістан облысы", "Шығыс Қазақстан",
    "Ұлытау облысы", "Костанайская область",
)  # fmt: skip
LINKS = (
    ("Operator E", "satellite GEO", 612.0), ("Operator F", "satellite LEO", 46.0),
    ("Operator B", "LTE", 58.0),
    ("Operator A", "LTE", 71.0), ("Operator C", "fibre", 9.0), ("Operator D", "microwave", 24.0),
)  # fmt: skip
DAY_MIN = 25 * 60


@dataclass(frozen=True)
class Story:
    """What happened at one school, in minutes before now."""

    down: tuple[tuple[int, int], ...] = ()
    degraded: tuple[tuple[int, int], ...] = ()
    silent: tuple[tuple[int, int], ...] = ()
    cause: str = "down_provider"

    def at(self, ago: int) -> str | None:
        """State that minute; None for silence."""
        if _within(ago, self.silent):
            return None
        if _within(ago, self.down):
            return "down"
        return "degraded" if _within(ago, self.degraded) else "up"


def _within(ago: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(newest <= ago < oldest for newest, oldest in spans)


@dataclass(frozen=True)
class Place:
    school: School
    story: Story | None
    rtt_ms: float
    seed: int


class Country:
    """Registry and reader of the made-up country."""

    def __init__(self, now_ms: int, *, size: int = 105) -> None:
        self.now_ms = now_ms
        self.places = {p.school.id: p for p in (_place(i) for i in range(size))}

    def schools(self) -> Iterable[School]:
        return [p.school for p in self.places.values()]

    def devices_of(self, school_id: str) -> Iterable[Placement]:
        return (Placement(device=f"pi-{school_id}", school=school_id),)

    def count(self) -> int:
        return len(self.places) * DAY_MIN * 4

    def last_seen(self) -> dict[str, Seen]:
        told = ((i, self._newest_ms(p)) for i, p in self.places.items())
        return {
            i: Seen(at_ms=at, received_ms=at + 3_000, device=f"pi-{i}") for i, at in told if at is not None
        }

    def records(self, school_id: str, kind: str, *, start_ms: int, end_ms: int) -> Sequence[Stored]:
        place = self.places.get(school_id)
        if place is None or place.story is None or kind not in MAKERS:
            return []
        return [r for r in _made(place, kind, self.now_ms) if start_ms <= r.at_ms < end_ms]

    def records_since(
        self, starts: Mapping[str, int], kind: str, *, end_ms: int
    ) -> dict[str, Sequence[Stored]]:
        return {i: self.records(i, kind, start_ms=a, end_ms=end_ms) for i, a in starts.items()}

    def gaps(self, _device: str) -> list[Gap]:
        return []

    def lost(self) -> dict[str, int]:
        return {}

    def rtt_rollups(self, school_id: str, *, start_ms: int, end_ms: int) -> Sequence[RollUp]:
        place = self.places.get(school_id)
        if place is None or place.story is None:
            return []
        hours = range(start_ms // HOUR_MS * HOUR_MS, end_ms, HOUR_MS)
        return [r for r in (_rollup(place, hour_ms, self.now_ms) for hour_ms in hours) if r.sent]

    def _newest_ms(self, place: Place) -> int | None:
        if place.story is None:
            return None
        ago = next(a for a in range(DAY_MIN * 10) if place.story.at(a) is not None)
        return self.now_ms - ago * MINUTE_MS - 18_000


def _place(i: int) -> Place:
    operator, technology, rtt_ms = LINKS[i * 7 % 20 % len(LINKS)]
    school = School(
        id=f"kz-{i:05}",
        name=f"№{i % 48 + 1} {PLACES[i % len(PLACES)]} {'мектебі' if i % 3 else 'школа-гимназия'}",
        country="KZ",
        region=REGIONS[i * 5 % 17 % len(REGIONS)],
        operator=operator,
        technology=technology,
        contract="pilot-2026",
    )
    return Place(school, _story(i, operator), rtt_ms, i)


def _story(i: int, operator: str) -> Story | None:
    dice = random.Random(i)
    if i % 26 == 25:
        return None
    if operator == "Operator A" and i % 2:
        return Story(down=((0, 23 + i),), silent=((700, 760),))
    if i % 29 == 4:
        return Story(down=((0, 190 + i), (600, 640)), cause="down_other")
    if i % 13 == 6:
        return Story(silent=((0, 45 + 17 * i),), down=((900, 990),))
    if i % 11 == 3:
        return Story(degraded=((0, 40 + i),), down=((500, 512),))
    past = dice.randrange(100, 1300)
    return Story(
        down=((past, past + dice.randrange(4, 90)),) if i % 4 == 0 else (),
        degraded=((past // 2, past // 2 + 35),) if i % 5 == 0 else (),
        silent=((past + 100, past + 240),) if i % 6 == 0 else (),
    )


@functools.lru_cache(maxsize=400)
def _made(place: Place, kind: str, now_ms: int) -> tuple[Stored, ...]:
    assert place.story is not None
    dice = random.Random(f"{place.seed} {kind}")
    made: list[Stored] = []
    for ago in range(DAY_MIN, -1, -1):
        state = place.story.at(ago)
        at_ms = now_ms - ago * MINUTE_MS - 18_000
        for fields in MAKERS[kind](place, state, DAY_MIN - ago, dice) if state else ():
            made.append(_stored(place, kind, at_ms, len(made) + 1, fields))
    return tuple(made)


def _stored(place: Place, kind: str, at_ms: int, seq: int, fields: Fields) -> Stored:
    failed = isinstance(fields, Latency) and not fields.received
    return Stored(
        at_ms=at_ms, kind=kind, fields=fields, seq=seq, device=f"pi-{place.school.id}", duration_ms=640,
        reason=Reason.TIMEOUT if failed else None, detail="none of 10 requests answered" if failed else None,
        received_ms=at_ms + 3_000,
    )  # fmt: skip


def _reach(place: Place, state: str | None, minute: int, dice: random.Random) -> tuple[Fields, ...]:
    assert place.story is not None
    is_up = state != "down"
    hint = state if is_up else place.story.cause
    return (Reach(up=is_up, anchors=3, anchors_up=3 * is_up, gateway_asked=3, gateway_answered=3, hint=hint),)


def _latencies(place: Place, state: str | None, minute: int, dice: random.Random) -> tuple[Fields, ...]:
    return tuple(_latency(place, state, minute, dice, target) for target in ("gateway", "1.1.1.1", "9.9.9.9"))


def _latency(place: Place, state: str | None, minute: int, dice: random.Random, target: str) -> Latency:
    base = 1.2 if target == "gateway" else place.rtt_ms * (1.15 if target == "9.9.9.9" else 1.0)
    if state == "down" and target != "gateway":
        return Latency(target=target, sent=10, received=0, loss_ratio=1.0)
    base *= 1.6 if state == "degraded" else 1.25 if 480 < minute < 900 else 1.0
    times = [base * (1 + dice.expovariate(6)) for _ in range(10)]
    lost = 2 if state == "degraded" else int(dice.random() < 0.03)
    return Latency(
        target=target,
        sent=10,
        received=10 - lost,
        loss_ratio=lost / 10,
        rtt_histogram=histogram.count(times[lost:]),
    )


def _host(place: Place, state: str | None, minute: int, dice: random.Random) -> tuple[Fields, ...]:
    return (
        Host(
            uptime_s=minute * 60 + 86400 * 3, cpu_ratio=0.04, cpu_temperature_c=51.2, memory_ratio=0.31,
            disk_free_bytes=24_100_000_000, spool_records=412 if state == "down" else 0,
            spool_oldest_s=9000.0 if state == "down" else 2.0,
            clock_synchronised=True,
        ),
    )  # fmt: skip


def _interfaces(place: Place, state: str | None, minute: int, dice: random.Random) -> tuple[Fields, ...]:
    grown = minute if minute < 1100 else minute - 1100
    rx, tx = grown * 9_000_000 + dice.randrange(4_000_000), grown * 800_000
    return (
        Interface(interface="eth0", source="host", up=True, speed_mbps=100, rx_bytes=rx,
            tx_bytes=tx, rx_errors=0, tx_errors=0, rx_drops=grown // 300, tx_drops=0),
        Interface(interface="wlan0", source="host", up=False, rx_bytes=0, tx_bytes=0),
    )  # fmt: skip


def _dns(place: Place, state: str | None, minute: int, dice: random.Random) -> tuple[Fields, ...]:
    return (
        Dns(
            target="9.9.9.9", lookup_ms=place.rtt_ms * 1.1, answers=1, rcode=0, attempts=1, name="example.org"
        ),
    )


MAKERS = {"reach": _reach, "latency": _latencies, "host": _host, "interface": _interfaces, "dns": _dns}


@functools.lru_cache(maxsize=4000)
def _rollup(place: Place, hour_ms: int, now_ms: int) -> RollUp:
    assert place.story is not None
    dice, sent, received, counts = random.Random(f"{place.seed} {hour_ms}"), 0, 0, []
    for at_ms in range(hour_ms, min(hour_ms + HOUR_MS, now_ms), 6 * MINUTE_MS):
        state = place.story.at((now_ms - at_ms) // MINUTE_MS)
        fields = (
            _latency(place, state, DAY_MIN - (now_ms - at_ms) // MINUTE_MS, dice, "1.1.1.1")
            if state
            else None
        )
        if fields is not None:
            sent, received = sent + (fields.sent or 0), received + (fields.received or 0)
            counts.append(fields.rtt_histogram or ())
    return RollUp(hour_ms=hour_ms, sent=sent, received=received, histogram=histogram.merge(counts))
