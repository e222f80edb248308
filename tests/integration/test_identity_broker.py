# SPDX-License-Identifier: Apache-2.0
"""Whom does the real broker let in, with the files of deploy/, and what may each of them do?"""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract import topics
from agent.contract.enrolment import encode
from agent.identity import enrolment
from collector.authority.authority import Authority, create
from collector.authority.eviction import evict
from collector.authority.options import AuthorityOptions
from collector.broker import Broker, MqttOptions, read_broker
from tests.parts.centre import NOT_AUTHORISED, Centre, Credential

pytestmark = pytest.mark.parts("mosquitto")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with Centre(tmp_path_factory.mktemp("centre")) as made:
        yield made


def _collector_broker(centre: Centre) -> Broker:
    mine = centre.collector
    return read_broker(
        MqttOptions(
            host="127.0.0.1",
            port=centre.broker.port,
            ca_file=str(mine.ca_file),
            cert_file=str(mine.cert_file),
            key_file=str(mine.key_file),
        ),
        {},
    )


def test_an_enrolled_device_is_let_in(centre: Centre) -> None:
    with centre.client(centre.enrol("kz-1")) as device:
        assert device.is_in
        assert device.up("kz-1", b"x") in (0, 16)


def test_whoever_has_no_certificate_is_not_let_in(centre: Centre) -> None:
    with centre.client(Credential(centre.folder / "ca.crt")) as stranger:
        assert not stranger.is_in


def test_a_certificate_of_a_strangers_authority_is_not_let_in(centre: Centre, tmp_path: Path) -> None:
    create(tmp_path / "other", ["127.0.0.1"], name="test", now_s=time.time())
    other = tmp_path / "other"
    credential = Credential(centre.folder / "ca.crt", other / "collector.crt", other / "collector.key")
    with centre.client(credential) as stranger:
        assert not stranger.is_in


def test_an_expired_certificate_is_not_let_in(centre: Centre, tmp_path: Path) -> None:
    a_year_ago = Authority(centre.folder, AuthorityOptions(device_days=30), lambda: time.time() - 365 * 86400)
    given = centre.invitation("kz-old")
    given = dataclasses.replace(given, token=a_year_ago.invite("kz-old")[0])
    issued = a_year_ago.enrol(enrolment.request(given, tmp_path))
    enrolment.accept(given, tmp_path, encode(issued))
    a_year_ago.close()
    assert issued.not_after_s < time.time()
    folder = tmp_path / "current"
    credential = Credential(tmp_path / "ca.crt", folder / "cert.pem", folder / "key.pem")
    with centre.client(credential) as device:
        assert not device.is_in


def test_the_brokers_own_certificate_does_not_serve_to_connect(centre: Centre) -> None:
    files = centre.folder / "broker.crt", centre.folder / "broker.key"
    with centre.client(Credential(centre.folder / "ca.crt", *files)) as thief:
        assert not thief.is_in


@pytest.mark.parametrize(
    "topic",
    [
        topics.up("kz-2"),
        topics.status("kz-2"),
        topics.csr("kz-2"),
        topics.ack("kz-1"),
        topics.crt("kz-1"),
        topics.config("kz-1"),
        "sp/1/0/kz-2/up",
        "sp/1/0/collector/up",
        "$SYS/broker/x",
        "other",
    ],
)
def test_a_device_writes_to_no_topic_of_another(centre: Centre, topic: str) -> None:
    with centre.client(centre.enrol("kz-1")) as device:
        assert device.publish(topic) == NOT_AUTHORISED


@pytest.mark.parametrize("wish", ["#", "sp/1/+/+/up", "sp/#", "sp/1/+/kz-2/ack"])
def test_a_wildcard_is_granted_and_delivers_nothing_of_others(centre: Centre, wish: str) -> None:
    with (
        centre.client(centre.enrol("kz-1")) as device,
        centre.client(centre.enrol("kz-2")) as other,
        centre.client(centre.collector) as collector,
    ):
        device.subscribe(wish)
        device.subscribe(topics.ack("kz-1"))
        other.up("kz-2", b"not yours")
        assert collector.publish(topics.ack("kz-2"), b"not yours either") in (0, 16)
        collector.publish(topics.crt("kz-2"), b"nor this")
        collector.publish(topics.ack("kz-1"), b"yours")
        device.wait(lambda: bool(device.received))
        assert set(device.received) == {(topics.ack("kz-1"), b"yours")}


def test_a_client_id_is_the_certificates_whatever_is_asked_for(centre: Centre) -> None:
    with (
        centre.client(centre.enrol("kz-1")) as device,
        centre.client(centre.enrol("kz-2"), client_id="kz-1") as thief,
    ):
        assert thief.is_in
        assert device.is_in
        assert thief.up("kz-1", b"x") == NOT_AUTHORISED
        assert device.up("kz-1", b"x") in (0, 16)


def test_a_revoked_device_is_not_let_in_once_the_broker_has_read_the_list(centre: Centre) -> None:
    revoked = centre.enrol("kz-3")
    assert centre.authority.revoke("kz-3") == 1
    centre.broker.signal(signal.SIGHUP)
    _until_refused(centre, revoked)
    with centre.client(centre.enrol("kz-1")) as other:
        assert other.is_in


def test_a_revoked_devices_session_goes_on_until_it_is_evicted(centre: Centre) -> None:
    revoked = centre.enrol("kz-4")
    with centre.client(revoked, reconnect=True) as device, centre.client(centre.enrol("kz-5")) as bystander:
        assert centre.authority.revoke("kz-4") == 1
        centre.broker.signal(signal.SIGHUP)
        _until_refused(centre, centre.enrol_revoked("kz-6"))
        assert device.up("kz-4", b"still here") in (0, 16)
        assert evict(centre.authority, _collector_broker(centre), "kz-4")
        device.wait(lambda: device.is_gone)
        _until_refused(centre, revoked)
        assert bystander.is_in


def test_only_a_revoked_device_can_be_stood_in_for(centre: Centre) -> None:
    centre.enrol("kz-7")
    with pytest.raises(Exception, match="is not revoked"):
        centre.authority.stand_in("kz-7")


def test_a_message_of_ten_megabytes_ends_its_senders_session_and_nobody_elses(centre: Centre) -> None:
    with centre.client(centre.enrol("kz-1")) as flooder, centre.client(centre.enrol("kz-2")) as other:
        flooder.send(topics.up("kz-1"), bytes(10_000_000))
        flooder.wait(lambda: flooder.is_gone)
        assert other.up("kz-2", b"x") in (0, 16)


def test_openssl_finds_the_authority_and_its_list_sound(centre: Centre) -> None:
    ca = str(centre.folder / "ca.crt")
    device = centre.enrol("kz-8")
    for file, purpose in ((device.cert_file, "sslclient"), (centre.folder / "broker.crt", "sslserver")):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca]
        told = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
    crl = ["openssl", "crl", "-in", str(centre.folder / "crl.pem"), "-CAfile", ca, "-noout"]
    assert "verify OK" in subprocess.run(crl, capture_output=True, text=True, check=True).stderr


def _until_refused(centre: Centre, credential: Credential) -> None:
    """mosquitto reads its list some time after the signal."""
    end_s = time.monotonic() + 10
    while True:
        with centre.client(credential) as device:
            if not device.is_in:
                return
        assert time.monotonic() < end_s, "still let in"
        time.sleep(0.1)
