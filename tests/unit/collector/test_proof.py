# SPDX-License-Identifier: Apache-2.0
"""Does `verify` say which entries are the device's own, and name the first that is not?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.contract.codec import encode
from agent.contract.kinds import Reach
from agent.contract.record import Batch
from agent.identity.sealing import Sealer
from agent.identity.signing import SigningKey
from collector.entry import NewEntry
from collector.journal import Journal
from collector.verify import Verdict, verify
from tests.unit.collector.samples import DEVICE, NOW_MS, SESSION, batch, record

KEY, OTHER = SigningKey(bytes(32)), SigningKey(bytes(31) + b"\1")
KEYS = {DEVICE: [OTHER.public, KEY.public]}


def sealed(batches: Sequence[Batch], key: SigningKey = KEY) -> list[bytes]:
    sealer = Sealer(DEVICE, key, bytes(32))
    return [sealer.seal(encode(b), b) for b in batches]


def checked(directory: Path, batches: Sequence[Batch], payloads: Sequence[bytes]) -> Verdict:
    """What verify says of a journal that holds these."""
    journal = Journal.open(directory)
    for made, payload in zip(batches, payloads, strict=True):
        new = journal.seen.new_ranges(DEVICE, SESSION, made.first_seq, made.last_seq)
        journal.write(
            [NewEntry(received_ms=NOW_MS, device=DEVICE, session=SESSION, new=new, payload=payload)]
        )
    journal.close()
    return verify(directory, device_keys=KEYS)


TAGGED = [batch([n], want_ack=False) for n in (1, 2, 3)]


def test_each_entry_is_signed_or_chained(tmp_path: Path) -> None:
    made = [*TAGGED, batch([4]), batch([5], want_ack=False), batch([6])]
    found = checked(tmp_path, made, sealed(made))
    assert (found.faults, found.signed, found.chained, found.uncovered) == ((), 2, 4, 0)


def test_a_tail_that_no_signature_holds_for_yet_is_counted(tmp_path: Path) -> None:
    found = checked(tmp_path, TAGGED, sealed(TAGGED))
    assert (found.faults, found.uncovered, found.unproven) == ((), 3, ())


def test_one_that_was_put_into_the_journal_is_named(tmp_path: Path) -> None:
    made = [*TAGGED, batch([5])]
    payloads = sealed(made)
    strange = batch([4], want_ack=False)
    made.insert(2, strange)
    payloads.insert(2, sealed([strange])[0])
    found = checked(tmp_path, made, payloads)
    assert (found.faults, found.chained, found.uncovered) == ((), 3, 0)
    (said,) = found.unproven
    assert "entry 3 (kz-1" in said
    assert "seq 4-4" in said


def test_one_that_was_changed_is_named_when_its_records_come_again_signed(tmp_path: Path) -> None:
    payloads = sealed([*TAGGED, batch([4])])
    lie = batch([2], want_ack=False, records=(record(2, fields=Reach(up=False)),))
    payloads[1] = sealed([lie])[0]
    again = batch([1, 2, 3], backlog=True)
    made = [*TAGGED, batch([4]), again]
    found = checked(tmp_path, made, [*payloads, *sealed([again])])
    assert found.faults[0].entry == 5
    assert found.faults[0].problem == "it signs seq 2 with other contents than entry 2 has"


def test_one_whose_signature_is_of_a_strange_key_is_named(tmp_path: Path) -> None:
    made = [batch([1]), batch([2])]
    strange = sealed(made[1:], SigningKey(bytes(31) + b"\2"))
    found = checked(tmp_path, made, [*sealed(made[:1]), *strange])
    assert (found.faults[0].entry, found.faults[0].device) == (2, DEVICE)
    assert "of no key that this device ever had" in found.faults[0].problem


def test_signatures_of_keys_that_no_longer_hold_still_count(tmp_path: Path) -> None:
    made = [*TAGGED, batch([4])]
    assert checked(tmp_path, made, sealed(made, OTHER)).faults == ()


def test_without_keys_nothing_is_said_of_signatures(tmp_path: Path) -> None:
    checked(tmp_path, TAGGED, sealed(TAGGED))
    assert verify(tmp_path).signed is None
