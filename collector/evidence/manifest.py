# SPDX-License-Identifier: Apache-2.0
r"""What does a closed month consist of, and who says so?

`manifest.json` names every file of the bundle with its SHA-256, and `manifest.sig` is an Ed25519 signature
(RFC 8032) over `"schoolpulse bundle 1\n"` and the manifest's very bytes, in hexadecimal with a line feed. It
is made with the key of the checkpoints.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.contract.decoder import DecodeError, decode

FILE = "manifest.json"
SIGNATURE = "manifest.sig"
FORMAT = 1
_DOMAIN = b"schoolpulse bundle 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One file of the bundle; `path` with `/`, below the bundle's folder."""

    path: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or str(path) != self.path or "\\" in self.path:
            raise ValueError(f"{self.path!r} is not a path below the bundle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Which part of the journal is the evidence.

    Attributes:
        first_segment: it begins here, with whatever came before in that segment.
        entries_before: entries of the journal that it does not hold.
        entries: number of its last entry.
        end: where it ends.
        root: hash chain of the journal there.
    """

    first_segment: int
    entries_before: int
    entries: int
    end: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A closed month.

    Attributes:
        month: such as `2026-11`.
        revision: 1 for the first close, one more for each that differs from the one before.
        previous: SHA-256 of the manifest of the revision before, None for the first.
        data_sha256: of what the month's records say (`collector.evidence.data`).
        configuration_sha256: of registry, contracts, calendars and exclusions.
        code: version of the program that counted, and a digest of its source.
        key: public key of the signature, raw, in hexadecimal.
        files: every other file, by path.
    """

    format: int = FORMAT
    month: str
    revision: int
    previous: str | None = None
    data_sha256: str
    configuration_sha256: str
    code: str
    journal: Extent
    key: str
    files: tuple[FileLine, ...]

    @property
    def name(self) -> str:
        """`2026-11/rev1`."""
        return f"{self.month}/rev{self.revision}"


def canonical(plain: Any) -> bytes:
    """Plain data as the bundle writes it: the same data is always the same bytes."""
    return (json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


def line_of(path: str, content: bytes) -> FileLine:
    """What the manifest says of a file."""
    return FileLine(path=path, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def lines_of(directory: Path, paths: Iterable[str]) -> tuple[FileLine, ...]:
    """What the manifest says of files that stand in a folder, by path."""
    return tuple(_line(directory, path) for path in sorted(paths))


def _line(directory: Path, path: str) -> FileLine:
    with (directory / path).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileLine(path=path, bytes=(directory / path).stat().st_size, sha256=sha256)


def written(manifest: Manifest) -> bytes:
    """The content of `manifest.json`."""
    return canonical(dataclasses.asdict(manifest))


def parse(content: bytes) -> Manifest:
    """The manifest that somebody wrote.

    Raises:
        ValueError: it is none, or of a later version (`DecodeError` is one).
    """
    plain = json.loads(content)
    if isinstance(plain, dict) and plain.get("format") != FORMAT:
        raise DecodeError("format", f"is {plain.get('format')!r}; this program reads {FORMAT}")
    return decode(Manifest, plain, strict=True)


def sign(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of `manifest.sig`."""
    return key.sign(_DOMAIN + content).hex().encode() + b"\n"


def signature_problem(content: bytes, signature: bytes, key: str) -> str | None:
    """Why a signature does not hold; None when it does.

    Args:
        content: of `manifest.json`.
        signature: content of `manifest.sig`.
        key: public key, raw, in hexadecimal.
    """
    try:
        raw = bytes.fromhex(signature.decode("ascii").removesuffix("\n"))
        if raw.hex().encode() + b"\n" != signature:
            return "is not written as signatures are"
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(raw, _DOMAIN + content)
    except ValueError:
        return "is not a signature in hexadecimal"
    except InvalidSignature:
        return "does not hold for manifest.json"
    return None
