# SPDX-License-Identifier: Apache-2.0
"""Is a closed month what was signed, does its evidence prove itself, and do its numbers follow from it?

Everything is read from the bundle's folder, nothing else: no network, no other file, no clock. Files are
compared with the manifest, the manifest with its signature, the journal with its chain, its checkpoints and
the devices' signatures; then every figure is counted again and every page written again, and compared byte by
byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector import verify as journal_proof
from collector.checkpoint import Checkpoint
from collector.errors import CollectorError
from collector.evidence import manifest
from collector.evidence.close import files_of, now_standing, previous_standing
from collector.evidence.configuration import FOLDER as CONFIGURATION
from collector.evidence.configuration import configuration_sha256, read_configuration
from collector.evidence.difference import difference
from collector.evidence.extract import FOLDER as JOURNAL
from collector.evidence.extract import KEYS
from collector.evidence.figures import Counted, count
from collector.evidence.files import frozen_by, numbers, pages
from collector.evidence.manifest import Extent, Manifest, line_of
from collector.evidence.revision import PREVIOUS, REVISION_FOLDER
from collector.evidence.version import code_version
from collector.reports.change import Change
from collector.reports.plain import flat
from collector.shelf import Shelf
from collector.sla.period import Month

MOST_FAULTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFault:
    """One thing that does not fit.

    Attributes:
        at: a file of the bundle, a place in its journal, or the path of a number in `figures.json`.
    """

    at: str
    problem: str

    def __str__(self) -> str:
        return f"{self.at}: {self.problem}"


@dataclass(kw_only=True)
class Audit:
    """What was checked, and what does not fit; the first of each kind comes first.

    Attributes:
        files: how many were compared with the manifest.
        numbers: how many figures were counted again and compared.
        pages: how many pages and tables were written again and compared; None where the program is another
            version than the one that wrote them.
        signed: entries whose device's own signature holds; None where the bundle has no keys.
        unproven: entries that no signature of their device holds for.
    """

    name: str = ""
    key: str | None = None
    code: str = ""
    files: int = 0
    entries: int = 0
    checkpoints: int = 0
    signed: int | None = None
    chained: int = 0
    unproven: int = 0
    schools: int = 0
    numbers: int = 0
    pages: int | None = None
    faults: list[BundleFault] = field(default_factory=list)


def audit(folder: Path, *, key: str | None = None, kept: Sequence[Checkpoint] = ()) -> Audit:
    """Check all of a bundle.

    Args:
        folder: where it is.
        key: public key that it must be signed with; None for the one it names itself.
        kept: checkpoints that somebody kept elsewhere.

    Raises:
        OSError: the folder is not there, or the disk does not let us read it.
    """
    found, signed = check_evidence(folder, key=key, kept=kept)
    if signed is None:
        return found
    try:
        _recount(folder, signed, found)
    except (
        CollectorError,
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as e:  # whoever holds the key can sign anything
        found.faults.append(BundleFault(at=CONFIGURATION, problem=f"nothing can be counted again: {e}"))
    found.faults = found.faults[:MOST_FAULTS]
    return found


def check_evidence(
    folder: Path, *, key: str | None = None, kept: Sequence[Checkpoint] = ()
) -> tuple[Audit, Manifest | None]:
    """Whether files, signatures and journal are what they were; nothing is counted.

    Raises:
        OSError: the folder is not there, or the disk does not let us read it.
    """
    found = Audit()
    signed = _signed(folder, found, key)
    if signed is None:
        return found, None
    found.name, found.key, found.code = signed.name, signed.key, signed.code
    found.faults += _file_faults(folder, signed)
    found.files = len(signed.files)
    extent = _journal(folder, found, key, kept)
    if extent is not None and extent != signed.journal:
        found.faults.append(BundleFault(at=f"{manifest.FILE}: journal", problem=f"the journal is {extent}"))
    return found, signed


def _signed(folder: Path, found: Audit, key: str | None) -> Manifest | None:
    """The manifest, when somebody signed it."""
    content = (folder / manifest.FILE).read_bytes()
    try:
        signed = manifest.parse(content)
    except (ValueError, RecursionError) as e:
        found.faults.append(BundleFault(at=manifest.FILE, problem=f"is not a manifest: {e}"))
        return None
    problem = _signature_problem(folder, content, signed)
    if problem is not None:
        found.faults.append(BundleFault(at=manifest.SIGNATURE, problem=problem))
    called = "/".join(folder.resolve().parts[-2:])
    if REVISION_FOLDER.fullmatch(called) and called != signed.name:
        problem = f"is that of {signed.name}, the folder is called {called}"
        found.faults.append(BundleFault(at=manifest.FILE, problem=problem))
    if key not in {None, signed.key}:
        found.faults.append(
            BundleFault(at=manifest.FILE, problem=f"is signed with another key, {signed.key}")
        )
    return signed


def _signature_problem(folder: Path, content: bytes, signed: Manifest) -> str | None:
    path = folder / manifest.SIGNATURE
    if not path.exists():
        return "is missing"
    return manifest.signature_problem(content, _read(path), signed.key)


def _file_faults(folder: Path, signed: Manifest) -> Iterator[BundleFault]:
    here = set(files_of(folder))
    for line in signed.files:
        path = folder / line.path
        if line.path not in here:
            yield BundleFault(at=line.path, problem="is missing")
        elif path.is_symlink():
            yield BundleFault(at=line.path, problem="is a link, not a file")
        elif line_of(line.path, path.read_bytes()) != line:
            yield BundleFault(at=line.path, problem="is not the file that was signed")
    for name in sorted(here - {line.path for line in signed.files}):
        yield BundleFault(at=name, problem="is not named in the manifest")


def _journal(folder: Path, found: Audit, key: str | None, kept: Sequence[Checkpoint]) -> Extent | None:
    """Whether the evidence proves itself; which part of the journal it is."""
    try:
        keys = _device_keys(folder / JOURNAL / KEYS)
        said = journal_proof.verify(folder / JOURNAL, key=key, device_keys=keys, kept=kept, is_extract=True)
        first = min(Shelf(folder / JOURNAL).numbers(), default=0)
    except (OSError, ValueError, RecursionError) as e:
        found.faults.append(BundleFault(at=JOURNAL, problem=str(e)))
        return None
    found.faults += [
        BundleFault(at=f"{JOURNAL}/{f}".partition(": ")[0], problem=f.problem) for f in said.faults
    ]
    found.entries, found.checkpoints = said.entries - said.before, said.checkpoints
    found.signed, found.chained, found.unproven = said.signed, said.chained, len(said.unproven)
    return Extent(
        first_segment=first,
        entries_before=said.before,
        entries=said.entries,
        end=said.end,
        root=said.root,
    )


def _device_keys(file: Path) -> dict[str, list[bytes]] | None:
    plain = json.loads(file.read_bytes())
    if plain is None:
        return None
    return {str(device): [bytes.fromhex(one) for one in each] for device, each in plain.items()}


def _recount(folder: Path, signed: Manifest, found: Audit) -> None:
    """Count and write everything again."""
    month = Month.parse(signed.month)
    configuration = read_configuration(folder / CONFIGURATION)
    counted = count(folder / JOURNAL, configuration, month)
    found.schools = len(counted.figures.schools)
    config_sha256 = configuration_sha256(folder / CONFIGURATION, configuration, month)
    for name, said, is_now in (
        ("data_sha256", signed.data_sha256, counted.data_sha256),
        ("configuration_sha256", signed.configuration_sha256, config_sha256),
    ):
        if said != is_now:
            found.faults.append(BundleFault(at=f"{manifest.FILE}: {name}", problem=f"it is {is_now} now"))
    known = len(found.faults)
    for path, content in numbers(counted).items():
        found.numbers += _compare_numbers(path, content, _read(folder / path), found)
    if len(found.faults) > known and signed.code != code_version():
        problem = (
            f"{signed.code} counted, this is {code_version()}: ask that one before believing a difference"
        )
        found.faults.insert(known, BundleFault(at=f"{manifest.FILE}: code", problem=problem))
    _compare_pages(folder, signed, counted, config_sha256, found)


def _compare_numbers(path: str, now: bytes, then: bytes, found: Audit) -> int:
    """Each number and word; the first that differs is named."""
    is_now = dict(flat(json.loads(now)))
    try:
        said: dict[str, Any] = dict(flat(json.loads(then)))
    except (ValueError, RecursionError):
        found.faults.append(BundleFault(at=path, problem="cannot be read"))
        return len(is_now)
    differing = [key for key in dict.fromkeys((*said, *is_now)) if said.get(key) != is_now.get(key)]
    for key in differing[:MOST_FAULTS]:
        problem = f"says {said.get(key)!r}, the evidence says {is_now.get(key)!r}"
        found.faults.append(BundleFault(at=f"{path}: {key}", problem=problem))
    if not differing and now != then:
        found.faults.append(BundleFault(at=path, problem="is not written as figures are"))
    return len(is_now)


def _compare_pages(
    folder: Path, signed: Manifest, counted: Counted, config_sha256: str, found: Audit
) -> None:
    """Pages and tables, where this program is the one that wrote them."""
    has_previous = (folder / PREVIOUS).is_dir()
    if has_previous is not (signed.previous is not None):
        found.faults.append(BundleFault(at=PREVIOUS, problem="does not fit the manifest"))
        return
    changes: tuple[Change, ...] = ()
    if has_previous:
        found.faults += _previous_faults(folder, signed)
        changes = difference(previous_standing(folder / PREVIOUS), now_standing(folder, counted))
    if signed.code != code_version():
        return
    frozen = frozen_by(
        revision=signed.revision,
        previous=signed.revision - 1 if has_previous else None,
        counted=counted,
        configuration_sha256=config_sha256,
        code=signed.code,
        key=signed.key,
        extent=signed.journal,
    )
    made = pages(counted, frozen, changes)
    found.pages = len(made)
    for path, content in made.items():
        then = _read(folder / path)
        if then != content:
            found.faults.append(
                BundleFault(at=f"{path}:{_first_line(then, content)}", problem="says otherwise")
            )


def _previous_faults(folder: Path, signed: Manifest) -> Iterator[BundleFault]:
    """What was kept of the revision before must be what its own manifest says."""
    kept = folder / PREVIOUS
    content = _read(kept / manifest.FILE)
    if hashlib.sha256(content).hexdigest() != signed.previous:
        yield BundleFault(
            at=f"{PREVIOUS}/{manifest.FILE}", problem="is not the one that this revision followed"
        )
        return
    earlier = manifest.parse(content)
    if (earlier.month, earlier.revision) != (signed.month, signed.revision - 1):
        yield BundleFault(at=f"{PREVIOUS}/{manifest.FILE}", problem=f"is {earlier.name}")
    for line in earlier.files:
        if (kept / line.path).exists() and line_of(line.path, _read(kept / line.path)) != line:
            yield BundleFault(at=f"{PREVIOUS}/{line.path}", problem="is not the file that was signed")


def _first_line(one: bytes, other: bytes) -> int:
    """Number of the first line that differs."""
    lines = zip(one.splitlines(), other.splitlines(), strict=False)
    same = next((n for n, (a, b) in enumerate(lines) if a != b), None)
    return (min(one.count(b"\n"), other.count(b"\n")) if same is None else same) + 1


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
