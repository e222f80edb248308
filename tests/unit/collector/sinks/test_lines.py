# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import KINDS, Dns, Fields, Interface, Latency, Reach, Throughput
from agent.contract.reason import Reason
from collector.registry import School
from collector.sinks.base import Measurement
from collector.sinks.flags import FLAGS
from collector.sinks.lines import COMMON, clean, line, tags_of, time_us
from tests.unit.collector.sinks.measurements import AT_MS, event, latency, measurement, measurements

NASTY = [
    "a b",
    "a,b",
    "a=b",
    "a\\",
    "\\,",
    "a\nb x=1",
    "\r",
    "Қазақтелеком, АҚ",
    "№ 5",
    " ",
    "\x00",
    "\ud800",
    '"q"',
]
labels = st.sampled_from(NASTY) | st.text(max_size=8)


def parse(text: str) -> tuple[str, dict[str, str], dict[str, float], int]:
    """A reader of line protocol that knows nothing of the writer."""
    series, fields, time = re.split(r"(?<!\\) ", text)
    kind, *tags = re.split(r"(?<!\\),", series)
    pairs = dict(re.split(r"(?<!\\)=", tag, maxsplit=1) for tag in tags)
    plain = {name: re.sub(r"\\([ ,=])", r"\1", value) for name, value in pairs.items()}
    return kind, plain, dict(map(_field, fields.split(","))), int(time)


def _field(text: str) -> tuple[str, float]:
    name, value = text.split("=")
    return name, int(value[:-1]) if value.endswith("i") else float(value)


@given(measurements(), labels, labels)
def test_line_parses_back_to_tags_and_numbers_when_names_are_nasty(
    batch: list[Measurement], operator: str, school_id: str
) -> None:
    for one in batch:
        m = dataclasses.replace(one, school=School(id=school_id, operator=operator))
        kind, tags, fields, time = parse(line(m))
        assert (kind, tags, time) == (m.record.kind, tags_of(m), time_us(m))
        assert fields["ok"] == (m.record.reason is None)
        for name in (
            fields.keys()
            - COMMON.keys()
            - {f"failed_{m.record.reason}"}
            - FLAGS.get(m.record.kind, {}).keys()
        ):
            assert fields[name] == getattr(m.record.fields, name)


@given(labels)
def test_tag_is_one_clean_line_when_text_is_nasty(text: str) -> None:
    assert re.fullmatch(r"[^\\\x00-\x1f\x7f]*", clean(text))
    assert clean(clean(text)) == clean(text)


def test_line_is_utf8_of_one_row_when_school_has_kazakh_operator() -> None:
    text = line(measurement(school=School(id="17", operator="Қазақтелеком, АҚ")))
    assert r"operator=Қазақтелеком\,\ АҚ" in text


def test_whole_number_is_written_as_float_when_field_is_a_float() -> None:
    assert ",rtt_min_ms=20.0," in line(measurement(1, latency(rtts_ms=(20,))))
    assert "lookup_ms=1e+22" in line(measurement(1, Dns(target="::1", lookup_ms=1e22)))


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        (Reach(up=True, method="tcp"), "by_connection=1i"),
        (Reach(up=True, method="icmp"), "by_connection=0i"),
        (Latency(target="a", sent=1, method="tcp"), "by_connection=1i"),
        (Throughput(direction="up", server="s", method="tcp_bbr_1", mbps=1.0, validity="valid"), "valid=1i"),
        (Throughput(direction="up", server="s", method="ndt7", mbps=1.0, validity="suspect"), "valid=0i"),
        (Throughput(direction="up", server="s", method="ndt7", validity="invalid"), None),
        (Throughput(direction="up", server="s", method="ndt7", mbps=1.0), None),
        (Reach(up=True), None),
    ],
)
def test_words_that_a_number_cannot_do_without_are_flags(fields: Fields, flag: str | None) -> None:
    text = line(measurement(1, fields)).rpartition(" ")[0]
    assert (
        text.endswith(f",{flag}") if flag else not {"valid", "by_connection"} & set(re.split("[,= ]", text))
    )


def test_flag_is_written_as_integer() -> None:
    text = line(measurement(1, Interface(interface="eth0", source="host", up=False)))
    assert ",up=0i " in text


def test_words_and_histograms_are_left_out() -> None:
    text = line(measurement(1, latency(method="icmp")))
    assert "method" not in text
    assert "histogram" not in text


@pytest.mark.parametrize(("reason", "field"), [("timeout", "failed_timeout"), ("new word", "failed_other")])
def test_failed_record_counts_its_reason(reason: str, field: str) -> None:
    _, tags, fields, _ = parse(line(measurement(1, reason=reason)))
    assert (fields["ok"], fields[field]) == (0, 1)
    assert "target" not in tags


def test_empty_labels_are_left_out_and_backlog_is_no_tag() -> None:
    tags = tags_of(measurement(1, backlog=True))
    assert tags == {"school": "17", "device": "rpi-1"}


def test_places_in_a_millisecond_differ_when_seqs_are_near() -> None:
    times = {time_us(event("probe_overran", seq)) for seq in range(1, 1001)}
    assert len(times) == 1000
    assert {t // 1000 for t in times} == {AT_MS}


def test_places_differ_when_sessions_do() -> None:
    times = {time_us(measurement(1, session=f"{n:016x}")) for n in range(20)}
    assert len(times) > 15


def test_common_fields_have_names_of_their_own() -> None:
    taken = {f.name for kind in KINDS.values() for f in dataclasses.fields(kind)}
    assert not taken & (COMMON.keys() | {f"failed_{reason}" for reason in Reason} | {"failed_other"})
