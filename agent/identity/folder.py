# SPDX-License-Identifier: Apache-2.0
"""Where on the device is what proves who it is, and how does that survive a power cut?

    signing.key         Ed25519, private
    ca.crt              whom the device trusts
    making/             a TLS key that no certificate is there for yet
    tls-<n>/            key.pem, cert.pem, valid.json
    current → tls-<n>   what is in use
    candidate → tls-<m> what has been issued and has not connected yet
    enrolled.json       written last: with it the device is enrolled

Every file is written beside its place, fsynced and renamed; a folder is complete before a link names it. So a
cut leaves the old certificate or the new one, each with its own key.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from agent.contract.decoder import DecodeError, decode
from agent.contract.enrolment import Issued

SIGNING_KEY = "signing.key"
CA = "ca.crt"
MAKING_KEY = "making/key.pem"
_ENROLLED = "enrolled.json"
_MODE = 0o600
_FOLDER_MODE = 0o700
LinkName = Literal["current", "candidate"]


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """As whom the device is enrolled, and which broker it was told."""

    device: str
    broker_host: str
    broker_port: int


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, on the disk; times as the authority stated them (Unix time).

    `tag_key` is the authority's, None where it has none.
    """

    cert_file: Path
    key_file: Path
    not_before_s: int
    not_after_s: int
    tag_key: bytes | None = None

    def renew_at_s(self) -> float:
        """When two thirds of its life are over."""
        return self.not_before_s + (self.not_after_s - self.not_before_s) * 2 / 3


def enrolled(directory: Path) -> Enrolled | None:
    """As whom the device is enrolled; None when it is not.

    Raises:
        DecodeError: what is there cannot be understood.
    """
    try:
        plain = json.loads((directory / _ENROLLED).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as e:
        raise DecodeError("", f"{directory / _ENROLLED} is damaged: {e}") from e
    return decode(Enrolled, plain)


def certificate(directory: Path, name: LinkName = "current") -> Certificate | None:
    """The certificate in use, or the one that waits; None when there is none that is whole."""
    folder = directory / name
    try:
        plain = json.loads((folder / "valid.json").read_bytes())
        cert_file = (folder / "cert.pem").resolve(strict=True)
        key_file = (folder / "key.pem").resolve(strict=True)
        tag_key = bytes.fromhex(plain.get("tag_key") or "") or None
        valid = int(plain["not_before_s"]), int(plain["not_after_s"])
        return Certificate(cert_file, key_file, *valid, tag_key)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def prepare(directory: Path) -> None:
    """Make the folders."""
    for folder in (directory, directory / "making"):
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)


def add(directory: Path, issued: Issued, name: LinkName) -> None:
    """Keep what was issued for the key in `making`, under one of the two names."""
    if issued.certificate is None:
        raise ValueError("nothing was issued")
    folder = directory / f"tls-{_next_number(directory)}"
    folder.mkdir(mode=_FOLDER_MODE)
    valid = {
        "not_before_s": issued.not_before_s,
        "not_after_s": issued.not_after_s,
        "tag_key": issued.tag_key,
    }
    write(folder / "key.pem", (directory / MAKING_KEY).read_bytes())
    write(folder / "cert.pem", issued.certificate.encode())
    write(folder / "valid.json", json.dumps(valid).encode())
    _link(directory, name, folder.name)


def finish(directory: Path, who: Enrolled) -> None:
    """The device is enrolled from now on."""
    write(directory / _ENROLLED, json.dumps(asdict(who)).encode())
    _remove_unused(directory)


def forget(directory: Path) -> None:
    """The device is not enrolled any more, and will make new keys; what it was is gone."""
    for name in (_ENROLLED, "current", "candidate", SIGNING_KEY, MAKING_KEY):
        (directory / name).unlink(missing_ok=True)
    _sync(directory)
    _remove_unused(directory)


def promote(directory: Path) -> None:
    """The candidate has connected: it is in use from now on, and what was before is removed."""
    candidate = directory / "candidate"
    candidate.rename(directory / "current")
    _sync(directory)
    _remove_unused(directory)


def drop_candidate(directory: Path) -> None:
    """The candidate is of no use; another one will be asked for, with another key."""
    (directory / "candidate").unlink(missing_ok=True)
    _sync(directory)
    _remove_unused(directory)


def _remove_unused(directory: Path) -> None:
    """Remove certificates that no link names, and the key that has its certificate now."""
    (directory / MAKING_KEY).unlink(missing_ok=True)
    links = (directory / "current", directory / "candidate")
    named = {str(link.readlink()) for link in links if link.is_symlink()}
    for folder in directory.glob("tls-*"):
        if folder.name not in named and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def write(file: Path, content: bytes) -> None:
    """Put content in a file that is whole or as before, readable by its owner only."""
    new = file.with_name(file.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
    _sync(file.parent)


def _next_number(directory: Path) -> int:
    numbers = [int(p.name[4:]) for p in directory.glob("tls-*") if p.name[4:].isdecimal()]
    return max(numbers, default=0) + 1


def _link(directory: Path, name: str, target: str) -> None:
    new = directory / f"{name}.new"
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(target)
    _sync(directory / target)
    _sync(directory)
    new.replace(directory / name)
    _sync(directory)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
