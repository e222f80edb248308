# SPDX-License-Identifier: Apache-2.0
"""Who proposed, approved, rejected, withdrew or disputed which exclusion? A file that only ever grows.

One JSON object a line. Each ends with a seal, the SHA-256 of the seal before it and of the line without it:
a line that was changed, taken out or put in between is found at the next reading, and nothing is judged by
it. That lines are missing at the end only who kept a later seal can tell: a closed month does.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.contract.decoder import DecodeError, decode
from collector.contracts.act_form import ActForm, form_of
from collector.disk import Disk
from collector.errors import ConfigError
from collector.sla.exclusion import Act, ActRefused, Exclusion, apply

_MAX_LINE = 65_536


@dataclass(frozen=True)
class Contents:
    """What a ledger says.

    Attributes:
        acts: every line, in order.
        exclusions: what became of them, in the order of their proposals.
        seal: of the last line; empty before the first.
        size: bytes of whole lines; what is beyond was torn by a power cut and never confirmed.
    """

    acts: tuple[ActForm, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    seal: str = ""
    size: int = 0


def read_exclusions(file: Path) -> tuple[Exclusion, ...]:
    """Every exclusion that was ever proposed; none where there is no ledger yet.

    Raises:
        ConfigError: it cannot be read, or a line of it is not what was written.
    """
    return read_ledger(file).exclusions


def read_ledger(file: Path) -> Contents:
    """The whole ledger.

    Raises:
        ConfigError: it cannot be read, or a line of it is not what was written.
    """
    try:
        return parse(file.read_bytes(), str(file))
    except FileNotFoundError:
        return Contents()
    except OSError as e:
        raise ConfigError(str(file), f"cannot be read: {e.strerror}") from e


def parse(data: bytes, name: str) -> Contents:
    """What bytes say.

    Raises:
        ConfigError: the first line that is not what was written.
    """
    whole, newline, _torn = data.rpartition(b"\n")
    acts: list[ActForm] = []
    made: dict[str, Exclusion] = {}
    seal = ""
    for number, line in enumerate(whole.split(b"\n") if newline else (), 1):
        try:
            form, seal = _read_line(line, seal)
            act = form.made
            made[act.id] = apply(made, act)
        except (ValueError, RecursionError) as e:
            raise ConfigError(f"{name}:{number}", f"{e}; the ledger is only added to, by this program") from e
        acts.append(form)
    return Contents(
        acts=tuple(acts), exclusions=tuple(made.values()), seal=seal, size=len(whole) + len(newline)
    )


def add(file: Path, act: Act, account: str) -> Exclusion:
    """Write down what somebody did, durably; the exclusion as it is then.

    Raises:
        ActRefused: they may not do that.
        ConfigError: the ledger cannot be read or written.
    """
    return add_next(file, lambda _: act, account)


def add_next(file: Path, act_on: Callable[[Contents], Act], account: str) -> Exclusion:
    """The same, where the act follows from what the ledger says: a new number."""
    disk = Disk()
    try:
        disk.make_directory(file.parent)
        with _alone(file) as fd:
            contents = read_ledger(file)
            act = act_on(contents)
            after = apply({e.id: e for e in contents.exclusions}, act)
            line = _readable_line(form_of(act, account), contents.seal)
            os.ftruncate(fd, contents.size)
            _write(fd, line)
            os.fsync(fd)
        disk.sync_directory(file.parent)
    except OSError as e:
        raise ConfigError(str(file), f"cannot be written: {e.strerror}") from e
    return after


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[int]:
    """The open ledger, while nobody else writes to it."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _readable_line(form: ActForm, before: str) -> bytes:
    """A line that could not be read again would make the whole ledger useless."""
    try:
        line = _write_line(form, before)
        _read_line(line.removesuffix(b"\n"), before)
    except (DecodeError, UnicodeEncodeError) as e:
        raise ActRefused(f"that cannot be written down: {e}") from e
    return line


def _write_line(form: ActForm, before: str) -> bytes:
    plain = form.plain
    line = json.dumps({**plain, "seal": _seal(plain, before)}, ensure_ascii=False).encode() + b"\n"
    if len(line) > _MAX_LINE:
        raise ActRefused(f"that is too long to be written down: {len(line)} bytes, {_MAX_LINE} at most")
    return line


def _read_line(line: bytes, before: str) -> tuple[ActForm, str]:
    """What a line says, and its seal; written again it must be the same to the byte."""
    plain = json.loads(line)
    if not isinstance(plain, dict):
        raise DecodeError("", "expected an object")
    plain.pop("seal", None)
    form = decode(ActForm, plain, strict=True)
    if line + b"\n" != _write_line(form, before):
        raise DecodeError("seal", "this line, or the one before it, is not what was written")
    return form, _seal(form.plain, before)


def _seal(plain: dict[str, object], before: str) -> str:
    said = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{said}".encode("utf-8", "surrogatepass")).hexdigest()
