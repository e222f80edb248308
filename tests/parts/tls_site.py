# SPDX-License-Identifier: Apache-2.0
"""How does a test run web sites whose certificates are right, or wrong in one way each? nginx serves them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.parts.program import Program, find

PAGE = b"<!doctype html><title>school</title><p>The right page.\n"

_DAY = dt.timedelta(days=1)
_CONFIG = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{servers}
}}
"""
_SERVER = """\
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {folder}/{name}.crt;
        ssl_certificate_key {folder}/{name}.key;
        {more}
        root {folder};
    }}
"""
_OLD_TLS = "ssl_protocols TLSv1; ssl_ciphers ALL:@SECLEVEL=0;"


@dataclass(frozen=True)
class Issuer:
    """An authority: its name, key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def issuer(organisation: str) -> Issuer:
    """A new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(organisation, "root")
    valid = (_now() - _DAY, _now() + _DAY)
    return Issuer(key, _signed(name, name, key=key, signer=key, valid=valid, is_ca=True))


def write_certificates(folder: Path, host: str, trusted: Issuer, stranger: Issuer) -> tuple[str, ...]:
    """Key and certificate of each kind of site; the names of the kinds, one of which speaks TLS 1.0 only."""
    now = _now()
    good, over = (now - _DAY, now + _DAY), (now - 2 * _DAY, now - _DAY)
    ahead = (now + _DAY, now + 2 * _DAY)
    kinds = {
        "good": (trusted, host, good),
        "expired": (trusted, host, over),
        "not_yet_valid": (trusted, host, ahead),
        "wrong_name": (trusted, "other.test", good),
        "old_tls": (trusted, host, good),
        "unknown_ca": (stranger, host, good),
        "self_signed": (None, host, good),
    }
    for kind, (by, name, valid) in kinds.items():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("School", name)
        issued_by = by.certificate.subject if by else subject
        made = _signed(subject, issued_by, key=key, signer=by.key if by else key, valid=valid, names=(name,))
        (folder / f"{kind}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / f"{kind}.key").write_bytes(key.private_bytes(*pem))
    return tuple(kinds)


class Sites(Program):
    """One site for each kind of certificate, on neighbouring ports."""

    name = "nginx"

    def __init__(
        self, directory: Path, ports: dict[str, int], folder: Path, *, host: str = "127.0.0.1"
    ) -> None:
        super().__init__(directory, port=ports["good"])
        self.ports = ports
        self._folder = folder
        self._host = host

    def command(self) -> list[str]:
        """One foreground process."""
        (self._folder / "index.html").write_bytes(PAGE)
        servers = "".join(
            _SERVER.format(
                host=self._host,
                port=port,
                folder=self._folder,
                name=kind,
                more=_OLD_TLS if kind == "old_tls" else "",
            )
            for kind, port in self.ports.items()
        )
        config = self.directory / "nginx.conf"
        config.write_text(_CONFIG.format(directory=self.directory, servers=servers))
        return [find("nginx"), "-p", str(self.directory), "-c", str(config)]


def _signed(
    subject: x509.Name,
    by: x509.Name,
    *,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    valid: tuple[dt.datetime, dt.datetime],
    names: tuple[str, ...] = (),
    is_ca: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _name(organisation: str, name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
