# SPDX-License-Identifier: Apache-2.0
"""How does one measurement look as a line of InfluxDB's line protocol?

    latency,device=rpi-7,school=17,target=gateway ok=1i,duration_ms=9021i,…,rtt_min_ms=1.25 1790000000123045

Measurement = kind. Tags = the school's labels, the device and the kind's key; empty ones are left out. Fields
are numbers only, each always of one type, given by the field's annotation in `agent.contract.kinds`: whole
numbers and flags as integers, all else as floats. Words and histograms are not written; the embedded store
and the journal have them. Where a number means little without a word, a flag says it (`flags`).

Every record has the fields of `COMMON`. A reason is neither a tag (it would split the series of a target in
two) nor a word: a failed record has `ok=0i` and `failed_<reason>=1i`, so that sum(failed_timeout) counts and
sum(ok) / count(ok) is the share that succeeded. Reasons this version does not know count as `failed_other`.

Two records of one device, kind and key may begin in the same millisecond: events do, and so do records under
a clock that was set back. InfluxDB would merge them into one point. Times are therefore written in
microseconds, the last three digits being a place that follows from the record's identity: the same record
always gets the same one, records of one session that are fewer than 1,000 apart never share one, and those of
two sessions share one in 1,000 times.
"""

from __future__ import annotations

import functools
import typing
import zlib
from collections.abc import Callable, Iterator

from agent.contract.kinds import KINDS, keys_of
from agent.contract.reason import Reason
from collector.moment import SETTLED
from collector.sinks.base import Measurement
from collector.sinks.flags import flags_of

COMMON: dict[str, str] = {
    "ok": "1 when the measurement succeeded, 0 when it failed",
    "duration_ms": "how long the measurement took",
    "clock_age_s": "seconds since the device's clock was last known good; absent when not in this boot",
    "time_unsettled": "1 when the time rests on the arrival, or on nothing; absent when it is known",
    "received_delay_ms": "from the start of the measurement to its arrival in the journal",
}
"""Fields of every record, beside those of its kind."""

PLACES = 1000
_LABELS = ("contract", "country", "operator", "region", "technology")
_REASONS = frozenset(r.value for r in Reason)
_CONTROL = dict.fromkeys([*range(32), 127], " ") | {ord("\\"): "/"}
_ESCAPED = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})

Show = Callable[[typing.Any], str]


def line(measurement: Measurement) -> str:
    """One line, without the line feed; its time is in microseconds."""
    record = measurement.record
    tags = "".join(
        f",{name}={value.translate(_ESCAPED)}" for name, value in sorted(tags_of(measurement).items())
    )
    fields = ",".join(f"{name}={value}" for name, value in _fields(measurement))
    return f"{record.kind}{tags} {fields} {time_us(measurement)}"


def tags_of(measurement: Measurement) -> dict[str, str]:
    """Tags and their values, not yet escaped, without the empty ones."""
    school, fields = measurement.school, measurement.record.fields
    tags = {"school": school.id, "device": measurement.device}
    tags |= {name: getattr(school, name) for name in _LABELS}
    tags |= keys_of(fields) if fields is not None else {}
    return {name: text for name, value in tags.items() if (text := clean(value))}


def clean(value: str) -> str:
    """A tag value that every server reads alike.

    A backslash before a comma or at the end cannot be escaped in line protocol, so each becomes a slash; a
    line feed would begin another line, so control characters become spaces.
    """
    return value.encode("utf-8", "replace").decode().translate(_CONTROL).strip()


def time_us(measurement: Measurement) -> int:
    """Unix microseconds: the record's millisecond and its place in it."""
    place = measurement.record.seq + zlib.crc32(measurement.session.encode())
    return measurement.at_ms * 1000 + place % PLACES


def _fields(measurement: Measurement) -> Iterator[tuple[str, str]]:
    record = measurement.record
    yield "ok", f"{record.reason is None:d}i"
    yield "duration_ms", f"{record.duration_ms}i"
    if record.clock.age_s is not None:
        yield "clock_age_s", f"{record.clock.age_s}i"
    if measurement.time_basis not in SETTLED:
        yield "time_unsettled", "1i"
    yield "received_delay_ms", f"{measurement.received_ms - measurement.at_ms}i"
    if record.reason is not None:
        yield f"failed_{record.reason if record.reason in _REASONS else 'other'}", "1i"
    if record.fields is None:
        return
    for name, show in _columns(record.kind):
        value = getattr(record.fields, name)
        if value is not None:
            yield name, show(value)
    yield from ((name, _whole(flag)) for name, flag in flags_of(record.fields).items())


@functools.cache
def _columns(kind: str) -> tuple[tuple[str, Show], ...]:
    """Numeric fields of a kind, each with what writes it."""
    hints = typing.get_type_hints(KINDS[kind])
    types = {name: _inner(hint) for name, hint in hints.items()}
    return tuple((name, _SHOW[t]) for name, t in types.items() if t in _SHOW)


def _inner(hint: object) -> object:
    options = [a for a in typing.get_args(hint) if a is not type(None)]
    return options[0] if len(options) == 1 else hint


def _whole(value: int) -> str:
    return f"{value:d}i"


def _decimal(value: float) -> str:
    return repr(float(value))


_SHOW: dict[object, Show] = {int: _whole, bool: _whole, float: _decimal}
