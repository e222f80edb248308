# SPDX-License-Identifier: Apache-2.0
"""Who gets a certificate, and whose is taken away?

ca.key, ca.crt              the authority itself
broker.key, broker.crt      for mosquitto
enrolment.key, …crt         for the endpoint that devices enrol at
collector.key, …crt         for the collector's own connection to the broker
crl.pem                     what is revoked, for mosquitto
tag.key                     what tags of batches are checked with
ledger.sqlite               everything else
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.contract.decoder import DecodeError
from agent.contract.enrolment import (
    EnrolmentRequest,
    Issued,
    RenewalRequest,
    enrolment_bytes,
    read_message,
    renewal_bytes,
)
from agent.contract.record import DEVICE
from collector.authority import certificates, tagging
from collector.authority.certificates import Issuer, Life
from collector.authority.errors import AuthorityProblem, Refused
from collector.authority.ledger import Kept, Ledger, Line
from collector.authority.options import AuthorityOptions
from collector.authority.signers import Signers, holds

RESERVED = frozenset({"collector", "broker", "enrolment"})
"""Names in the broker's access list or in our own certificates; no device may have them."""

_DAY_S = 86400
_FRESH_RATIO = 0.5
_TOO_SOON_RATIO = 0.9
_STAND_IN_DAYS = 5 / 1440
T = TypeVar("T")


class Authority:
    """One folder; safe to be used from several threads and processes."""

    def __init__(
        self, directory: Path, options: AuthorityOptions, now_s: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self._options = options
        self._now_s = now_s
        self._lock = threading.RLock()
        try:
            self._issuer = load_issuer(directory)
            self._tags = tagging.load(directory)
            self._ledger = Ledger(directory / "ledger.sqlite")
        except (OSError, ValueError, TypeError) as e:
            problem = f"{directory} holds no authority ({e}); `school-collector enrol init` makes one"
            raise AuthorityProblem(problem) from e
        self._signers: tuple[tuple[int, int], Signers] | None = None

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()

    @property
    def ca(self) -> str:
        """The authority's certificate, PEM."""
        return certificates.pem(self._issuer.certificate)

    def invite(self, device: str) -> tuple[str, int]:
        """A token that makes the device known, and until when (Unix time).

        Raises:
            Refused: the name is no device's.
        """
        if not DEVICE.fullmatch(device) or device in RESERVED:
            problem = "1 to 48 of a-z, 0-9 and inner hyphens, and not reserved"
            raise Refused(f"{device!r} is no device id: {problem}")
        token = secrets.token_urlsafe(32)
        expires_s = int(self._now_s() + self._options.token_days * _DAY_S)
        with self._lock, self._ledger.changing():
            self._ledger.add_token(token, device, expires_s)
        return token, expires_s

    def enrol(self, content: bytes) -> Issued:
        """Answer an enrolment request.

        Raises:
            Refused: and why.
        """
        request = _read(EnrolmentRequest, content)
        signing_key = bytes.fromhex(request.signing_key)
        signed = enrolment_bytes(request.device, request.token, request.csr)
        if not holds(signing_key, bytes.fromhex(request.signature), signed):
            raise Refused("the request is not signed with the key it names")
        tls_key = certificates.requested_key(request.csr, request.device)
        fingerprint = hashlib.sha256(signing_key + certificates.public_bytes(tls_key)).digest()
        with self._lock, self._ledger.changing():
            self._check_token(request, fingerprint)
            self._check_owner(request.device, signing_key)
            self._ledger.use_token(request.token, fingerprint)
            self._ledger.set_signing_key(request.device, signing_key, int(self._now_s()))
            issued = self._issue(request.device, tls_key)
            public = certificates.public_bytes(tls_key)
            superseded = self._ledger.supersede(request.device, public, int(self._now_s()))
        if superseded:
            self.write_crl()
        return issued

    def renew(self, device: str, content: bytes) -> Issued:
        """Answer a renewal request that came over the device's own topic.

        Raises:
            Refused: and why.
        """
        request = _read(RenewalRequest, content)
        with self._lock, self._ledger.changing():
            signing_key = self._ledger.signing_key_of(device)
            signature = bytes.fromhex(request.signature)
            if signing_key is None:
                raise Refused(f"{device!r} is not enrolled")
            if not holds(signing_key, signature, renewal_bytes(device, request.csr)):
                raise Refused("the request is not signed with the device's key")
            key = certificates.requested_key(request.csr, device)
            newest = self._ledger.newest_certificate(device)
            is_other = newest is not None and newest.public != certificates.public_bytes(key)
            if newest is not None and is_other and self._left(newest) > _TOO_SOON_RATIO:
                raise Refused("the last certificate is too new to be renewed")
            return self._issue(device, key)

    def revoke(self, device: str) -> int:
        """Take everything away from a device; how many certificates were still good."""
        with self._lock, self._ledger.changing():
            count = self._ledger.revoke(device, int(self._now_s()))
        self.write_crl()
        return count

    def write_crl(self) -> int:
        """Write the list of revoked certificates anew; until when it is good (Unix time)."""
        with self._lock:
            now_s = self._now_s()
            with self._ledger.changing():
                number = self._ledger.next_number("crl")
                revoked = self._ledger.revoked_certificates(int(now_s))
            crl = certificates.revocation_list(self._issuer, revoked, now_s, number)
            write(self.directory / "crl.pem", certificates.pem(crl), mode=0o644)
        return int(now_s) + certificates.CRL_DAYS * _DAY_S

    def crl_until_s(self) -> float | None:
        """Until when the list is good; None when there is none."""
        try:
            crl = x509.load_pem_x509_crl((self.directory / "crl.pem").read_bytes())
        except (OSError, ValueError):
            return None
        return crl.next_update_utc.timestamp() if crl.next_update_utc else None

    def signers(self) -> Signers:
        """Who must sign, with which key, and who may not speak: as it is now."""
        with self._lock:
            version = self._ledger.version()
            if self._signers is None or self._signers[0] != version:
                keys = dict(self._ledger.signing_keys())
                revoked = frozenset(self._ledger.revoked_devices())
                made = Signers(keys=keys, revoked=revoked, policy=self._options.signatures, tags=self._tags)
                self._signers = (version, made)
            return self._signers[1]

    def all_keys(self) -> dict[str, list[bytes]]:
        """Every signing key that each device ever had: what old signatures are verified with."""
        with self._lock:
            return self._ledger.all_keys()

    def lives(self) -> dict[str, tuple[int, int]]:
        """From when until when each device's newest certificate holds, where the device may speak."""
        with self._lock:
            return self._ledger.lives()

    def lines(self) -> list[Line]:
        """Everybody, for people."""
        with self._lock:
            return self._ledger.lines(int(self._now_s()))

    def server_context(self) -> ssl.SSLContext:
        """TLS of the enrolment endpoint."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.directory / "enrolment.crt", self.directory / "enrolment.key")
        return context

    def stand_in(self, device: str) -> tuple[str, str]:
        """A certificate in a revoked device's name for a few minutes, and its key: to end its session.

        Raises:
            Refused: the device is not revoked.
        """
        if device not in self.signers().revoked:
            raise Refused(f"{device!r} is not revoked")
        key = certificates.new_key()
        life = Life.of(self._now_s(), _STAND_IN_DAYS)
        made = certificates.issue_client(self._issuer, device, key.public_key(), life)
        return certificates.pem(made), certificates.key_pem(key)

    def _check_token(self, request: EnrolmentRequest, fingerprint: bytes) -> None:
        token = self._ledger.token(request.token)
        if token is None or token.device != request.device:
            raise Refused("the token is not one of this device")
        if token.withdrawn:
            raise Refused("the token was withdrawn")
        if token.used_by is not None and not secrets.compare_digest(token.used_by, fingerprint):
            raise Refused("the token was used already, with other keys")
        if token.expires_s < self._now_s():
            raise Refused("the token has expired")

    def _check_owner(self, device: str, signing_key: bytes) -> None:
        owner = self._ledger.owner_of(signing_key)
        if owner is not None and owner != (device, True):
            raise Refused("the signing key was another's, or was revoked: new keys are needed")

    def _issue(self, device: str, key: certificates.PublicKey) -> Issued:
        """A certificate; the one there is, when the key is the same and most of its life is left."""
        now_s, public = self._now_s(), certificates.public_bytes(key)
        newest = self._ledger.newest_certificate(device)
        if newest is not None and newest.public == public and self._left(newest) > _FRESH_RATIO:
            return self._issued(newest)
        life = Life.of(now_s, self._options.device_days)
        made = certificates.issue_client(self._issuer, device, key, life)
        kept = Kept(
            serial=made.serial_number,
            device=device,
            public=public,
            pem=certificates.pem(made),
            not_before_s=life.not_before_s,
            not_after_s=life.not_after_s,
        )
        self._ledger.add_certificate(kept)
        return self._issued(kept)

    def _issued(self, kept: Kept) -> Issued:
        return Issued(
            certificate=kept.pem,
            not_before_s=kept.not_before_s,
            not_after_s=kept.not_after_s,
            tag_key=self._tags.public.hex(),
        )

    def _left(self, kept: Kept) -> float:
        """How much of a new certificate's life this one still has."""
        return (kept.not_after_s - self._now_s()) / (self._options.device_days * _DAY_S)


def create(directory: Path, hosts: Sequence[str], *, name: str, now_s: float) -> list[str]:
    """Make an authority, and certificates for the centre's own programs; names of the files made.

    Raises:
        AuthorityProblem: there is one already; it is never written over.
    """
    if (directory / "ca.key").exists():
        raise AuthorityProblem(f"{directory} has an authority already; it is not written over")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    issuer = certificates.make_authority(name, now_s)
    made = [_add_server(directory, issuer, n, hosts, now_s) for n in ("broker", "enrolment")]
    key = certificates.new_key()
    life = Life.since_ever(now_s, certificates.SERVER_DAYS)
    client = certificates.issue_client(issuer, "collector", key.public_key(), life)
    made.append(_keep(directory, "collector", client, key))
    made.append(_keep(directory, "ca", issuer.certificate, issuer.key))
    with contextlib.closing(Authority(directory, AuthorityOptions(), lambda: now_s)) as authority:
        authority.write_crl()
    return [f for pair in made for f in pair] + ["crl.pem", "ledger.sqlite"]


def write(file: Path, text: str, *, mode: int) -> None:
    """Put text in a file that is whole or as before."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as out:
        os.fchmod(descriptor, mode)
        out.write(text)
        out.flush()
        os.fsync(descriptor)
    new.replace(file)


def _add_server(
    directory: Path, issuer: Issuer, name: str, hosts: Sequence[str], now_s: float
) -> tuple[str, str]:
    key = certificates.new_key()
    life = Life.since_ever(now_s, certificates.SERVER_DAYS)
    return _keep(directory, name, certificates.issue_server(issuer, name, key.public_key(), life, hosts), key)


def _keep(
    directory: Path, name: str, made: x509.Certificate, key: certificates.PrivateKey
) -> tuple[str, str]:
    write(directory / f"{name}.crt", certificates.pem(made), mode=0o644)
    write(directory / f"{name}.key", certificates.key_pem(key), mode=0o600)
    return f"{name}.crt", f"{name}.key"


def load_issuer(directory: Path) -> Issuer:
    """The authority's certificate and key."""
    key = load_pem_private_key((directory / "ca.key").read_bytes(), None)
    if not isinstance(key, certificates.PrivateKey):
        raise TypeError("ca.key is no P-256 key")
    return Issuer(certificate=x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes()), key=key)


def _read(kind: type[T], content: bytes) -> T:
    try:
        return read_message(kind, content)
    except DecodeError as e:
        raise Refused(str(e)) from e
