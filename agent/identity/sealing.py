# SPDX-License-Identifier: Apache-2.0
"""Which batches are signed, and which only tagged until the next signature holds for them too?

What asks for an acknowledgement is signed, since only what a signature holds for may be acknowledged. Should
a signed batch be lost, the collector does not acknowledge those its chain spoke of, and they are sent again,
as backlog, each signed. A device that knows no key of the authority signs every batch.
"""

from __future__ import annotations

from agent.contract.envelope import MOST_CHAINED, Chained, Tagged, chain_of, chained_bytes, digest, seal
from agent.contract.record import Batch
from agent.contract.tag import tag
from agent.identity.signing import SigningKey


class Sealer:
    """The envelope maker of one device."""

    def __init__(self, device: str, key: SigningKey, tag_key: bytes | None = None) -> None:
        self.tag_key = tag_key
        self._device = device
        self._key = key
        self._session = ""
        self._tagged: list[bytes] = []

    def seal(self, payload: bytes, batch: Batch) -> bytes:
        """A batch as it goes out."""
        is_signed = batch.want_ack or batch.backlog or len(self._tagged) >= MOST_CHAINED
        if self.tag_key is not None and not is_signed:
            return self._tag(payload, batch.session, self.tag_key)
        if batch.session == self._session and self._tagged:
            return self._chain(payload)
        return self._key.seal(self._device, payload)

    def _tag(self, payload: bytes, session: str, key: bytes) -> bytes:
        if session != self._session:
            self._session, self._tagged = session, []
        self._tagged.append(digest(payload))
        return seal(Tagged(tag(key, self._device, payload), payload))

    def _chain(self, payload: bytes) -> bytes:
        count, chain = len(self._tagged), chain_of(self._tagged)
        self._tagged = []
        signature = self._key.sign(chained_bytes(self._device, count, chain, payload))
        return seal(Chained(count, chain, signature, payload))
