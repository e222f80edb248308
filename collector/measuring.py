# SPDX-License-Identifier: Apache-2.0
"""Which measurements does a message hold, at which school and when was each made?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agent.contract.codec import decode_batch
from agent.contract.ranges import Range, RangeSet
from agent.contract.record import Batch, Refused, to_plain
from collector.admission import Admitted
from collector.entry import Entry
from collector.moment import Witness, place_in_time, witnesses
from collector.registry import Registry
from collector.sinks.base import Gap, Measurement

NOBODY: Mapping[str, Witness] = {}


def batch_of(entry: Entry) -> Batch:
    """What an entry says.

    Raises:
        DecodeError: the payload cannot be read by this version.
    """
    return decode_batch(entry.payload).batch


def measurements(
    entry: Entry, batch: Batch, registry: Registry, known: Mapping[str, Witness] = NOBODY
) -> list[Measurement]:
    """What an entry brought that was new, of devices that stood at a school then.

    `known` are instants at which true time was known, by boot, from all that was heard of the device. Where
    they lead to a time at which the device stood nowhere, the batch alone places the record, as it did when
    it was taken in: it is either there, or among the dead letters.
    """
    is_new = RangeSet(entry.new)
    own = witnesses(batch, entry.received_ms)
    placed = []
    for record in batch.records:
        boot = record.clock.boot
        moment = place_in_time(record.clock, batch, entry.received_ms, known.get(boot, own.get(boot)))
        school = registry.school_of(entry.device, moment.at_ms)
        if school is None and boot in known:
            moment = place_in_time(record.clock, batch, entry.received_ms, own.get(boot))
            school = registry.school_of(entry.device, moment.at_ms)
        if record.seq in is_new and school is not None:
            placed.append(
                Measurement(
                    school=school,
                    device=entry.device,
                    session=entry.session,
                    record=record,
                    at_ms=moment.at_ms,
                    received_ms=entry.received_ms,
                    backlog=batch.backlog,
                    time_basis=moment.basis,
                )
            )
    return placed


def gaps(entry: Entry) -> list[Gap]:
    """What an entry accounts for without having it; records that made no sense are among the dead letters.

    Raises:
        DecodeError: the payload cannot be read by this version.
    """
    decoded = decode_batch(entry.payload)
    seqs = [r.seq for r in decoded.batch.records] + [r.seq for r in decoded.refused]
    here = RangeSet((seq, seq) for seq in seqs)
    return [
        Gap(
            device=entry.device,
            session=entry.session,
            first_seq=low,
            last_seq=high,
            received_ms=entry.received_ms,
        )
        for new in entry.new
        for low, high in here.missing(*new)
    ]


def unplaced(admitted: Admitted, new: Sequence[Range], registry: Registry) -> Iterator[Refused]:
    """New records of a device that stood at no school when they were made."""
    batch, is_new = admitted.batch, RangeSet(new)
    known = witnesses(batch, admitted.message.received_ms)
    for record in batch.records:
        witness = known.get(record.clock.boot)
        at_ms = place_in_time(record.clock, batch, admitted.message.received_ms, witness).at_ms
        if record.seq in is_new and registry.school_of(batch.device, at_ms) is None:
            problem = f"{batch.device!r} stood at no school at {at_ms} ms"
            yield Refused(seq=record.seq, problem=problem, plain=to_plain(record))
