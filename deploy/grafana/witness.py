# SPDX-License-Identifier: Apache-2.0
"""Which panels show the witnesses themselves: are they well, and do their records get through?"""

from __future__ import annotations

from choice import KNOWN, OVER_TIME, SHOWN
from panels import AMBER, BLUE, DATASOURCE, GREEN, RED, Json, column, lines, query, states, steps, table

YES_IS_BAD = states((0, "no", GREEN), (1, "yes", RED))
NO_IS_BAD = states((0, "no", AMBER), (1, "yes", GREEN))
WAITING = steps(GREEN, (900, AMBER), (7200, RED))
HOT = steps(GREEN, (70, AMBER), (80, RED))
ROOM = steps(RED, (200e6, AMBER), (1e9, GREEN))
FULL = steps(GREEN, (0.8, AMBER), (0.95, RED))
HEALTH = (
    "spool_records",
    "clock_synchronised",
    "undervoltage",
    "throttled",
    "cpu_temperature_c",
    "cpu_ratio",
    "memory_ratio",
    "disk_free_bytes",
    "wire_bytes_today",
)
TROUBLE = ("unclean_shutdown", "clock_step", "spool_dropped", "spool_damaged", "spool_unwritable")
WAYS = ("anchors_by_connection", "anchors_by_echo")


def agents() -> Json:
    about = "The newest health report of each agent; a long spool means that its records do not get through."
    selected = ", ".join(f'"{name}"' for name in HEALTH)
    influxql = (
        f'SELECT last("spool_oldest_s") AS "oldest", {selected} FROM "host" WHERE {KNOWN} '
        'GROUP BY "device", "school"'
    )
    columns = [
        column("device", "Device"),
        column("school", "School"),
        column("Time", "Reported", unit="dateTimeFromNow"),
        column("oldest", "Oldest record waiting", unit="s", thresholds=WAITING),
        column("spool_records", "Records waiting", unit="short"),
        column("clock_synchronised", "Clock good", mappings=[NO_IS_BAD]),
        column("undervoltage", "Undervoltage", mappings=[YES_IS_BAD]),
        column("throttled", "Throttled", mappings=[YES_IS_BAD]),
        column("cpu_temperature_c", "Temperature", unit="celsius", thresholds=HOT),
        column("cpu_ratio", "CPU", unit="percentunit"),
        column("memory_ratio", "Memory", unit="percentunit", thresholds=FULL),
        column("disk_free_bytes", "Disk free", unit="bytes", thresholds=ROOM),
        column("wire_bytes_today", "Sent today", unit="bytes"),
    ]
    target = query(influxql, as_table=True)
    return table("Agents", about, [target], columns=columns, join="device", sort="Oldest record waiting")


def backlog() -> Json:
    about = "Age of the oldest record still waiting on a device, the worst of each school."
    influxql = (
        f'SELECT max("spool_oldest_s") AS "oldest" FROM "host" WHERE {SHOWN} {OVER_TIME}, "school" fill(null)'
    )
    return lines("Oldest record waiting", about, [query(influxql, alias="$tag_school")], unit="s")


def failures() -> Json:
    about = "Share of measurements that failed, by kind. A failed measurement is a record too."
    targets = [
        query(
            f'SELECT 1 - mean("ok") AS "failed" FROM "{kind}" WHERE {SHOWN} {OVER_TIME} fill(null)',
            alias=kind,
            ref=ref,
        )
        for ref, kind in zip("ABCD", ("reach", "latency", "dns", "host"), strict=True)
    ]
    return lines("Failed measurements", about, targets, unit="percentunit")


def delay() -> Json:
    about = "From the start of a measurement to its arrival in the collector's journal: 95th percentile."
    influxql = (
        'SELECT percentile("received_delay_ms", 95) AS "p95" FROM "reach" '
        f'WHERE {SHOWN} {OVER_TIME}, "operator" fill(null)'
    )
    return lines("Delay of delivery", about, [query(influxql, alias="$tag_operator")], unit="ms")


def restarts() -> Json:
    """Marks on every curve; an annotation, not a panel."""
    return _marks("Trouble with a witness", TROUBLE, AMBER)


def ways() -> Json:
    """From here on round trips and loss are of connections, or of echoes again: no fault of the link."""
    return _marks("Anchors asked otherwise", WAYS, BLUE)


def _marks(name: str, of: tuple[str, ...], color: str) -> Json:
    events = "|".join(of)
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": color,
        "name": name,
        "query": f'SELECT "ok", "event", "school" FROM "event" WHERE {SHOWN} AND "event" =~ /^({events})$/',
        "tagsColumn": "school",
        "textColumn": "event",
    }
