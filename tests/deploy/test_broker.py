# SPDX-License-Identifier: Apache-2.0
"""Does the centre of deploy/compose.yaml hear a device that has one file, and nobody else?

Real mosquitto, collector and agent, with exactly the files that the compose file mounts. What each may do at
the broker is in `tests.integration.test_identity_broker`: the same configuration.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract.envelope import is_sealed
from agent.identity import folder
from collector.authority.authority import create
from tests.deploy.centre import DEPLOY, Centre, centre
from tests.integration.test_identity_enrolment import Agent, until
from tests.parts.centre import Client, Credential

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre(tmp_path_factory.mktemp("centre")) as running:
        yield running


def _is_let_in(made: Centre, credential: Credential) -> bool:
    with Client(made.broker.port, credential) as client:
        return client.is_in


def test_a_device_with_one_file_delivers_records_and_is_locked_out_once_revoked(
    made: Centre, tmp_path: Path
) -> None:
    agent = Agent(tmp_path, "pi-0001")
    made.invite("pi-0001", agent.file)
    with agent:
        until(made.collector.payloads)
        assert all(is_sealed(payload) for payload in made.collector.payloads())
    certificate = folder.certificate(agent.identity)
    assert certificate is not None
    mine = Credential(agent.identity / folder.CA, certificate.cert_file, certificate.key_file)
    assert _is_let_in(made, mine)

    made.collector.enrol("revoke", "pi-0001")
    until(lambda: not _is_let_in(made, mine))
    print(f"{len(made.collector.payloads())} signed batches stored")


def test_a_stranger_is_refused(made: Centre, tmp_path: Path) -> None:
    ca = made.authority / "ca.crt"
    create(tmp_path / "other", ["127.0.0.1"], name="test", now_s=time.time())
    strangers = tmp_path / "other/collector.crt", tmp_path / "other/collector.key"
    ours = made.authority / "collector.crt", made.authority / "collector.key"

    assert _is_let_in(made, Credential(ca, *ours))
    assert not _is_let_in(made, Credential(ca))
    assert not _is_let_in(made, Credential(ca, *strangers))


def test_the_broker_is_given_no_private_key_but_its_own(made: Centre) -> None:
    given = {file.name for file in made.files.volume.iterdir()}
    assert given == {"acl", "ca.crt", "broker.crt", "broker.key", "crl.pem"}
    assert not any(made.authority == place for place in made.broker.mounts.values())


def test_secrets_stay_as_they_are_when_nothing_is_new(tmp_path: Path) -> None:
    command = [sys.executable, str(DEPLOY / "credentials.py"), "--directory", str(tmp_path / "secrets")]
    told = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert (len(told[0].splitlines()), told[1]) == (3, "nothing was missing\n")
