# SPDX-License-Identifier: Apache-2.0
"""Is every batch signed, or spoken of by the next signature?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.envelope import (
    MOST_CHAINED,
    Chained,
    Envelope,
    Tagged,
    chain_of,
    digest,
    open_envelope,
)
from agent.contract.record import Batch, ClockState
from agent.contract.tag import tag
from agent.identity.sealing import Sealer
from agent.identity.signing import SigningKey
from collector.authority.signers import verifies

KEY = SigningKey(bytes(32))
TAG_KEY = bytes(range(32))
CLOCK = ClockState(wall_ms=0, mono_ms=0, boot="00000000")


def batch(session: str = "00000000000000aa", *, want_ack: bool, backlog: bool = False) -> Batch:
    return Batch(device="kz-1", session=session, first_seq=1, clock=CLOCK, want_ack=want_ack, backlog=backlog)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("ab")), max_size=90))
def test_whatever_is_sent_each_is_signed_or_in_the_next_chain_of_its_session(
    sent: list[tuple[bool, bool, str]],
) -> None:
    sealer, waiting, of = Sealer("kz-1", KEY, TAG_KEY), list[bytes](), ""
    for number, (want_ack, backlog, letter) in enumerate(sent):
        session, payload = letter * 16, b"{%d" % number
        made = open_envelope(sealer.seal(payload, batch(session, want_ack=want_ack, backlog=backlog)))
        if isinstance(made, Tagged):
            assert not want_ack
            assert not backlog
            assert made.tag == tag(TAG_KEY, "kz-1", payload)
            waiting, of = [*(waiting if of == session else []), digest(payload)], session
            continue
        assert verifies(KEY.public, "kz-1", made)
        assert isinstance(made, Chained) == bool(waiting and of == session)
        if isinstance(made, Chained):
            assert (made.count, made.chain) == (len(waiting), chain_of(waiting))
            waiting = []


def test_a_device_that_knows_no_key_of_the_authority_signs_every_batch() -> None:
    sealer = Sealer("kz-1", KEY)
    made = [open_envelope(sealer.seal(b"{", batch(want_ack=False))) for _ in range(3)]
    assert all(isinstance(m, Envelope) for m in made)


def test_a_chain_does_not_grow_for_ever() -> None:
    sealer = Sealer("kz-1", KEY, TAG_KEY)
    made = [open_envelope(sealer.seal(b"{", batch(want_ack=False))) for _ in range(MOST_CHAINED + 1)]
    assert isinstance(made[-1], Chained)
    assert made[-1].count == MOST_CHAINED
