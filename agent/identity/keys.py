# SPDX-License-Identifier: Apache-2.0
"""How are a device's keys and its certificate requests made?

Keys never leave the device. Needs the `cryptography` package, so the resident program runs this in a child
process and stays small.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from agent.identity.folder import write


def ensure_signing_key(file: Path) -> None:
    """An Ed25519 key, made when there is none."""
    if not file.exists():
        _write_key(file, Ed25519PrivateKey.generate())


def ensure_tls_key(file: Path) -> None:
    """A P-256 key, made when there is none."""
    if not file.exists():
        _write_key(file, ec.generate_private_key(ec.SECP256R1()))


def certificate_request(device: str, key_file: Path) -> str:
    """A request (PEM, RFC 2986) for a certificate in the device's name."""
    key = load_pem_private_key(key_file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{key_file} is no P-256 key")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def belongs(certificate: str, key_file: Path) -> bool:
    """Whether a certificate is for this key; ValueError when it is no certificate."""
    key = load_pem_private_key(key_file.read_bytes(), None)
    found = x509.load_pem_x509_certificate(certificate.encode())
    return isinstance(key, ec.EllipticCurvePrivateKey) and found.public_key() == key.public_key()


def _write_key(file: Path, key: PrivateKeyTypes) -> None:
    old_umask = os.umask(0o077)
    try:
        write(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    finally:
        os.umask(old_umask)
