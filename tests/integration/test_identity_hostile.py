# SPDX-License-Identifier: Apache-2.0
"""What becomes of messages that a device with a good certificate should never have sent?

Real broker, real collector, devices enrolled at the real endpoint. Each attempt is answered by a sentence in
the dead letters or by nothing new in the journal; after each the collector goes on.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.contract import topics
from agent.contract.codec import encode
from agent.contract.dictionary import DICTIONARIES, NEWEST
from agent.contract.envelope import Envelope, seal, signed_bytes
from agent.contract.kinds import Reach
from agent.contract.record import Batch, ClockState, Record
from agent.identity import folder
from agent.identity.signing import SigningKey
from tests.integration.test_identity_enrolment import Scene, scene, until
from tests.parts.centre import NOT_AUTHORISED, Client, Credential, Device, school_agent

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(120)]

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


class Stage:
    """Two enrolled devices at a running centre."""

    def __init__(self, centre: Scene) -> None:
        self.centre = centre
        self.one, self.two = self._enrol("kz-1"), self._enrol("kz-2")
        self.client = Client(centre.broker.port, self.one)
        self._sessions = 0

    def new_session(self) -> str:
        """One that nobody has used."""
        self._sessions += 1
        return f"{self._sessions:016x}"

    def letters(self) -> list[dict[str, Any]]:
        """The dead letters."""
        files = sorted((self.centre.root / "dead").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def refused(self, payload: bytes) -> dict[str, Any]:
        """The letter that sending this makes; nothing of it is in the journal."""
        before, stored = len(self.letters()), len(self.centre.collector.payloads())
        assert self.client.up("kz-1", payload) in (0, 16)
        until(lambda: len(self.letters()) > before)
        assert len(self.centre.collector.payloads()) == stored
        return self.letters()[-1]

    def stored(self, payload: bytes) -> bytes:
        """What of this is in the journal."""
        before = len(self.centre.collector.payloads())
        self.client.up("kz-1", payload)
        until(lambda: len(self.centre.collector.payloads()) > before)
        return self.centre.collector.payloads()[-1]

    def _enrol(self, device: str) -> Device:
        file, place = self.centre.root / f"{device}.toml", self.centre.root / "devices" / device
        self.centre.file(device, file)
        told = school_agent("enrol", file, "--directory", place)
        assert told.returncode == 0, told.stderr
        made = folder.certificate(place)
        assert made is not None
        return Device(place / folder.CA, made.cert_file, made.key_file, device, place)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with scene(tmp_path_factory.mktemp("stage")) as centre:
        made = Stage(centre)
        yield made
        made.client.close()
        counted = centre.collector.refusals()
        print(f"refused: {counted}")
        assert "internal" not in counted


def _batch(session: str, seqs: tuple[int, ...] = (1,), *, device: str = "kz-1", **clock: Any) -> Batch:
    at = ClockState(**{"wall_ms": NOW_MS, "mono_ms": 60_000, "boot": "0badcafe", "age_s": 5, **clock})
    records = tuple(
        Record(seq=seq, kind="reach", clock=at, duration_ms=7, fields=Reach(up=True)) for seq in seqs
    )
    return Batch(device=device, session=session, first_seq=seqs[0], clock=at, records=records)


def _sealed(device: Device, payload: bytes) -> bytes:
    return device.key.seal("kz-1", payload)


def test_a_signed_batch_is_stored_as_it_came(stage: Stage) -> None:
    payload = _sealed(stage.one, encode(_batch(stage.new_session())))
    assert stage.stored(payload) == payload


def test_a_batch_without_a_signature_is_refused(stage: Stage) -> None:
    assert stage.refused(encode(_batch(stage.new_session())))["reason"] == "unsigned"


def test_a_batch_that_was_changed_after_signing_is_refused(stage: Stage) -> None:
    payload = bytearray(_sealed(stage.one, encode(_batch(stage.new_session()), "json")))
    payload[-5] ^= 1
    letter = stage.refused(bytes(payload))
    assert (letter["reason"], letter["problem"]) == ("bad_signature", "the signature does not hold")


def test_a_batch_signed_by_another_devices_key_is_refused(stage: Stage) -> None:
    letter = stage.refused(_sealed(stage.two, encode(_batch(stage.new_session()))))
    assert letter["reason"] == "bad_signature"
    assert "'kz-1' has" in letter["problem"]


def test_another_devices_key_under_this_ones_name_is_refused(stage: Stage) -> None:
    inner = encode(_batch(stage.new_session()))
    signature = stage.two.key.sign(signed_bytes("kz-1", inner))
    letter = stage.refused(seal(Envelope(stage.one.key.key_id, signature, inner)))
    assert letter["problem"] == "the signature does not hold"


def test_a_batch_that_another_device_signed_for_itself_cannot_be_passed_on(stage: Stage) -> None:
    inner = encode(_batch(stage.new_session(), device="kz-2"))
    letter = stage.refused(stage.two.key.seal("kz-2", inner))
    assert letter["reason"] == "bad_signature"


def test_a_payload_that_names_another_device_is_refused(stage: Stage) -> None:
    inner = encode(_batch(stage.new_session(), device="kz-2"))
    assert stage.refused(_sealed(stage.one, inner))["reason"] == "wrong_device"


def test_another_devices_topic_is_refused_by_the_broker(stage: Stage) -> None:
    payload = _sealed(stage.one, encode(_batch(stage.new_session())))
    assert stage.client.publish(topics.up("kz-2"), payload) == NOT_AUTHORISED


def test_an_old_batch_sent_again_is_not_stored_again(stage: Stage) -> None:
    session = stage.new_session()
    old = _sealed(stage.one, encode(_batch(session, (1, 2))))
    stage.stored(old)
    stage.stored(_sealed(stage.one, encode(_batch(session, (3,)))))
    before = stage.centre.collector.payloads()
    for _ in range(20):
        stage.client.up("kz-1", old)
    stage.stored(_sealed(stage.one, encode(_batch(session, (4,)))))
    assert [p for p in stage.centre.collector.payloads() if p == old] == [old]
    assert len(stage.centre.collector.payloads()) == len(before) + 1


def test_numbers_that_go_back_change_nothing_that_is_stored(stage: Stage) -> None:
    session = stage.new_session()
    stage.stored(_sealed(stage.one, encode(_batch(session, (1, 2, 3)))))
    rewound = _sealed(stage.one, encode(_batch(session, (1, 2), wall_ms=NOW_MS + HOUR_MS)))
    stage.client.up("kz-1", rewound)
    stage.stored(_sealed(stage.one, encode(_batch(session, (4,)))))
    assert rewound not in stage.centre.collector.payloads()


@pytest.mark.parametrize("wall_ms", [0, -NOW_MS, 2_000_000_000_000, 2**53 - 1])
def test_a_batch_whose_clock_is_far_off_is_kept_as_it_came(stage: Stage, wall_ms: int) -> None:
    payload = _sealed(stage.one, encode(_batch(stage.new_session(), wall_ms=wall_ms, age_s=None)))
    assert stage.stored(payload) == payload


def test_a_decompression_bomb_is_refused(stage: Stage) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[NEWEST])
    bomb = bytes([1, NEWEST]) + squeeze.compress(bytes(100_000_000)) + squeeze.flush()
    assert len(bomb) < 200_000
    letter = stage.refused(_sealed(stage.one, bomb))
    assert letter["reason"] == "not_decodable"
    assert "decompressed" in letter["problem"]


@pytest.mark.parametrize("opening", [b'{"v":1,"device":', b"[", b'{"a":'])
def test_deep_nesting_is_refused(stage: Stage, opening: bytes) -> None:
    deep = b'{"v":1,"device":' + (opening.removeprefix(b'{"v":1,"device":') or b"[") * 50_000
    assert stage.refused(_sealed(stage.one, deep))["reason"] == "not_decodable"


def test_an_envelope_in_an_envelope_is_refused(stage: Stage) -> None:
    inner = _sealed(stage.one, encode(_batch(stage.new_session())))
    assert stage.refused(_sealed(stage.one, inner))["reason"] == "not_decodable"


def test_a_message_larger_than_the_collector_takes_is_refused(stage: Stage) -> None:
    letter = stage.refused(_sealed(stage.one, b"{" + bytes(280_000)))
    assert letter["reason"] == "too_large"


def test_ten_megabytes_end_the_session_at_the_broker(stage: Stage) -> None:
    with Client(stage.centre.broker.port, stage.two) as flooder:
        flooder.send(topics.up("kz-2"), bytes(10_000_000))
        flooder.wait(lambda: flooder.is_gone)
    assert stage.stored(_sealed(stage.one, encode(_batch(stage.new_session()))))


def test_a_request_for_a_certificate_that_makes_no_sense_gets_a_sentence(stage: Stage) -> None:
    stage.client.subscribe(topics.crt("kz-1"))
    for content in (b"", b"{", b"[" * 5000, b'{"csr":"x","signature":"00"}', bytes(20_000)):
        stage.client.received.clear()
        stage.client.publish(topics.csr("kz-1"), content)
        stage.client.wait(lambda: bool(stage.client.received))
        assert "refused" in json.loads(stage.client.received[0][1])


def test_a_key_the_authority_never_saw_signs_nothing(stage: Stage, tmp_path: Path) -> None:
    strange = SigningKey(bytes(range(32)))
    letter = stage.refused(strange.seal("kz-1", encode(_batch(stage.new_session()))))
    assert letter["reason"] == "bad_signature"


def test_a_stranger_is_not_let_in(stage: Stage) -> None:
    with Client(stage.centre.broker.port, Credential(stage.one.ca_file)) as stranger:
        assert not stranger.is_in
