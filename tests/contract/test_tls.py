# SPDX-License-Identifier: Apache-2.0
"""Are certificates and keys that cannot be used told from each other, by the setting that names them?"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from agent.contract.decoder import DecodeError
from agent.contract.tls import show_certificate, trusting


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name, kind in (("a", "ec"), ("b", "ec"), ("weak", "rsa:1024")):
        curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else []
        files = ["-out", f"{name}.crt", "-keyout", f"{name}.key"]
        _openssl(folder, "req", "-x509", "-newkey", kind, *curve, "-nodes", "-subj", "/CN=test", *files)
    _openssl(folder, "ec", "-in", "a.key", "-aes128", "-passout", "pass:x", "-out", "encrypted.key")
    (folder / "both.pem").write_text((folder / "a.key").read_text() + (folder / "a.crt").read_text())
    (folder / "garbage").write_text("nothing")
    return folder


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(("cert", "key"), [("a.crt", "a.key"), ("both.pem", "both.pem")])
def test_a_certificate_with_its_key_is_taken(folder: Path, cert: str, key: str) -> None:
    context = trusting("ca_file", str(folder / "a.crt"))
    show_certificate(context, "mqtt", str(folder / cert), str(folder / key))

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("cert", "key", "sentence"),
    [
        ("none", "a.key", "cert_file: .*/none cannot be read: No such file"),
        ("a.crt", "none", "key_file: .*/none cannot be read: No such file"),
        ("garbage", "a.key", "cert_file: .*/garbage holds no certificate"),
        ("a.key", "a.crt", "cert_file: .*/a.key holds no certificate"),
        ("a.crt", "garbage", "key_file: .*/garbage holds no private key"),
        ("a.crt", "a.crt", "key_file: .*/a.crt holds no private key"),
        ("a.crt", "b.key", "key_file: .*/b.key is not the key of .*/a.crt"),
        ("a.crt", "encrypted.key", "key_file: .*/encrypted.key is encrypted"),
        ("weak.crt", "weak.key", "cert_file: .*/weak.crt has a key that is too short"),
        ("a.crt", "a\0.key", "key_file: .* cannot be read: embedded null"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_its_setting(
    folder: Path, cert: str, key: str, sentence: str
) -> None:
    context = trusting("ca_file", str(folder / "a.crt"))

    with pytest.raises(DecodeError, match=rf"^mqtt\.{sentence}"):
        show_certificate(context, "mqtt", f"{folder}/{cert}", f"{folder}/{key}")


@pytest.mark.parametrize("name", ["none", "garbage", "a.key", "."])
def test_who_cannot_be_trusted_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(DecodeError, match=r"^ca_file: "):
        trusting("ca_file", str(folder / name))
