# SPDX-License-Identifier: Apache-2.0
"""What do our certificates and the list of revoked ones look like? Keys and times come in, X.509 goes out.

P-256 throughout (RFC 5480): the smallest handshake that every TLS library knows. The authority's and the
servers' certificates are valid from 1970 on: a device that has just booted without a clock must be able to
report, since the collector's answer is what tells it the time.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from collector.authority.errors import Refused

CRL_DAYS = 90
CRL_ALARM_DAYS = 14
CA_DAYS = 20 * 365
SERVER_DAYS = 10 * 365
_EPOCH_S = 0
_SKEW_S = 3600
_DAY_S = 86400

PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """The authority's certificate and key."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, kw_only=True)
class Life:
    """From when until when, Unix time."""

    not_before_s: int
    not_after_s: int

    @classmethod
    def of(cls, now_s: float, days: float) -> Life:
        """From a little before now on, for clocks that are late."""
        begin_s = int(now_s) - min(_SKEW_S, int(days * _DAY_S))
        return cls(not_before_s=begin_s, not_after_s=max(begin_s + 1, int(now_s + days * _DAY_S)))

    @classmethod
    def since_ever(cls, now_s: float, days: float) -> Life:
        """For those whom devices without a clock must trust."""
        return cls(not_before_s=_EPOCH_S, not_after_s=int(now_s + days * _DAY_S))


def new_key() -> PrivateKey:
    """A P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def make_authority(name: str, now_s: float) -> Issuer:
    """A new authority, which signs itself."""
    key = new_key()
    subject = _name(name)
    builder = _builder(subject, key.public_key(), Life.since_ever(now_s, CA_DAYS)).issuer_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(sign_others=True), critical=True)
    return Issuer(certificate=builder.sign(key, hashes.SHA256()), key=key)


def issue_client(issuer: Issuer, name: str, key: PublicKey, life: Life) -> x509.Certificate:
    """A certificate for whoever connects."""
    return _issue(issuer, name, key, life, (ExtendedKeyUsageOID.CLIENT_AUTH, []))


def issue_server(
    issuer: Issuer, name: str, key: PublicKey, life: Life, hosts: Sequence[str]
) -> x509.Certificate:
    """A certificate for who is connected to under these names and addresses."""
    return _issue(issuer, name, key, life, (ExtendedKeyUsageOID.SERVER_AUTH, [_host(h) for h in hosts]))


def revocation_list(
    issuer: Issuer, revoked: Iterable[tuple[int, int]], now_s: float, number: int
) -> x509.CertificateRevocationList:
    """A list of serials and when each was revoked, good for 90 days."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuer.certificate.subject,
        last_update=_time(int(now_s) - _SKEW_S),
        next_update=_time(int(now_s) + CRL_DAYS * _DAY_S),
    )
    for serial, at_s in revoked:
        entry = x509.RevokedCertificateBuilder(serial, _time(at_s)).build()
        builder = builder.add_revoked_certificate(entry)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def requested_key(csr: str, device: str) -> PublicKey:
    """The key a request asks to certify.

    Raises:
        Refused: not a request, not P-256, not signed by its own key, or in another name.
    """
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        is_signed = request.is_signature_valid
        names = [attribute.value for attribute in request.subject]
    except (
        ValueError,
        TypeError,
        KeyError,
        UnsupportedAlgorithm,
        InvalidSignature,
        x509.InvalidVersion,
    ) as e:
        raise Refused(f"not a certificate request: {str(e)[:80]}") from e
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused("the key of the request is not P-256")
    if not is_signed:
        raise Refused("the request is not signed by its own key")
    if names != [device]:
        raise Refused(f"the request is in the name {str(names)[:80]}, not of {device!r}")
    return key


def public_bytes(key: PublicKey) -> bytes:
    """A key as it stands in a certificate (SubjectPublicKeyInfo, DER)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pem(thing: x509.Certificate | x509.CertificateRevocationList) -> str:
    """As text."""
    return thing.public_bytes(Encoding.PEM).decode()


def key_pem(key: PrivateKey) -> str:
    """A private key as text, unencrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _issue(
    issuer: Issuer,
    name: str,
    key: PublicKey,
    life: Life,
    use: tuple[x509.ObjectIdentifier, list[x509.GeneralName]],
) -> x509.Certificate:
    purpose, hosts = use
    builder = _builder(_name(name), key, life).issuer_name(issuer.certificate.subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(sign_others=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _builder(subject: x509.Name, key: PublicKey, life: Life) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(life.not_before_s))
        .not_valid_after(_time(life.not_after_s))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, sign_others: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_others,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_others,
        crl_sign=sign_others,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _time(unix_s: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC)
