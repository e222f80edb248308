# SPDX-License-Identifier: Apache-2.0
"""What becomes of batches between two signatures that are changed, put in, doubled, late or lost?

Real broker, real collector, a device enrolled at the real endpoint; the attacker is whoever has the device's
TLS key or the broker, but not the device's signing key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.contract import topics
from agent.contract.codec import decode_ack, encode
from agent.contract.envelope import Chained, Tagged, open_envelope, seal
from agent.contract.record import Ack, Batch
from agent.identity import folder
from agent.identity.agreement import agree
from agent.identity.sealing import Sealer
from tests.integration.test_identity_enrolment import scene, until
from tests.integration.test_identity_hostile import Stage, _batch
from tests.parts.centre import school_collector

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(120)]


class Between:
    """A stage, and what its first device would send."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        certificate = folder.certificate(stage.one.directory)
        assert certificate is not None
        assert certificate.tag_key is not None
        tag_key = agree(stage.one.key, "kz-1", certificate.tag_key)
        self.session = stage.new_session()
        self.sealer = Sealer("kz-1", stage.one.key, tag_key)
        stage.client.subscribe(topics.ack("kz-1"))

    def tagged(self, *seqs: int) -> bytes:
        return self._sealed(Batch(**{**_plain(_batch(self.session, seqs)), "want_ack": False}))

    def signed(self, *seqs: int) -> bytes:
        return self._sealed(_batch(self.session, seqs))

    def send(self, *payloads: bytes) -> None:
        for payload in payloads:
            assert self.stage.client.up("kz-1", payload) in (0, 16)

    def ask(self, payload: bytes) -> Ack:
        """Send what asks for an acknowledgement."""
        received = self.stage.client.received
        received.clear()
        self.send(payload)
        self.stage.client.wait(lambda: bool(received))
        return decode_ack(received[-1][1])

    def verdict(self) -> dict[str, Any]:
        """What `school-collector verify` says."""
        told = school_collector("verify", "--config", self.stage.centre.collector.config, "--json")
        found: dict[str, Any] = json.loads(told.stdout)
        found["unproven"] = [line for line in found["unproven"] if self.session in line]
        return found

    def _sealed(self, made: Batch) -> bytes:
        return self.sealer.seal(encode(made), made)


def _plain(made: Batch) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Batch.__dataclass_fields__}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with scene(tmp_path_factory.mktemp("between")) as centre:
        made = Stage(centre)
        yield made
        made.client.close()


@pytest.fixture
def between(stage: Stage) -> Between:
    return Between(stage)


def test_what_is_tagged_is_stored_at_once_and_acknowledged_when_a_signature_holds_for_it(
    between: Between,
) -> None:
    first = between.tagged(1, 2)
    assert between.stage.stored(first) == first
    between.send(between.tagged(3))
    closing = between.signed(4)
    assert isinstance(open_envelope(closing), Chained)
    assert between.ask(closing).up_to_seq == 4
    found = between.verdict()
    assert (found["faults"], found["unproven"]) == ([], [])
    assert found["chained"] >= 2


def test_one_that_is_changed_is_refused_and_all_of_its_chain_come_again(between: Between) -> None:
    first, second, closing = between.tagged(1), bytearray(between.tagged(2)), between.signed(3)
    between.stage.stored(first)
    second[-5] ^= 1
    letter = between.stage.refused(bytes(second))
    assert (letter["reason"], letter["problem"]) == ("bad_signature", "the tag does not hold")
    ack = between.ask(closing)
    assert (ack.up_to_seq, ack.ranges) == (0, ((3, 3),))
    assert between.ask(between.signed(1, 2)).up_to_seq == 3
    assert between.verdict()["unproven"] == []


def test_one_that_is_put_in_is_refused_and_the_chain_holds(between: Between) -> None:
    first, closing = between.tagged(1), between.signed(2)
    between.stage.stored(first)
    strange = seal(Tagged(bytes(6), encode(_batch(between.session, (9,)))))
    assert between.stage.refused(strange)["reason"] == "bad_signature"
    other = Sealer("kz-1", between.stage.two.key, bytes(32))
    made = Batch(**{**_plain(_batch(between.session, (8,))), "want_ack": False})
    assert between.stage.refused(other.seal(encode(made), made))["reason"] == "bad_signature"
    assert between.ask(closing).up_to_seq == 2


def test_a_signature_is_for_its_own_chain_only(between: Between) -> None:
    between.stage.stored(between.tagged(1))
    closing = open_envelope(between.signed(2))
    assert isinstance(closing, Chained)
    for count, chain in ((2, closing.chain), (1, bytes(16))):
        letter = between.stage.refused(seal(Chained(count, chain, closing.signature, closing.inner)))
        assert letter["problem"] == "the signature does not hold"


def test_old_ones_that_come_again_change_nothing(between: Between) -> None:
    old = [between.tagged(1), between.tagged(2)]
    between.send(*old)
    closing = between.signed(3)
    assert between.ask(closing).up_to_seq == 3
    stored = between.stage.centre.collector.payloads()
    between.send(*old, closing, *old)
    assert between.ask(between.signed(4)).up_to_seq == 4
    assert len(between.stage.centre.collector.payloads()) == len(stored) + 1


def test_out_of_order_and_doubled_they_are_all_proven(between: Between) -> None:
    sent = [between.tagged(n) for n in range(1, 7)]
    between.send(*sent[::-1], *sent[2:4])
    assert between.ask(between.signed(7)).up_to_seq == 7


def test_where_one_is_lost_none_of_its_chain_is_acknowledged_until_it_comes_again(between: Between) -> None:
    sent = [between.tagged(n) for n in range(1, 5)]
    between.send(sent[0], *sent[2:])
    ack = between.ask(between.signed(5))
    assert (ack.up_to_seq, ack.ranges) == (0, ((5, 5),))
    assert between.ask(between.signed(1, 2, 3, 4)).up_to_seq == 5


def test_what_was_open_is_open_after_a_restart(between: Between) -> None:
    between.send(between.tagged(1), between.tagged(2))
    collector = between.stage.centre.collector
    until(lambda: between.verdict()["uncovered"] >= 2)
    before = collector.log.count("mqtt.connected")
    collector.kill9()
    collector.start()
    until(lambda: collector.log.count("mqtt.connected") > before)
    assert between.ask(between.signed(3)).up_to_seq == 3
