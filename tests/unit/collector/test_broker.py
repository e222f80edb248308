# SPDX-License-Identifier: Apache-2.0
"""Are passwords and certificates read from files, and refused when they cannot be?"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from agent.contract.decoder import DecodeError
from collector.broker import MqttOptions, read_broker


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("certificate")
    files = str(folder / "test.crt"), str(folder / "test.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    options = ["-subj", "/CN=test", "-days", "1", "-out", files[0], "-keyout", files[1]]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return files


def test_a_password_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    options = MqttOptions(username="collector", password_file=str(tmp_path / "password"))

    assert read_broker(options, {}).password == "s3cret"


def test_a_password_is_read_from_a_systemd_credential(tmp_path: Path) -> None:
    (tmp_path / "mqtt").write_text("s3cret")
    options = MqttOptions(username="collector", password_file="mqtt")

    assert read_broker(options, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).password == "s3cret"


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_password_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    options = MqttOptions(username="collector", password_file=str(tmp_path / "password"))

    with pytest.raises(DecodeError, match="password_file"):
        read_broker(options, {})


def test_without_certificates_there_is_no_tls() -> None:
    broker = read_broker(MqttOptions(), {})

    assert (broker.tls, broker.port) == (None, 1883)


def test_certificates_turn_tls_on(certificate: tuple[str, str]) -> None:
    crt, key = certificate
    broker = read_broker(MqttOptions(ca_file=crt, cert_file=crt, key_file=key), {})

    assert broker.tls is not None
    assert broker.tls.minimum_version == ssl.TLSVersion.TLSv1_2
    assert broker.tls.verify_mode == ssl.CERT_REQUIRED
    assert broker.port == 8883
