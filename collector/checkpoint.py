# SPDX-License-Identifier: Apache-2.0
"""How did the journal stand on a day, in a form that cannot be changed afterwards without its being seen?

`checkpoints.jsonl` in the journal's folder, one line a day: where the journal ended, how many entries it
had, its hash chain there (which covers everything before), the SHA-256 of the line before, and an Ed25519
signature of all that (RFC 8032). Whoever keeps a copy of one line elsewhere can prove every entry up to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent.contract.decoder import DecodeError, decode
from collector.disk import Disk
from collector.errors import ConfigError
from collector.segment import End, Position

log = logging.getLogger("collector.checkpoint")

FILE = "checkpoints.jsonl"
KEY_FILE = "checkpoint.key"
NO_PREVIOUS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One line.

    Attributes:
        date: UTC day on which it was made.
        position: where the journal ended.
        entries: entries before that.
        root: hash chain of the journal there.
        previous: SHA-256 of the line before; zeros in the first.
        key: the public key, raw.
    """

    date: str
    position: str
    entries: int
    root: str
    previous: str
    key: str
    signature: str = ""

    @property
    def line(self) -> bytes:
        """As it stands in the file, without the line feed."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":")).encode()

    @property
    def signed(self) -> bytes:
        """What the signature covers."""
        return dataclasses.replace(self, signature="").line


class Checkpoints:
    """The writer of the file."""

    def __init__(
        self,
        directory: Path,
        key: Ed25519PrivateKey,
        *,
        disk: Disk | None = None,
    ) -> None:
        self._path = directory / FILE
        self._key = key
        self._disk = disk or Disk()

    def make_if_due(self, end: End, date: str) -> Checkpoint | None:
        """Write the day's checkpoint, unless there is one.

        One of a day that is yet to come was made by a clock that was ahead; the right ones follow it.

        Raises:
            OSError: the disk does not take it.
        """
        content = read(self._path, self._disk)
        last = content.rstrip(b"\n").rpartition(b"\n")[2]
        if last and _is_there(_date_of(last), date):
            return None
        made = self._signed(end, date, hashlib.sha256(last).hexdigest() if last else NO_PREVIOUS)
        joint = b"" if not content or content.endswith(b"\n") else b"\n"
        self._disk.replace(self._path, content + joint + made.line + b"\n")
        log.info("checkpoint.made date=%s position=%s entries=%d", date, made.position, made.entries)
        return made

    def newest(self) -> Checkpoint | None:
        """The last one, None before the first and where it cannot be read.

        Raises:
            OSError: the disk does not let us.
        """
        last = read(self._path, self._disk).rstrip(b"\n").rpartition(b"\n")[2]
        return parse(last) if last and _date_of(last) else None

    def _signed(self, end: End, date: str, previous: str) -> Checkpoint:
        bare = Checkpoint(
            date=date,
            position=str(end.at),
            entries=end.next_number - 1,
            root=end.chain.hex(),
            previous=previous,
            key=public_key(self._key),
        )
        return dataclasses.replace(bare, signature=self._key.sign(bare.signed).hex())


def read(path: Path, disk: Disk) -> bytes:
    """The whole file, empty when there is none."""
    try:
        return disk.read(path)
    except FileNotFoundError:
        return b""


def check(content: bytes, *, key: str | None) -> tuple[list[Checkpoint], str | None]:
    """The checkpoints up to the first that does not fit, and what is wrong with that one.

    Args:
        content: the file.
        key: public key they must be made with; None for that of the first.
    """
    good: list[Checkpoint] = []
    previous = NO_PREVIOUS
    lines = content.split(b"\n")
    for line in lines[:-1]:
        key = key or _claimed_key(line)
        problem = _problem(line, previous, key)
        if problem is None and good and not _follows(good[-1], parse(line)):
            problem = "is older than the one before it"
        if problem is not None:
            return good, problem
        good.append(parse(line))
        previous = hashlib.sha256(line).hexdigest()
    return good, "is cut short" if lines[-1] else None


def kept_in(file: Path, *, key: str | None = None) -> list[Checkpoint]:
    """Checkpoints that somebody kept, one a line, of whatever days.

    Raises:
        ConfigError: they are none, or not made with that key.
    """
    found = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        problem = _own_problem(line, key)
        if problem is not None:
            raise ConfigError(f"{file}:{number}", problem)
        found.append(parse(line))
    if not found:
        raise ConfigError(str(file), "holds no checkpoint")
    return found


def parse(line: bytes) -> Checkpoint:
    """One line.

    Raises:
        ValueError: it is not a checkpoint (`DecodeError` is one).
    """
    found = decode(Checkpoint, json.loads(line), strict=True)
    if found.line != line:
        raise ValueError("it is not written as checkpoints are")
    Position.parse(found.position)
    return found


def load_key(path: Path) -> Ed25519PrivateKey:
    """The collector's key; made, for its user alone, when there is none.

    Raises:
        ConfigError: the file holds something else.
    """
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        return _make_key(path)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as e:
        raise ConfigError(str(path), f"is not a private key in PEM form: {e}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(str(path), "is not an Ed25519 key")
    return key


def public_key(key: Ed25519PrivateKey) -> str:
    """The public half, as checkpoints name it."""
    return key.public_key().public_bytes_raw().hex()


def _make_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(fd)
    beside.rename(path)
    Disk().sync_directory(path.parent)
    log.info("checkpoint.key_made path=%s public=%s", path, public_key(key))
    return key


def _problem(line: bytes, previous: str, key: str | None) -> str | None:
    problem = _own_problem(line, key)
    if problem is not None:
        return problem
    return None if parse(line).previous == previous else "does not follow the one before it"


def _own_problem(line: bytes, key: str | None) -> str | None:
    """What is wrong with a checkpoint, whatever stands around it."""
    try:
        found = parse(line)
        signature = bytes.fromhex(found.signature)
        if signature.hex() != found.signature:
            return "is not a checkpoint: its signature is not written as checkpoints are"
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.key)).verify(signature, found.signed)
    except (DecodeError, ValueError, RecursionError) as e:
        return f"is not a checkpoint: {e}"
    except InvalidSignature:
        return "has a signature that does not fit"
    return None if key in (None, found.key) else f"is signed with another key, {found.key}"


def _follows(earlier: Checkpoint, later: Checkpoint) -> bool:
    """The hash of the line before gives the order; the clock of a day may have been wrong."""
    return Position.parse(earlier.position) <= Position.parse(later.position)


def _is_there(made: str, date: str) -> bool:
    """Whether a checkpoint made on one day is that of another; at midnight a clock may go back a little."""
    try:
        ahead = dt.date.fromisoformat(made) - dt.date.fromisoformat(date)
    except ValueError:
        return False
    return dt.timedelta() <= ahead <= dt.timedelta(days=1)


def _claimed_key(line: bytes) -> str | None:
    try:
        return parse(line).key
    except (DecodeError, ValueError, RecursionError):
        return None


def _date_of(line: bytes) -> str:
    """Its day; none for a line that cannot be read, after which another one may follow at once."""
    try:
        return parse(line).date
    except (DecodeError, ValueError, RecursionError):
        return ""
