# SPDX-License-Identifier: Apache-2.0
"""Does a running agent go on with the certificate it has, whatever it is answered?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config import AgentOptions, IdentityOptions, MqttOptions
from agent.contract.enrolment import Issued, encode
from agent.contract.record import ClockState
from agent.identity import folder, keys
from agent.identity.folder import Enrolled
from agent.identity.keeper import Keeper
from agent.publisher.link import Link
from collector.authority import certificates
from collector.authority.certificates import Life

ISSUER = certificates.make_authority("test", 1_790_000_000)
CLOCK = ClockState(wall_ms=0, mono_ms=0, boot="00000000")


def _enrol(directory: Path) -> None:
    folder.prepare(directory)
    keys.ensure_signing_key(directory / folder.SIGNING_KEY)
    keys.ensure_tls_key(directory / folder.MAKING_KEY)
    csr = keys.certificate_request("kz-1", directory / folder.MAKING_KEY)
    key = certificates.requested_key(csr, "kz-1")
    made = certificates.issue_client(ISSUER, "kz-1", key, Life(not_before_s=1, not_after_s=100))
    issued = Issued(certificate=certificates.pem(made), not_before_s=1, not_after_s=100)
    folder.write(directory / folder.CA, certificates.pem(ISSUER.certificate).encode())
    folder.add(directory, issued, "current")
    folder.finish(directory, Enrolled(device="kz-1", broker_host="centre.test", broker_port=8883))


@pytest.mark.parametrize("certificate", ["-----BEGIN nothing", certificates.pem(ISSUER.certificate)])
async def test_a_next_certificate_that_cannot_be_used_is_dropped_and_the_old_one_stays(
    tmp_path: Path, certificate: str, caplog: pytest.LogCaptureFixture
) -> None:
    _enrol(tmp_path)
    before = folder.certificate(tmp_path)
    mqtt = MqttOptions(ca_file=str(tmp_path / folder.CA))
    options = AgentOptions(device="kz-1", mqtt=mqtt, identity=IdentityOptions(directory=str(tmp_path)))
    link = Link("kz-1", "0" * 16, mqtt)
    keeper = Keeper(options, link, lambda: CLOCK)
    keys.ensure_tls_key(tmp_path / folder.MAKING_KEY)
    keeper._take(encode(Issued(certificate=certificate, not_before_s=1, not_after_s=2)))
    assert folder.certificate(tmp_path, "candidate") is not None

    caring = asyncio.create_task(keeper.run())
    await asyncio.sleep(0.5)
    assert not caring.done()
    caring.cancel()
    assert "certificate.unusable" in caplog.text
    assert folder.certificate(tmp_path, "candidate") is None
    assert folder.certificate(tmp_path) == before
