# SPDX-License-Identifier: Apache-2.0
"""Which batches are kept as golden vectors? `python -m tests.contract.vectors` writes files that are missing.

A vector is never changed: what a device in the field sends today must be understood for ever.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from agent.contract.codec import encode
from agent.contract.devices import Gnss, Modem, Power, Router, Satellite
from agent.contract.kinds import (
    Collector,
    Dns,
    Event,
    Fields,
    Host,
    Http,
    Interface,
    Ipv6,
    Latency,
    NetworkPath,
    Outage,
    Portal,
    Reach,
    Throughput,
)
from agent.contract.reason import Reason
from agent.contract.record import Batch, ClockState, Record

FOLDER = Path(__file__).parent / "vectors"
_BOOT = "1a2b3c4d"


def _clock(mono_ms: int, *, age_s: int | None = 0, boot: str = _BOOT) -> ClockState:
    return ClockState(wall_ms=1_795_000_000_000 + mono_ms, mono_ms=mono_ms, boot=boot, age_s=age_s)


_ORDINARY = (
    Record(
        seq=1,
        kind="event",
        clock=_clock(5_000, age_s=None),
        duration_ms=0,
        fields=Event(event="agent_started", subject="0.1.0"),
    ),
    Record(
        seq=2,
        kind="latency",
        clock=_clock(10_000),
        duration_ms=4_612,
        fields=Latency(
            target="1.1.1.1",
            rtt_histogram=((193, 2), (195, 5), (201, 1)),
            sent=10,
            received=8,
            duplicate=1,
            late=1,
            rtt_min_ms=46.92,
            rtt_median_ms=48.07,
            rtt_p95_ms=55.31,
            rtt_max_ms=55.31,
            pdv_p95_ms=8.39,
            loss_ratio=0.1,
            loss_run_max=1,
            method="icmp",
        ),
    ),
    Record(
        seq=3,
        kind="reach",
        clock=_clock(12_000),
        duration_ms=45_102,
        fields=Reach(
            up=True, anchors=3, anchors_up=3, anchor_asked=10, anchor_answered=10, hint="up", method="icmp"
        ),
    ),
    Record(
        seq=4,
        kind="dns",
        clock=_clock(57_200),
        duration_ms=5_001,
        reason=Reason.TIMEOUT,
        detail="no answer within 5 s",
        fields=Dns(target="192.168.8.1", attempts=2, name="example.org"),
    ),
    Record(seq=5, kind="reach", clock=_clock(62_300), duration_ms=58_000, reason=Reason.OVERRAN),
)
_ODD = (
    Record(
        seq=900,
        kind="host",
        clock=_clock(70_000, boot="ffffffff", age_s=86_400),
        duration_ms=3,
        fields=Host(cpu_ratio=1 / 3, cpu_temperature_c=-12.5, spool_records=0, undervoltage=True),
    ),
    Record(
        seq=907,
        kind="interface",
        clock=_clock(60_000, age_s=None),
        duration_ms=1,
        fields=Interface(interface="wlan0 «қосымша»", source="host", up=False, rx_bytes=2**53, tx_bytes=0),
    ),
    Record(
        seq=908,
        kind="event",
        clock=_clock(99_000),
        duration_ms=0,
        fields=Event(event="clock_step", step_ms=-7200),
    ),
)
_EYES = (
    Record(
        seq=31,
        kind="http",
        clock=_clock(80_000),
        duration_ms=612,
        reason=Reason.TLS_FAILED,
        detail="certificate verify failed",
        fields=Http(
            target="https://example.org/",
            family="4",
            dns_ms=21.5,
            connect_ms=48.11,
            rx_bytes=0,
            tls_error="intercepted",
            issuer="Filter Ltd",
            tls_ok=False,
        ),
    ),
    Record(
        seq=32,
        kind="portal",
        clock=_clock(81_000),
        duration_ms=97,
        fields=Portal(
            target="http://portal.test/204",
            verdict="quota",
            verdict_code=2,
            open=False,
            status=302,
            redirect_host="pay.test",
            total_ms=96.3,
            rx_bytes=212,
        ),
    ),
    Record(
        seq=33,
        kind="path",
        clock=_clock(82_000),
        duration_ms=1900,
        fields=NetworkPath(
            target="1.1.1.1",
            method="icmp",
            reached=True,
            hop_count=3,
            hops_answered=2,
            hops="192.168.77.1,0.31,3/3;*,,0/3;1.1.1.1,48.2,3/3",
            path_hash=680731390,
            mtu_bytes=1400,
            mtu_black_hole=True,
        ),
    ),
    Record(
        seq=34,
        kind="ipv6",
        clock=_clock(83_000),
        duration_ms=5_100,
        fields=Ipv6(verdict="broken", working=False, broken=True, address=True, route=True, anchor_asked=3),
    ),
    Record(
        seq=35,
        kind="dns",
        clock=_clock(84_000),
        duration_ms=40,
        reason=Reason.BAD_ANSWER,
        fields=Dns(target="192.168.8.1", rcode=0, attempts=1, verdict="poisoned", poisoned=True, slow=False),
    ),
)
_FILTERED = (
    Record(
        seq=51,
        kind="event",
        clock=_clock(90_000),
        duration_ms=0,
        fields=Event(event="anchors_by_connection"),
    ),
    Record(
        seq=52,
        kind="reach",
        clock=_clock(91_000),
        duration_ms=45_000,
        fields=Reach(up=True, anchors=3, anchors_up=2, anchor_asked=6, anchor_answered=4, method="tcp"),
    ),
    Record(
        seq=53,
        kind="http",
        clock=_clock(92_000),
        duration_ms=31,
        fields=Http(
            target="http://page.test/", family="4", status=200, content_ok=True, rx_bytes=412, cached=True
        ),
    ),
    Record(
        seq=54,
        kind="http",
        clock=_clock(93_000),
        duration_ms=60,
        reason=Reason.TLS_FAILED,
        fields=Http(target="https://page.test/", family="6", tls_error="old_tls", tls_ok=False),
    ),
    Record(
        seq=55,
        kind="ipv6",
        clock=_clock(94_000),
        duration_ms=3_020,
        fields=Ipv6(
            verdict="large_lost",
            working=True,
            broken=False,
            address=True,
            route=True,
            anchor_asked=3,
            anchor_answered=3,
            large_answered=False,
        ),
    ),
)
_THROUGHPUT = (
    Record(
        seq=1,
        kind="throughput",
        clock=_clock(50_000),
        duration_ms=4_100,
        fields=Throughput(
            direction="down",
            server="reflector.example.org",
            method="capacity",
            mbps=9.98,
            mbps_low=9.91,
            mbps_high=10.05,
            burst_mbps=48.2,
            burst_bytes=256_000,
            bytes=611_400,
            duration_s=3.9,
            streams=1,
            rtt_idle_ms=612.4,
            rtt_loaded_ms=655.1,
            loss_ratio=0.02,
            queue_ms=88.5,
            cross_rx_bytes=12_000,
            cross_tx_bytes=0,
            cpu_ratio=0.34,
            temperature_c=61.2,
            throttled=False,
            nic_mbps=1000,
            validity="suspect",
            reasons="cross_traffic,jitter",
        ),
    ),
    Record(
        seq=2,
        kind="throughput",
        clock=_clock(55_000),
        duration_ms=2_000,
        reason=Reason.BUSY,
        detail="come back in 30 s",
        fields=Throughput(direction="up", server="reflector.example.org", method="capacity"),
    ),
    Record(
        seq=3,
        kind="throughput",
        clock=_clock(60_000),
        duration_ms=9_000,
        fields=Throughput(
            direction="down",
            server="ndt.example.org",
            method="ndt7",
            mbps=7.5,
            rpm=120.5,
            validity="valid",
        ),
    ),
)

_OPENED = Outage(
    scope="link",
    outage=f"{_BOOT}-200000",
    revision=0,
    ongoing=True,
    cause="modem",
    evidence="gateway 13/13, modem 0/11, hop 0/5, dns 0/7",
    hint="down_provider",
    opened_wall_ms=1_795_000_200_000,
    opened_mono_ms=200_000,
    opened_resolution_s=0.463,
    lost=9,
)
_OUTAGE = (
    Record(seq=10, kind="outage", clock=_clock(200_000), duration_ms=0, fields=_OPENED),
    Record(
        seq=11,
        kind="outage",
        clock=_clock(200_000),
        duration_ms=65_250,
        fields=dataclasses.replace(
            _OPENED,
            revision=1,
            ongoing=False,
            closed_wall_ms=1_795_000_265_250,
            closed_mono_ms=265_250,
            closed_resolution_s=0.138,
            lasted_s=65.25,
            lost=255,
        ),
    ),
    Record(
        seq=12,
        kind="event",
        clock=_clock(300_000),
        duration_ms=0,
        fields=Event(
            event="power_cut",
            subject="power cut or reset",
            lasted_s=4_000.5,
            last_seen_wall_ms=1_794_995_000_000,
            resolution_s=300.0,
        ),
    ),
)

_TOLD: tuple[Fields, ...] = (
    Modem(
        port="lte",
        driver="quectel",
        state="ok",
        meaning="connected",
        registered=True,
        roaming=False,
        access_technology="lte",
        band="B3",
        channel=1650,
        rsrp_dbm=-96.0,
        rsrq_db=-11.0,
        sinr_db=8.0,
        sinr_raw=14,
        rx_bytes=59_586,
    ),
    Router(
        router="gateway",
        driver="mikrotik",
        uptime_s=86_400,
        cpu_ratio=0.12,
        wan_interface="ether1",
        wan_up=False,
        meaning="router_up,wan_down",
        dhcp_leases=31,
    ),
    Satellite(
        dish="dish",
        state="obstructed",
        connected=False,
        outage_cause="obstructed",
        meaning="obstructed",
        drop_ratio=1.0,
        obstruction_ratio=0.0625,
    ),
    Power(
        controller="solar",
        driver="vedirect",
        battery_v=12.53,
        battery_a=-0.62,
        mains_present=False,
        meaning="mains_lost",
    ),
    Gnss(receiver="gps", fix=True, satellites=9, hdop=0.9, clock_offset_ms=-120, moved=False),
)
_DEVICES = tuple(
    Record(seq=20 + n, kind=fields.kind, clock=_clock(120_000 + n), duration_ms=350, fields=fields)
    for n, fields in enumerate(_TOLD)
)

_COLLECTOR = (
    Record(
        seq=1,
        kind="collector",
        clock=_clock(60_000),
        duration_ms=0,
        fields=Collector(
            part="journal",
            available=True,
            written=4_711,
            entries=320,
            bytes=1_234_567,
            free_bytes=10**11,
            damaged=0,
            waiting=3,
            dead_letters=2,
            dead_letters_dropped=0,
            messages_refused=1,
            queue_drops=0,
            unproven=40,
            lost=5,
            devices_heard=105,
        ),
    ),
    Record(
        seq=2,
        kind="collector",
        clock=_clock(60_000),
        duration_ms=0,
        fields=Collector(
            part="influxdb", available=False, lag_entries=12, lag_s=61.5, written=4_600, rejected=2
        ),
    ),
)

BATCHES: dict[str, Batch] = {
    "ordinary": Batch(
        device="kz-0001", session="00112233445566aa", first_seq=1, clock=_clock(120_500), records=_ORDINARY
    ),
    "odd": Batch(
        device="a",
        session="ffffffffffffffff",
        first_seq=890,
        last_seq=912,
        clock=_clock(100_000),
        records=_ODD,
        want_ack=False,
        backlog=True,
    ),
    "eyes": Batch(
        device="kz-0001", session="00112233445566aa", first_seq=31, clock=_clock(120_500), records=_EYES
    ),
    "filtered": Batch(
        device="kz-0001", session="00112233445566aa", first_seq=51, clock=_clock(120_500), records=_FILTERED
    ),
    "throughput": Batch(
        device="kz-0001", session="00112233445566aa", first_seq=1, clock=_clock(120_500), records=_THROUGHPUT
    ),
    "outage": Batch(
        device="kz-0001", session="00112233445566aa", first_seq=10, clock=_clock(310_000), records=_OUTAGE
    ),
    "devices": Batch(
        device="kz-0001", session="00112233445566aa", first_seq=20, clock=_clock(120_500), records=_DEVICES
    ),
    "collector": Batch(
        device="collector", session="00112233445566aa", first_seq=1, clock=_clock(60_000), records=_COLLECTOR
    ),
    "question": Batch(device="kz-0001", session="00112233445566aa", first_seq=1, clock=_clock(1, age_s=None)),
}


def write_missing() -> list[str]:
    """Write the vectors that have no file yet; their names."""
    FOLDER.mkdir(exist_ok=True)
    files = {FOLDER / f"{n}.json": encode(b, "json") for n, b in BATCHES.items()}
    files |= {FOLDER / f"{n}.packed": encode(b, "packed") for n, b in BATCHES.items()}
    missing = [path for path in files if not path.exists()]
    for path in missing:
        path.write_bytes(files[path])
    return [path.name for path in missing]


if __name__ == "__main__":
    print("written:", ", ".join(write_missing()) or "nothing")
