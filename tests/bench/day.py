# SPDX-License-Identifier: Apache-2.0
"""What would the default schedule record in a day on a lively LTE link? Made up, from a seed, for measuring
sizes."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent.contract import histogram
from agent.contract.kinds import Dns, Fields, Host, Http, Interface, Ipv6, Latency, Portal, Reach, keys_of
from agent.contract.record import ClockState, Record
from agent.probes import PROBES, load
from agent.scheduler import phase_ratio

BOOT = "5eed5eed"
_START_WALL_MS = 1_790_000_000_000
_BUSY_HOURS = range(8, 19)


@dataclass
class Link:
    """A link whose delay wanders, whose load follows the school day."""

    random: random.Random
    rx_bytes: int = 7_000_000_000
    tx_bytes: int = 900_000_000

    def rtts_ms(self, base_ms: float, n: int) -> list[float]:
        """Delays of n requests; about one in two hundred is lost."""
        draws = (base_ms + self.random.gammavariate(1.6, base_ms * 0.12) for _ in range(n))
        return sorted(round(d, 2) for d in draws if self.random.random() > 0.005)

    def hour_passes(self, at_s: float) -> None:
        """Let traffic flow for five minutes."""
        busy = int(at_s / 3600) % 24 in _BUSY_HOURS
        self.rx_bytes += int(self.random.expovariate(1 / (90e6 if busy else 0.4e6)))
        self.tx_bytes += int(self.random.expovariate(1 / (9e6 if busy else 0.3e6)))


def records(seconds: float = 86400, seed: int = 2026, device: str = "kz-0001") -> Iterator[Record]:
    """Records of the default schedule, in the order in which they would be finished and numbered."""
    made = sorted(_rounds(seconds, seed, device), key=lambda r: r.clock.mono_ms + r.duration_ms)
    return (dataclasses.replace(r, seq=i) for i, r in enumerate(made, 1))


def _rounds(seconds: float, seed: int, device: str) -> Iterator[Record]:
    link = Link(random.Random(seed))
    rounds = [(start_s, kind) for kind in _DEFAULT for start_s in _starts(kind, seconds, device)]
    for seq, (start_s, kind) in enumerate(sorted(rounds)):
        findings, duration_s = _MEASURE[kind](link, start_s)
        duration_s += link.random.uniform(0, 0.02)
        for fields in sorted(findings, key=lambda f: tuple(keys_of(f).values())):
            yield _record(seq + 1, start_s, duration_s, fields)


def _starts(kind: str, seconds: float, device: str) -> list[float]:
    every_s = load(kind)().every_s
    first_s = phase_ratio(device, kind) * every_s
    return [first_s + i * every_s for i in range(int(seconds / every_s))]


def _record(seq: int, start_s: float, duration_s: float, fields: Fields) -> Record:
    mono_ms = int((start_s + 1000) * 1000) + seq % 3
    clock = ClockState(wall_ms=_START_WALL_MS + mono_ms, mono_ms=mono_ms, boot=BOOT, age_s=0)
    return Record(seq=seq, kind=fields.kind, clock=clock, duration_ms=int(duration_s * 1000), fields=fields)


def _reach(link: Link, _at_s: float) -> tuple[list[Fields], float]:
    answered = len(link.rtts_ms(45, 10))
    reach = Reach(
        up=True,
        anchors=3,
        anchors_up=3,
        anchor_asked=10,
        anchor_answered=answered,
        loss_run_max=min(1, 10 - answered),
        gateway_asked=25,
        gateway_answered=25,
        dns_asked=1,
        dns_answered=1,
        route=True,
        carrier=True,
        hint="up",
        method="icmp",
    )
    return [reach], 45 + max([0.0, *link.rtts_ms(45, 1)]) / 1000


def _latency(link: Link, _at_s: float) -> tuple[list[Fields], float]:
    bases = {"gateway": 0.6, "1.1.1.1": 48.0, "8.8.8.8": 52.0}
    return [_latency_to(target, link.rtts_ms(base_ms, 10)) for target, base_ms in bases.items()], 4.6


def _latency_to(target: str, rtts_ms: list[float]) -> Fields:
    p95_ms = rtts_ms[int(0.95 * len(rtts_ms))]
    return Latency(
        target=target,
        sent=10,
        received=len(rtts_ms),
        duplicate=0,
        late=0,
        rtt_min_ms=rtts_ms[0],
        rtt_median_ms=rtts_ms[len(rtts_ms) // 2],
        rtt_p95_ms=p95_ms,
        rtt_max_ms=rtts_ms[-1],
        pdv_p95_ms=round(p95_ms - rtts_ms[0], 2),
        loss_ratio=round((10 - len(rtts_ms)) / 10, 4),
        loss_run_max=10 - len(rtts_ms),
        rtt_histogram=histogram.count(rtts_ms),
        method="icmp",
    )


def _dns(link: Link, _at_s: float) -> tuple[list[Fields], float]:
    lookup_ms = round(link.random.gammavariate(2, 20) + 12, 2)
    answer = Dns(
        target="192.168.8.1",
        lookup_ms=lookup_ms,
        answers=6,
        rcode=0,
        attempts=1,
        name="example.org",
        verdict="honest",
        hijacked=False,
        poisoned=False,
        truncated=False,
        slow=False,
    )
    return [answer], lookup_ms / 1000


def _interface(link: Link, at_s: float) -> tuple[list[Fields], float]:
    link.hour_passes(at_s)
    counters = Interface(
        interface="eth0",
        source="host",
        up=True,
        speed_mbps=1000,
        mtu_bytes=1500,
        rx_bytes=link.rx_bytes,
        tx_bytes=link.tx_bytes,
        rx_errors=0,
        tx_errors=0,
        rx_drops=0,
        tx_drops=0,
    )
    return [counters], 0.004


def _host(link: Link, at_s: float) -> tuple[list[Fields], float]:
    host = Host(
        uptime_s=(int((at_s + 1000) * 1000)) // 1000,
        cpu_ratio=round(link.random.uniform(0.01, 0.05), 4),
        cpu_temperature_c=round(45 + link.random.uniform(-2, 2), 1),
        memory_ratio=round(0.2 + link.random.uniform(0, 0.01), 4),
        disk_free_bytes=25_000_000_000 - int(at_s) // 300 * 4096,
        agent_rss_bytes=36_000_000 + link.random.randrange(20) * 4096,
        spool_records=link.random.randrange(3, 12),
        spool_bytes=link.random.randrange(2000, 90_000),
        spool_oldest_s=float(link.random.randrange(300)),
        undervoltage=False,
        throttled=False,
        wire_bytes_today=int(at_s * 1.1),
        clock_synchronised=True,
    )
    return [host], 0.004


def _http(link: Link, _at_s: float) -> tuple[list[Fields], float]:
    dns_ms, rtt_ms = round(link.random.gammavariate(2, 20) + 12, 2), link.rtts_ms(48, 1)
    base_ms = max([48.0, *rtt_ms])
    page = Http(
        target="https://example.org/",
        family="4",
        dns_ms=dns_ms,
        connect_ms=round(base_ms, 2),
        tls_ms=round(2.2 * base_ms, 2),
        first_byte_ms=round(1.4 * base_ms, 2),
        total_ms=round(dns_ms + 4.7 * base_ms, 2),
        status=200,
        rx_bytes=1591,
        redirects=0,
        tls_ok=True,
    )
    return [page], (dns_ms + 4.7 * base_ms) / 1000


def _portal(link: Link, _at_s: float) -> tuple[list[Fields], float]:
    total_ms = round(2.1 * max([52.0, *link.rtts_ms(52, 1)]) + 20, 2)
    known = Portal(
        target="http://connectivitycheck.gstatic.com/generate_204",
        verdict="open",
        verdict_code=0,
        open=True,
        status=204,
        total_ms=total_ms,
        rx_bytes=102,
    )
    return [known], total_ms / 1000


def _ipv6(_link: Link, _at_s: float) -> tuple[list[Fields], float]:
    absent = Ipv6(
        verdict="absent",
        working=False,
        broken=False,
        address=False,
        route=False,
        anchor_asked=0,
        anchor_answered=0,
        aaaa_answers=2,
    )
    return [absent], 0.05


_MEASURE: dict[str, Callable[[Link, float], tuple[list[Any], float]]] = {
    "reach": _reach,
    "latency": _latency,
    "dns": _dns,
    "interface": _interface,
    "host": _host,
    "http": _http,
    "portal": _portal,
    "ipv6": _ipv6,
}
_DEFAULT = tuple(kind for kind in PROBES if load(kind)().enabled)
"""Probes that run unless they are switched off."""
