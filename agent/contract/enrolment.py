# SPDX-License-Identifier: Apache-2.0
"""What do a device and the authority say to each other about certificates?

    enrolment file     authority → technician → device   where to go, whom to trust, a token that works once
    enrolment request  device → authority, HTTPS          token, certificate request, public signing key
    renewal request    device → authority, topic `csr`    certificate request
    answer             authority → device                 certificate, or why not

Private keys are in none of them. Each request is signed with the device's Ed25519 key, which proves that the
device has it; the certificate request proves the same of the TLS key (RFC 2986 §4.2).
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from agent.contract.decoder import DecodeError, decode
from agent.contract.record import DEVICE

MAX_FILE_BYTES = 64 * 1024
MAX_REQUEST_BYTES = 8 * 1024
MAX_ANSWER_BYTES = 64 * 1024
_MAX_PORT = 65535
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_PEM = "-----BEGIN "
_ENROL = b"schoolpulse enrol 1\0"
_RENEW = b"schoolpulse renew 1\0"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EnrolmentFile:
    """What the technician brings.

    Attributes:
        token: works once, for this device, until `expires_at`.
        enrol_url: where the request goes.
        ca: certificate of the authority, PEM; nobody else is trusted.
    """

    device: str
    token: str
    enrol_url: str
    broker_host: str
    broker_port: int
    expires_at: str
    ca: str
    version: int = 1

    def __post_init__(self) -> None:
        _require(self.version == 1, "version", "must be 1")
        _require(DEVICE.fullmatch(self.device), "device", "must be 1 to 48 of a-z, 0-9 and inner hyphens")
        _require(_TOKEN.fullmatch(self.token), "token", "is not one of ours")
        _require(_is_https(self.enrol_url), "enrol_url", "must be https://host…")
        _require(self.broker_host, "broker_host", "must not be empty")
        _require(1 <= self.broker_port <= _MAX_PORT, "broker_port", "is out of range")
        _require(self.ca.startswith(_PEM), "ca", "must be a certificate (PEM)")


@dataclass(frozen=True, kw_only=True)
class EnrolmentRequest:
    """A device asks to be known.

    Attributes:
        csr: certificate request, PEM.
        signing_key: public Ed25519 key, hexadecimal.
        signature: over `enrolment_bytes`, by that key, hexadecimal.
    """

    device: str
    token: str
    csr: str
    signing_key: str
    signature: str

    def __post_init__(self) -> None:
        _require(DEVICE.fullmatch(self.device), "device", "must be 1 to 48 of a-z, 0-9 and inner hyphens")
        _require(_TOKEN.fullmatch(self.token), "token", "is not one of ours")
        _require(self.csr.startswith(_PEM), "csr", "must be a certificate request (PEM)")
        _require(_is_hex(self.signing_key, 32), "signing_key", "must be 32 bytes in hexadecimal")
        _require(_is_hex(self.signature, 64), "signature", "must be 64 bytes in hexadecimal")


@dataclass(frozen=True, kw_only=True)
class RenewalRequest:
    """A known device asks for its next certificate; `signature` is over `renewal_bytes`."""

    csr: str
    signature: str

    def __post_init__(self) -> None:
        _require(self.csr.startswith(_PEM), "csr", "must be a certificate request (PEM)")
        _require(_is_hex(self.signature, 64), "signature", "must be 64 bytes in hexadecimal")


@dataclass(frozen=True, kw_only=True)
class Issued:
    """The authority's answer: a certificate and when it holds (Unix time), or `refused`, which says why.

    `tag_key` is the authority's public X25519 key, hexadecimal (`agent.contract.tag`).
    """

    certificate: str | None = None
    not_before_s: int = 0
    not_after_s: int = 0
    refused: str | None = None
    tag_key: str | None = None

    def __post_init__(self) -> None:
        is_one = (self.certificate is None) != (self.refused is None)
        _require(is_one, "certificate", "or refused, not both")
        if self.certificate is not None:
            _require(self.certificate.startswith(_PEM), "certificate", "must be PEM")
            _require(0 <= self.not_before_s < self.not_after_s, "not_after_s", "must be after not_before_s")
        is_key = self.tag_key is None or _is_hex(self.tag_key, 32)
        _require(is_key, "tag_key", "must be 32 bytes in hexadecimal")


def enrolment_bytes(device: str, token: str, csr: str) -> bytes:
    """What a device signs to enrol."""
    return b"".join([_ENROL, device.encode(), b"\0", token.encode(), b"\0", csr.encode()])


def renewal_bytes(device: str, csr: str) -> bytes:
    """What a device signs to renew."""
    return b"".join([_RENEW, device.encode(), b"\0", csr.encode()])


def write_file(file: EnrolmentFile) -> str:
    """The enrolment file as TOML."""
    plain = {name: value for name, value in vars(file).items() if name != "ca"}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in plain.items()]
    opening = f"# Makes {file.device} known, once, until {file.expires_at}. No private key is in it."
    return "\n".join([opening, *lines, f'ca = """\n{file.ca.strip()}\n"""', ""])


def read_file(content: bytes) -> EnrolmentFile:
    """An enrolment file.

    Raises:
        DecodeError: it is none.
    """
    if len(content) > MAX_FILE_BYTES:
        raise DecodeError("", f"{len(content)} bytes, {MAX_FILE_BYTES} are allowed")
    try:
        plain = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as e:
        raise DecodeError("", f"not TOML: {str(e)[:80]}") from e
    return decode(EnrolmentFile, plain, strict=True)


def encode(value: EnrolmentRequest | RenewalRequest | Issued) -> bytes:
    """A request or an answer."""
    plain = {name: item for name, item in vars(value).items() if item is not None}
    return json.dumps(plain, separators=(",", ":")).encode()


def read_message(kind: type[T], content: bytes, max_bytes: int = MAX_REQUEST_BYTES) -> T:
    """A request or an answer of one of the kinds above.

    Raises:
        DecodeError: it is none.
    """
    if len(content) > max_bytes:
        raise DecodeError("", f"{len(content)} bytes, {max_bytes} are allowed")
    try:
        plain: Any = json.loads(content)
    except (ValueError, RecursionError) as e:
        raise DecodeError("", f"not JSON: {str(e)[:80]}") from e
    return decode(kind, plain)


def _is_hex(text: str, n_bytes: int) -> bool:
    return len(text) == 2 * n_bytes and _HEX.fullmatch(text) is not None


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _require(condition: object, path: str, problem: str) -> None:
    if not condition:
        raise DecodeError(path, problem)
