# SPDX-License-Identifier: Apache-2.0
"""Which panels show the internet links of the schools?"""

from __future__ import annotations

from choice import CHOSEN, KNOWN, LAST_HOUR, NOW, OVER_TIME, SHOWN
from panels import (
    AMBER,
    GREEN,
    GREY,
    RED,
    Json,
    age,
    column,
    lines,
    query,
    stat,
    states,
    steps,
    table,
    timeline,
)

WAY = states((0, "echoes", GREEN), (1, "connections", AMBER))
YES_IS_GOOD = states((0, "no", RED), (1, "yes", GREEN))
IPV6 = states((0, "no", GREY), (1, "yes", GREEN))
YES_IS_BAD = states((0, "no", GREEN), (1, "yes", RED))
UP = states((0, "down", RED), (1, "up", GREEN))
LOSS = steps(GREEN, (0.01, AMBER), (0.05, RED))
RTT = steps(GREEN, (150, AMBER), (700, RED))
"""Milliseconds: what fibre and LTE reach, and beyond what a satellite in a high orbit explains."""

NEWEST_UP = f'SELECT last("up") AS "up" FROM "reach" WHERE {NOW} GROUP BY "school"'
INTERNET = "\"target\" != 'gateway'"
P50 = 'percentile("rtt_median_ms", 50) AS "p50"'
P95 = 'percentile("rtt_p95_ms", 95) AS "p95"'
LOST = 'mean("loss_ratio") AS "loss"'


def up() -> Json:
    about = "Schools whose newest answer within the freshness says that an independent anchor was reached."
    return stat("Up", about, f'SELECT sum("up") AS "up" FROM ({NEWEST_UP})', thresholds=steps(GREEN))


def down() -> Json:
    about = "Schools whose agent reports that no anchor was reached. Silent schools are not counted here."
    influxql = f'SELECT count("up") - sum("up") AS "down" FROM ({NEWEST_UP})'
    return stat("Down", about, influxql, thresholds=steps(GREEN, (1, RED)))


def unknown() -> Json:
    about = (
        "Schools heard of in the last 30 days, but not within the freshness. It may be the link, "
        "power, the agent or us; the table says since when."
    )
    known = f'SELECT last("ok") AS "known" FROM "reach" WHERE {KNOWN} GROUP BY "school"'
    # One row more under the name of those with an answer: were there none, InfluxQL would subtract null.
    one = f'SELECT last("ok") AS "up" FROM "reach" WHERE {KNOWN}'
    influxql = f'SELECT count("known") - count("up") + 1 AS "unknown" FROM ({known}), ({NEWEST_UP}), ({one})'
    return stat("Unknown", about, influxql, thresholds=steps(GREEN, (1, GREY)))


def newest() -> Json:
    about = "Age of the newest record of any school. Old here and unknown everywhere means: it is us."
    return age("Newest record", about, f'SELECT last("ok") FROM "reach" WHERE {KNOWN}')


def rtt() -> Json:
    about = (
        "Median of the median round-trip times to the internet: all schools, targets and rounds, last hour."
    )
    influxql = f'SELECT median("rtt_median_ms") AS "rtt" FROM "latency" WHERE {LAST_HOUR} AND {INTERNET}'
    return stat("Round trip", about, influxql, unit="ms", thresholds=RTT)


def loss() -> Json:
    about = "Mean share of echo requests to the internet that were lost, last hour."
    influxql = f'SELECT {LOST} FROM "latency" WHERE {LAST_HOUR} AND {INTERNET}'
    return stat("Loss", about, influxql, unit="percentunit", thresholds=LOSS)


def schools() -> Json:
    about = "Every school heard of in the last 30 days: when last, what it says now, and its last hour."
    tags = '"school", "operator", "technology", "region"'
    statements = (
        f'SELECT last("ok") AS "heard" FROM "reach" WHERE {KNOWN} GROUP BY {tags}',
        NEWEST_UP,
        f'SELECT {P50}, {P95}, {LOST} FROM "latency" WHERE {LAST_HOUR} AND {INTERNET} GROUP BY "school"',
        f'SELECT mean("up") AS "reached" FROM "reach" WHERE {SHOWN} GROUP BY "school"',
        f'SELECT last("by_connection") AS "way" FROM "reach" WHERE {NOW} GROUP BY "school"',
    )
    targets = [query(s, as_table=True, ref=ref) for ref, s in zip("ABCDE", statements, strict=True)]
    columns = [
        column("school", "School"),
        column("up", "Now", mappings=[UP]),
        column("Time 1", "Last heard of", unit="dateTimeFromNow"),
        column("reached", "Minutes with an answer, of those heard of", unit="percentunit"),
        column("p50", "p50 (1 h)", unit="ms"),
        column("p95", "p95 (1 h)", unit="ms"),
        column("loss", "Loss (1 h)", unit="percentunit", thresholds=LOSS),
        column("way", "Asked by", mappings=[WAY]),
        column("operator", "Operator"),
        column("technology", "Technology"),
        column("region", "Region"),
    ]
    return table("Schools", about, targets, columns=columns, join="school", sort="Loss (1 h)")


def faults() -> Json:
    about = (
        "What is wrong although anchors answer: a portal or quota page, TLS that somebody broke, names that "
        "lie, IPv6 that loses large packets, a path that swallows them. The newest of the last three hours; "
        "of several targets the worst. Rate: median of the valid tests shown, suspect ones left out."
    )
    each, by = f"time > now() - 3h AND {CHOSEN}", 'GROUP BY "school"'
    down = f'"direction" = \'down\' AND "valid" = 1 AND {SHOWN}'
    statements = (
        f'SELECT min("open") AS "web" FROM "portal" WHERE {each} {by}',
        f'SELECT min("tls_ok") AS "tls", min("content_ok") AS "page" FROM "http" WHERE {each} {by}',
        f'SELECT max("poisoned") AS "lies" FROM "dns" WHERE {each} {by}',
        f'SELECT last("working") AS "ipv6", last("large_answered") AS "large" FROM "ipv6" WHERE {each} {by}',
        f'SELECT max("mtu_black_hole") AS "hole" FROM "path" WHERE {each} {by}',
        f'SELECT median("mbps") AS "rate" FROM "throughput" WHERE {down} {by}',
    )
    targets = [query(s, as_table=True, ref=ref) for ref, s in zip("ABCDEF", statements, strict=True)]
    columns = [
        column("school", "School"),
        column("web", "Web open", mappings=[YES_IS_GOOD]),
        column("tls", "TLS right", mappings=[YES_IS_GOOD]),
        column("page", "Right page", mappings=[YES_IS_GOOD]),
        column("lies", "Names poisoned", mappings=[YES_IS_BAD]),
        column("ipv6", "IPv6 works", mappings=[IPV6]),
        column("large", "Large IPv6 packets pass", mappings=[YES_IS_GOOD]),
        column("hole", "MTU black hole", mappings=[YES_IS_BAD]),
        column("rate", "Down, valid tests", unit="Mbits"),
    ]
    return table("What else is wrong", about, targets, columns=columns, join="school", sort="School")


def latency() -> Json:
    about = "Over all schools, targets and rounds: median of the medians, and 95th percentile of the 95th."
    influxql = (
        f'SELECT {P50}, {P95} FROM "latency" WHERE {SHOWN} AND {INTERNET} '
        f'{OVER_TIME}, "technology" fill(null)'
    )
    target = query(influxql, alias="$tag_technology $col")
    return lines("Round trip by technology", about, [target], unit="ms")


def loss_by_operator() -> Json:
    about = "Mean share of lost echo requests to the internet, by operator."
    influxql = f'SELECT {LOST} FROM "latency" WHERE {SHOWN} AND {INTERNET} {OVER_TIME}, "operator" fill(null)'
    return lines("Loss by operator", about, [query(influxql, alias="$tag_operator")], unit="percentunit")


def history() -> Json:
    about = "Red: not one anchor was reached at some time in the interval. Empty: nothing was heard."
    influxql = f'SELECT min("up") AS "up" FROM "reach" WHERE {SHOWN} {OVER_TIME}, "school" fill(null)'
    return timeline("Was it up?", about, query(influxql, alias="$tag_school"), mappings=UP)
