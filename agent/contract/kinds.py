# SPDX-License-Identifier: Apache-2.0
"""Which kinds of record exist and what does each field mean?

A field's name is its wire key, its InfluxDB field and its name in every query; its unit is in the name.
Fields and kinds are only ever added, and only at the end: their place is their number in the packed form.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.contract.devices import Gnss, Modem, Power, Router, Satellite
from agent.contract.fields import MOST_MBPS, flag, histogram, key, lapse, number, ratio, signed, text
from agent.contract.histogram import Histogram


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Does the internet answer? One record a minute; the evidence a slot is judged by."""

    kind: ClassVar[str] = "reach"

    up: bool | None = flag("whether at least one independent anchor answered; None when none could be asked")
    anchors: int | None = number("independent anchors asked")
    anchors_up: int | None = number("of these, how many answered at least once")
    anchor_asked: int | None = number("requests made to anchors by `method`")
    anchor_answered: int | None = number("of these, answered, however late")
    loss_run_max: int | None = number("longest run of unanswered requests to anchors, in sending order")
    gateway_asked: int | None = number("requests sent to the LAN gateway")
    gateway_answered: int | None = number("of these, answered")
    dns_asked: int | None = number("name queries sent to the resolvers")
    dns_answered: int | None = number("of these, answered with any valid response")
    route: bool | None = flag("whether a default route existed")
    carrier: bool | None = flag("whether the interface of the default route had a carrier")
    hint: str | None = text(
        "slot class the agent would give: up, degraded, down_provider, down_other, unknown"
    )
    method: str | None = text(
        "how anchors were asked: icmp, or tcp where ICMP is not permitted or only connections were answered"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Round-trip time and loss to one target (RFC 2681, RFC 2680; delay variation as PDV, RFC 5481)."""

    kind: ClassVar[str] = "latency"

    target: str = key("the target as configured; `gateway` is the LAN gateway")
    rtt_histogram: Histogram | None = histogram("mergeable log-bucket histogram of the round-trip times")
    sent: int | None = number("requests sent")
    received: int | None = number("requests answered within the time-out")
    duplicate: int | None = number("further answers to a request already answered")
    late: int | None = number(
        "answers that came after the time-out; counted neither as received nor as lost for ever"
    )
    rtt_min_ms: float | None = lapse("smallest round-trip time")
    rtt_median_ms: float | None = lapse("median round-trip time (nearest rank)")
    rtt_p95_ms: float | None = lapse("95th percentile (nearest rank)")
    rtt_max_ms: float | None = lapse("largest round-trip time")
    pdv_p95_ms: float | None = lapse("95th percentile minus minimum: packet delay variation")
    loss_ratio: float | None = ratio("share of sent requests neither received nor late")
    loss_run_max: int | None = number("longest run of lost requests")
    loaded: bool | None = flag("whether a throughput test ran at the same time")
    method: str | None = text("icmp, or tcp where ICMP is not permitted or only connections were answered")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dns:
    """How long does one resolver take to answer one name?"""

    kind: ClassVar[str] = "dns"

    target: str = key("the resolver asked, as an address")
    lookup_ms: float | None = lapse("time from query to valid response")
    answers: int | None = number("records in the answer section")
    rcode: int | None = number("response code (RFC 1035 §4.1.1)", high=4095)
    attempts: int | None = number("queries sent")
    name: str | None = text("the name asked for")
    verdict: str | None = text("honest, hijacked, poisoned, differs, truncated or slow: the worst that holds")
    hijacked: bool | None = flag("whether a name that cannot exist was given an address")
    poisoned: bool | None = flag(
        "whether an address of the answer is one that cannot be right: private, or not among those expected"
    )
    differs: bool | None = flag("whether no other resolver gave any of these addresses; None without others")
    truncated: bool | None = flag("whether the answer did not fit a datagram")
    slow: bool | None = flag("whether the answer took longer than `slow_ms`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """Counters of one network interface (RFC 2863); they restart at 0 with the host."""

    kind: ClassVar[str] = "interface"

    interface: str = key("name of the interface")
    source: str = key("who counted: host or snmp")
    up: bool | None = flag("whether the interface is up")
    speed_mbps: int | None = number("negotiated speed in Mbit/s; None where the driver does not say")
    mtu_bytes: int | None = number("largest packet")
    rx_bytes: int | None = number("bytes received since the counter started")
    tx_bytes: int | None = number("bytes sent since the counter started")
    rx_errors: int | None = number("packets received in error")
    tx_errors: int | None = number("packets not sent for an error")
    rx_drops: int | None = number("received packets dropped")
    tx_drops: int | None = number("packets to send dropped")
    restarted: bool | None = flag(
        "whether the counters began anew since the last record; None where that is not known"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """How is the Raspberry Pi itself, and how much waits in its spool?"""

    kind: ClassVar[str] = "host"

    uptime_s: int | None = number("seconds since boot")
    cpu_ratio: float | None = ratio("share of all cores busy since the last record")
    cpu_temperature_c: float | None = number("temperature of the processor", low=-60, high=150)
    memory_ratio: float | None = ratio("share of memory not available to programs")
    disk_free_bytes: int | None = number("free bytes where the spool lives")
    agent_rss_bytes: int | None = number("resident memory of the agent")
    spool_records: int | None = number("records not yet acknowledged")
    spool_bytes: int | None = number("bytes of the spool on disk")
    spool_oldest_s: float | None = number("age of the oldest record not yet acknowledged")
    undervoltage: bool | None = flag("whether the firmware sees too low a supply voltage now")
    throttled: bool | None = flag("whether the firmware slows the processor now")
    wire_bytes_today: int | None = number(
        "payload bytes published since UTC midnight or, if later, the agent's start"
    )
    clock_synchronised: bool | None = flag("whether the kernel says the clock is synchronised")
    spool_writable: bool | None = flag("whether the card takes what the spool writes")
    spool_dropped: int | None = number("records the spool had to drop since the agent started")
    test_bytes_month: int | None = number("bytes throughput tests moved in this month of the data plan")
    line_bytes_month: int | None = number("bytes that crossed the plan's interface in it, both ways")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something happened to the witness itself."""

    kind: ClassVar[str] = "event"

    event: str = key(
        "agent_started, unclean_shutdown, clock_step (the wall clock was set: by `step_ms`), clock_set (true "
        "time became known: `subject` kernel or collector, `step_ms` what was wrong before), power_cut "
        "(how long, as soon as the clock can tell), spool_dropped, spool_damaged, spool_unwritable, "
        "spool_writable, plan_shrunk, plan_exhausted, plan_ample (how the data plan stands for tests: "
        "`count` bytes were theirs), anchors_by_connection, anchors_by_echo (how outages are watched for "
        "from now on: by connections where echoes are filtered or rationed) …"
    )
    count: int | None = number("how many things it concerns")
    first_seq: int | None = number("first sequence number concerned")
    last_seq: int | None = number("last sequence number concerned")
    lasted_s: float | None = number("how long it lasted")
    step_ms: int | None = signed("how far the clock stepped")
    subject: str | None = text("what it concerns: a probe, a file, a session")
    last_seen_wall_ms: int | None = signed(
        "Unix time at which the agent was last known to run, by the device's clock"
    )
    resolution_s: float | None = number("how much less than `lasted_s` it may have lasted")


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """How long does each phase of asking for one page take, and is it the right page?"""

    kind: ClassVar[str] = "http"

    target: str = key("the page asked for, as configured")
    family: str = key("4 or 6: the version of IP it was asked for by")
    dns_ms: float | None = lapse("time until the name had an address; None for a number")
    connect_ms: float | None = lapse("time until the connection was open")
    tls_ms: float | None = lapse("time until the server had proved who it is; None without TLS")
    first_byte_ms: float | None = lapse("time from the request to the first byte of the response")
    total_ms: float | None = lapse("time from the start to the end of the last response, redirects included")
    status: int | None = number("status code (RFC 9110 §15)", low=100, high=999)
    rx_bytes: int | None = number("bytes of the last response, head included, above TCP and TLS")
    redirects: int | None = number("redirects seen, followed or not")
    redirect_host: str | None = text("where the last redirect led, host only")
    content_ok: bool | None = flag("whether the page was the expected one; None when nothing was expected")
    tls_error: str | None = text(
        "expired, not_yet_valid, wrong_name, self_signed, unknown_ca, intercepted (issued by somebody else "
        "than expected), old_tls (below 1.2), no_tls or other"
    )
    issuer: str | None = text("who issued the certificate: organisation and name; only when it was not right")
    tls_ok: bool | None = flag("whether the server proved who it is; None when it did not come to that")
    cached: bool | None = flag(
        "whether a cache says that it answered: one on the way or, over TLS, the site's own"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Portal:
    """Is the web open, or does somebody put a page of their own before it?"""

    kind: ClassVar[str] = "portal"

    target: str = key("the page asked for, as configured")
    verdict: str | None = text("open, portal, quota, tampered or blocked")
    verdict_code: int | None = number(
        "the verdict as a number: 0 open, 1 portal, 2 quota, 3 tampered, 4 blocked"
    )
    open: bool | None = flag("whether the verdict is open")
    status: int | None = number("status code (RFC 9110 §15)", low=100, high=999)
    redirect_host: str | None = text("where a redirect led, host only")
    total_ms: float | None = lapse("time from the start to the end of the response")
    rx_bytes: int | None = number("bytes of the response, head included")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPath:
    """By which routers do packets leave the school, and how large may they be?"""

    kind: ClassVar[str] = "path"

    target: str = key("the host at the end, as configured")
    method: str | None = text("icmp, udp or tcp: the first that reached the target, else the last tried")
    reached: bool | None = flag("whether the target itself answered")
    hop_count: int | None = number("hops to the target, or to the last that answered")
    hops_answered: int | None = number("hops on the way that answered at least once")
    hops: str | None = text(
        "one entry a hop, parted by `;`: address, median RTT in ms, answered/asked; `*` for a silent one"
    )
    path_hash: int | None = number("CRC-32 of the addresses of the hops in order: changes with the path")
    mtu_bytes: int | None = number("largest packet that reached the target unfragmented, IP header included")
    mtu_black_hole: bool | None = flag("whether larger packets vanish without an ICMP message that says so")
    operator_hop: str | None = text("address of the first hop that is not private: the operator's")
    operator_hop_ttl: int | None = number("its place on the path, 1 for the gateway")
    operator_sent: int | None = number("echo requests sent to it")
    operator_received: int | None = number("of these, answered")
    operator_rtt_median_ms: float | None = lapse("median round-trip time to it (nearest rank)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ipv6:
    """Does IPv6 work, or does it only look as if: an address, but no way?"""

    kind: ClassVar[str] = "ipv6"

    verdict: str | None = text(
        "working, large_lost (small packets come back, large ones vanish), absent (no address), no_route, "
        "broken (an address, but no way) or unknown"
    )
    working: bool | None = flag("whether at least one anchor answered by IPv6")
    broken: bool | None = flag("whether the host has an IPv6 address that leads nowhere while IPv4 works")
    address: bool | None = flag("whether the host has a global IPv6 address")
    route: bool | None = flag("whether there is a default route for IPv6")
    anchor_asked: int | None = number("requests sent to anchors by IPv6")
    anchor_answered: int | None = number("of these, answered")
    rtt_median_ms: float | None = lapse("median round-trip time by IPv6 (nearest rank)")
    ipv4_answered: int | None = number("requests to anchors by IPv4 that were answered meanwhile")
    aaaa_answers: int | None = number("IPv6 addresses that the resolver gave for a name that has some")
    large_answered: bool | None = flag(
        "whether a packet as large as the host sends came back by IPv6; None when none was sent"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """How much does the link carry, as one method measures it in one direction?

    Rates of `capacity` and `tcp_…` count bits at the IP layer: headers of IP, UDP and TCP are in them, those
    of the link layer are not. Those of `ndt7`, `iperf3` and `speedtest` are these tools' own figures:
    payload.
    """

    kind: ClassVar[str] = "throughput"

    direction: str = key("down (to the school) or up")
    server: str = key("the other end, as configured or as it was found")
    method: str = key("capacity, tcp_<congestion control>_<streams>, ndt7, iperf3, speedtest")
    mbps: float | None = number("sustained rate in Mbit/s; see above for what is counted", high=MOST_MBPS)
    mbps_low: float | None = number("lower end of the 95 % confidence interval of `mbps`")
    mbps_high: float | None = number("upper end of it")
    burst_mbps: float | None = number("rate of the burst that passes before `mbps` holds; None without one")
    burst_bytes: int | None = number("how much passes in that burst")
    bytes: int | None = number("bytes the test spent at the IP layer, both ways, control and loss included")
    duration_s: float | None = number("how long this direction took, set-up included")
    streams: int | None = number("connections side by side")
    rtt_idle_ms: float | None = lapse("smallest round-trip time to the server before load")
    rtt_loaded_ms: float | None = lapse("median round-trip time to the server under load")
    rpm: float | None = number("round trips per minute under load (responsiveness, IETF draft)")
    loss_ratio: float | None = ratio("share of the test's packets that were lost while its rate was found")
    queue_ms: float | None = lapse(
        "largest growth of the one-way delay under load: the queue before the link"
    )
    cross_rx_bytes: int | None = number("bytes others received over the interface meanwhile")
    cross_tx_bytes: int | None = number("bytes others sent over it meanwhile")
    cpu_ratio: float | None = ratio("share of all cores busy meanwhile")
    temperature_c: float | None = number("temperature of the processor at the end", low=-60, high=150)
    throttled: bool | None = flag("whether the firmware slowed the processor at the end")
    nic_mbps: int | None = number("speed of the interface to the server; None where the driver does not say")
    validity: str | None = text("valid, suspect (use with care, see `reasons`) or invalid (no figure)")
    reasons: str | None = text("why it is not valid: comma separated codes of `agent/throughput/verdict.py`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """The link or its names were dead. Told when it opens, when it is seen otherwise, when it closes.

    The record's own clock is that of the begin, its duration that of the outage, so both are put right with
    every other time. Of one outage the record with the highest `revision` holds.
    """

    kind: ClassVar[str] = "outage"

    scope: str = key("link, or dns where only names were not answered")
    outage: str | None = text("id, unique for the device: boot id and place in the boot")
    revision: int | None = number("how many times it was told before")
    ongoing: bool | None = flag("whether it lasted when this was told; None: the agent stopped watching")
    cause: str | None = text(
        "whose part was dead: lan, power, gateway, modem, sim, line, operator, upstream, portal, quota, dns, "
        "slow, unknown"
    )
    evidence: str | None = text("answered/asked of each part of the way while it lasted, and what was seen")
    hint: str | None = text("slot class it suggests, as in `reach`")
    opened_wall_ms: int | None = signed("Unix time of the begin, by the device's clock")
    opened_mono_ms: int | None = number("the same on its monotonic clock")
    opened_resolution_s: float | None = number("the begin is known to ± this; None: it was so at first")
    closed_wall_ms: int | None = signed("Unix time of the end, by the device's clock")
    closed_mono_ms: int | None = number("the same on its monotonic clock")
    closed_resolution_s: float | None = number("the end is known to ± this")
    lasted_s: float | None = number("from begin to end")
    lost: int | None = number("requests without answer in it")


@dataclass(frozen=True, kw_only=True, slots=True)
class Collector:
    """How is the collector itself? One record for its journal, one for each sink; counts since its start."""

    kind: ClassVar[str] = "collector"

    part: str = key("`journal`, or the name of a sink")
    available: bool | None = flag("whether it takes what it is given; None when it was not asked yet")
    lag_entries: int | None = number("journal entries the sink has not been handed yet")
    lag_s: float | None = number("how much older the newest entry it has is than the newest of all")
    written: int | None = number("records that entered it")
    rejected: int | None = number("records the sink will never take; they are among the dead letters")
    entries: int | None = number("entries of the journal")
    bytes: int | None = number("bytes of the journal")
    free_bytes: int | None = number("space left on its disk")
    damaged: int | None = number("places of it that could not be read")
    waiting: int | None = number("messages that waited to be stored")
    dead_letters: int | None = number("dead letters written")
    dead_letters_dropped: int | None = number("dead letters that could not be written")
    messages_refused: int | None = number("whole messages refused")
    queue_drops: int | None = number("messages turned away because too many waited")
    unproven: int | None = number("records not acknowledged yet, for want of a signature")
    lost: int | None = number("sequence numbers that agents said no longer exist")
    devices_heard: int | None = number("devices of which something was stored")


Fields = (
    Reach
    | Latency
    | Dns
    | Interface
    | Host
    | Event
    | Http
    | Portal
    | NetworkPath
    | Ipv6
    | Throughput
    | Outage
    | Modem
    | Router
    | Satellite
    | Power
    | Gnss
    | Collector
)

_IN_ORDER = (
    Reach,
    Latency,
    Dns,
    Interface,
    Host,
    Event,
    Http,
    Portal,
    NetworkPath,
    Ipv6,
    Throughput,
    Outage,
    Modem,
    Router,
    Satellite,
    Power,
    Gnss,
    Collector,
)
KINDS: dict[str, Any] = {kind.kind: kind for kind in _IN_ORDER}
"""Every kind by its name, in the order of their numbers in the packed form."""


def key_names(kind: type[Any]) -> tuple[str, ...]:
    """Names of the fields that tell several records of the kind apart."""
    return tuple(f.name for f in dataclasses.fields(kind) if f.metadata.get("key"))


def keys_of(fields: Fields) -> dict[str, str]:
    """Key columns of one record and their values."""
    return {name: getattr(fields, name) for name in key_names(type(fields))}
