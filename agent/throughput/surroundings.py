# SPDX-License-Identifier: Apache-2.0
"""What else happened on this host while a test ran: processor, heat, the interface's own counters?

surroundings = Surroundings("192.0.2.10")
... the test ...
seen = surroundings.until_now(received_bytes=..., sent_bytes=...)
Throughput(..., **seen.fields)
"""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent.probes.host import BusyShare, cpu_temperature_c, known, throttled
from agent.throughput.verdict import Doubt

_NET = Path("/sys/class/net")
_ETHERNET_BYTES = 14
"""What an interface counts of each packet beside the IP layer."""
_TCP_BYTES = 52
"""Headers of IP and TCP with time stamps: all of a bare acknowledgement."""
_TASKS = Path("/proc/self/task")
_BUSY_RATIO = 0.9
_WAITED_RATIO = 0.05
"""Share of the test during which a thread of ours could have run and had no processor."""
_NEAR_NIC_RATIO = 0.93
"""Share of the interface's speed from which the link behind it cannot be told; 1500 of 1538 bytes are IP."""
_CROSS_RATIO = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is worth a place in the record.

    Attributes:
        own_cpu_ratio: share of one core that this process used.
        waited_ratio: how long threads of this process waited for a processor, beside the test's length; None
            where the kernel does not say.
    """

    cpu_ratio: float | None
    own_cpu_ratio: float
    temperature_c: float | None
    throttled: bool | None
    nic_mbps: int | None
    cross_rx_bytes: int | None
    cross_tx_bytes: int | None
    waited_ratio: float | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of a record of kind `throughput`."""
        names = ("cpu_ratio", "temperature_c", "throttled", "nic_mbps", "cross_rx_bytes", "cross_tx_bytes")
        return {name: getattr(self, name) for name in names}

    def doubts(self, *, mbps: float | None, moved_bytes: int) -> set[Doubt]:
        """What of it casts doubt on a figure.

        Args:
            mbps: the figure.
            moved_bytes: what the test itself moved in the figure's direction.
        """
        found = set()
        if self.throttled:
            found.add(Doubt.THROTTLED)
        if self._was_cpu_bound():
            found.add(Doubt.CPU_BOUND)
        if mbps is not None and self.nic_mbps and mbps > _NEAR_NIC_RATIO * self.nic_mbps:
            found.add(Doubt.NIC_BOUND)
        if max(self.cross_rx_bytes or 0, self.cross_tx_bytes or 0) > _CROSS_RATIO * moved_bytes:
            found.add(Doubt.CROSS_TRAFFIC)
        return found

    def _was_cpu_bound(self) -> bool:
        """Busy processors harm only who has to wait for one; where that is not told they count as such."""
        if self.own_cpu_ratio > _BUSY_RATIO:
            return True
        if self.waited_ratio is None:
            return (self.cpu_ratio or 0.0) > _BUSY_RATIO
        return self.waited_ratio > _WAITED_RATIO


class Surroundings:
    """Counts from its making until it is asked."""

    def __init__(self, host: str, *, runs_here: bool = False) -> None:
        """`runs_here`: the whole test is the work of threads of this process that outlive it."""
        self._runs_here = runs_here
        self.interface = interface_to(host)
        self._busy = BusyShare()
        self._busy.since_last()
        self._began_s, self._own_s = time.monotonic(), time.process_time()
        self._waited_s = waited_s() if runs_here else None
        self._counted = self._count()
        self._held: tuple[int, ...] | None = None

    def hold(self) -> None:
        """What the interface moves from now on is not looked at, until it goes on."""
        self._held = self._grown()

    def go_on(self) -> None:
        """The test's own packets follow; what still came of those before is forgotten."""
        before, self._held = self._held or (0, 0, 0, 0), None
        now = self._count()
        self._counted = None if now is None else _minus(now, before)

    def until_now(
        self,
        *,
        received_bytes: int,
        sent_bytes: int,
        received_packets: int | None = None,
        sent_packets: int | None = None,
    ) -> Seen:
        """What happened since.

        Args:
            received_bytes: what the test itself received, at the IP layer.
            sent_bytes: what it sent.
            received_packets: in so many packets; None where only payload of TCP is known: then the headers
                of all packets that the interface counted are taken for the test's own, so that neither small
                segments nor acknowledgements of any number look like others.
            sent_packets: likewise.
        """
        grown = self._grown()
        elapsed_s = max(1e-3, time.monotonic() - self._began_s)
        return Seen(
            cpu_ratio=self._busy.since_last(),
            own_cpu_ratio=(time.process_time() - self._own_s) / elapsed_s,
            temperature_c=cpu_temperature_c(),
            throttled=throttled(),
            nic_mbps=nic_mbps(self.interface),
            waited_ratio=self._waited_ratio(elapsed_s),
            cross_rx_bytes=None if grown is None else _others(grown[:2], received_bytes, received_packets),
            cross_tx_bytes=None if grown is None else _others(grown[2:], sent_bytes, sent_packets),
        )

    def _waited_ratio(self, elapsed_s: float) -> float | None:
        before, now = self._waited_s, waited_s() if self._runs_here else None
        return None if before is None or now is None else max(0.0, now - before) / elapsed_s

    def _grown(self) -> tuple[int, ...] | None:
        """Bytes and packets received, and those sent; None also where the counters began anew."""
        if self._held is not None:
            return self._held
        before, now = self._counted, self._count()
        grown = None if before is None or now is None else _minus(now, before)
        return None if grown is None or min(grown) < 0 else grown

    def _count(self) -> tuple[int, ...] | None:
        counted = known(lambda: psutil.net_io_counters(pernic=True, nowrap=False))
        if counted is None or self.interface not in counted:
            return None
        of = counted[self.interface]
        return of.bytes_recv, of.packets_recv, of.bytes_sent, of.packets_sent


def _minus(now: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(b - a for a, b in zip(before, now, strict=True))


def _others(counted: tuple[int, ...], own_bytes: int, own_packets: int | None) -> int:
    """What the interface moved beside the test."""
    counted_bytes, counted_packets = counted
    header_bytes = _ETHERNET_BYTES * (own_packets or 0)
    if own_packets is None:
        header_bytes = (_ETHERNET_BYTES + _TCP_BYTES) * counted_packets
    return max(0, counted_bytes - own_bytes - header_bytes)


def waited_s() -> float | None:
    """Seconds that this process' threads could have run and had no processor (proc(5), schedstat)."""
    texts = [known((task / "schedstat").read_text) for task in known(lambda: list(_TASKS.iterdir())) or ()]
    counts = [int(text.split()[1]) for text in texts if text]
    return sum(counts) / 1e9 if counts else None


def interface_to(host: str) -> str | None:
    """Name of the interface through which an address is reached; None when the kernel does not say."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asks:
        asks.connect((host, 9))
        own = asks.getsockname()[0]
        for name, addresses in psutil.net_if_addrs().items():
            if any(address.address.partition("%")[0] == own for address in addresses):
                return name
    return None


def nic_mbps(interface: str | None) -> int | None:
    """Negotiated speed; None where the driver does not say, and on what is no real interface."""
    if interface is None or not (_NET / interface / "device").exists():
        return None
    text = known((_NET / interface / "speed").read_text)
    speed = int(text) if text and text.strip().lstrip("-").isdigit() else 0
    return speed if speed > 0 else None
