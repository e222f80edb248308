# SPDX-License-Identifier: Apache-2.0
"""What does Prometheus get to read at `/metrics`?

A registry of its own for each answer: no global state. The only labels with many values are `school` and
`device`, and they are bounded by the registry: a device cannot invent one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.web.fleet import SchoolNow, counts
from collector.web.view import Firing, Health

COUNTERS = {
    "messages_received": "MQTT messages received from agents",
    "records_accepted": "records that were new",
    "records_duplicate": "records that were in the journal already",
    "records_refused": "records of good batches that could not be understood",
    "records_dropped_by_agents": "sequence numbers that agents say no longer exist",
    "queue_drops": "messages not taken because too many were waiting, or too many of one device",
    "records_unplaced": "records of a device that stood at no school then",
    "messages_unstored": "messages taken while the journal could not be written; they come again",
    "checkpoints": "signed checkpoints of the journal made",
    "segments_archived": "segments of the journal moved to the archive",
    "acks_sent": "acknowledgements sent",
    "dead_letters": "dead letters written",
    "dead_letters_dropped": "dead letters that could not be written",
}
GAUGES = {
    "journal_bytes": "size of the journal",
    "journal_entries": "entries in the journal",
    "journal_damaged": "places in the journal that could not be read",
    "journal_torn": "torn ends of the journal put aside; nothing of them was acknowledged",
    "journal_free_bytes": "space left on the journal's disk",
    "records_unproven": "stored records not acknowledged yet, for want of a signature that holds for them",
    "inbox_messages": "messages waiting to be stored",
}

SPOOL = {
    "spool_records": ("spool_records", "records that wait on the device"),
    "spool_bytes": ("spool_bytes", "bytes of its spool"),
    "spool_oldest_s": ("spool_oldest_seconds", "age of the oldest record that waits on the device"),
    "spool_dropped": ("spool_dropped_records", "records its spool had to drop since its agent started"),
    "spool_writable": ("spool_writable", "1 while its card takes what the spool writes"),
}
"""Fields of a device's newest `host` record, and what they are called here."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scrape(Collector):
    """Everything known at one scrape.

    Attributes:
        records: records in the store, None when it could not be asked.
        schools: every school of the registry.
        lost: by device, records it said no longer exist.
        firing: alerts that were told and are not over; None where none are made.
    """

    health: Health
    records: int | None
    schools: tuple[SchoolNow, ...]
    lost: Mapping[str, int] = field(default_factory=dict)
    now_ms: int = 0
    firing: Sequence[Firing] | None = None

    def collect(self) -> Iterable[Metric]:
        for name, doc in COUNTERS.items():
            yield CounterMetricFamily(f"schoolpulse_{name}", doc, value=getattr(self.health, name))
        for name, doc in GAUGES.items():
            if getattr(self.health, name) is not None:
                yield GaugeMetricFamily(f"schoolpulse_{name}", doc, value=getattr(self.health, name))
        yield GaugeMetricFamily(
            "schoolpulse_mqtt_connected", "1 while connected to the broker", value=self.health.mqtt_connected
        )
        if self.health.crl_until_s is not None:
            doc = "when the revocation list ends and locks every device out"
            yield GaugeMetricFamily("schoolpulse_crl_until_seconds", doc, value=self.health.crl_until_s)
        yield GaugeMetricFamily(
            "schoolpulse_journal_writable", "1 while the journal takes entries", value=not self._journal_fails
        )
        yield GaugeMetricFamily(
            "schoolpulse_registry_good",
            "1 while the registry is as it is written",
            value=self.health.registry_problem is None,
        )
        yield GaugeMetricFamily(
            "schoolpulse_pause_seconds",
            "how long agents are asked to hold back",
            value=self.health.pause_s or 0,
        )
        yield self._refused()
        yield from self._devices()
        yield from self._sinks()
        yield from self._fleet()
        yield from self._alerts()

    @property
    def _journal_fails(self) -> bool:
        return self.health.journal_problem is not None

    def _devices(self) -> Iterable[Metric]:
        lost = CounterMetricFamily(
            "schoolpulse_device_records_lost", "records the device says no longer exist", labels=["device"]
        )
        age = GaugeMetricFamily(
            "schoolpulse_device_heard_age_seconds",
            "since something of the device last entered the journal, as far as known since the start",
            labels=["device"],
        )
        drops = CounterMetricFamily(
            "schoolpulse_device_queue_drops", "messages over the device's share", labels=["device"]
        )
        yield from self._conditions()
        for device, count in sorted(self.lost.items()):
            lost.add_metric([device], count)
        for device, heard_ms in sorted(self.health.heard_ms.items()):
            age.add_metric([device], max(0.0, (self.now_ms - heard_ms) / 1000))
        for device, count in sorted(self.health.device_drops.items()):
            drops.add_metric([device], count)
        yield from (lost, age, drops)

    def _conditions(self) -> Iterable[Metric]:
        """What devices said of themselves last; what one did not say has no sample."""
        known = GaugeMetricFamily(
            "schoolpulse_device_clock_known", "1 while the device knows the time", labels=["device"]
        )
        since = GaugeMetricFamily(
            "schoolpulse_device_clock_age_seconds", "since its clock was last known good", labels=["device"]
        )
        spool = [
            (name, GaugeMetricFamily(f"schoolpulse_device_{metric}", doc, labels=["device"]))
            for name, (metric, doc) in SPOOL.items()
        ]
        for device, said in sorted(self.health.conditions.items()):
            known.add_metric([device], said.clock_age_s is not None)
            _add_known(since, device, said.clock_age_s)
            for name, family in spool:
                _add_known(family, device, getattr(said.host, name, None))
        return known, since, *(family for _, family in spool)

    def _refused(self) -> Metric:
        family = CounterMetricFamily(
            "schoolpulse_messages_refused", "whole messages refused", labels=["reason"]
        )
        for reason, count in sorted(self.health.messages_refused.items()):
            family.add_metric([str(reason)], count)
        return family

    def _sinks(self) -> Iterable[Metric]:
        written = CounterMetricFamily("schoolpulse_sink_written_records", "records stored", labels=["sink"])
        rejected = CounterMetricFamily(
            "schoolpulse_sink_rejected_records", "records never taken", labels=["sink"]
        )
        lag = GaugeMetricFamily(
            "schoolpulse_sink_lag_entries", "journal entries not handed over", labels=["sink"]
        )
        lag_s = GaugeMetricFamily(
            "schoolpulse_sink_lag_seconds", "age of what is not handed over", labels=["sink"]
        )
        available = GaugeMetricFamily(
            "schoolpulse_sink_available", "1 while the sink takes records", labels=["sink"]
        )
        for name, sink in sorted(self.health.sinks.items()):
            written.add_metric([name], sink.written)
            rejected.add_metric([name], sink.rejected)
            _add_known(lag, name, sink.lag_entries)
            _add_known(lag_s, name, sink.lag_s)
            _add_known(available, name, sink.available)
        return written, rejected, lag, lag_s, available

    def _alerts(self) -> Iterable[Metric]:
        if self.firing is None:
            return
        family = GaugeMetricFamily(
            "schoolpulse_alerts_firing",
            "alerts that fire, by whether somebody owns them",
            labels=["severity", "owned"],
        )
        for severity in ("critical", "warning", "info"):
            for is_owned in (False, True):
                found = [f for f in self.firing if (f.severity, f.owner is not None) == (severity, is_owned)]
                family.add_metric([severity, str(is_owned).lower()], len(found))
        yield family

    def _fleet(self) -> Iterable[Metric]:
        if self.records is not None:
            yield GaugeMetricFamily("schoolpulse_stored_records", "records in the store", value=self.records)
        states = GaugeMetricFamily(
            "schoolpulse_schools", "registered schools by live state", labels=["state"]
        )
        for state, count in counts(self.schools).items():
            states.add_metric([state.value], count)
        yield states
        age = GaugeMetricFamily(
            "schoolpulse_school_data_age_seconds",
            "age of a school's newest record; absent for a school that never reported",
            labels=["school"],
        )
        for school in self.schools:
            _add_known(age, school.id, school.data_age_s)
        yield age


def text(scrape: Scrape) -> bytes:
    """The exposition format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(scrape)
    return generate_latest(registry)


def _add_known(family: GaugeMetricFamily, label: str, value: float | None) -> None:
    """What is not known has no sample; never 0."""
    if value is not None:
        family.add_metric([label], value)
