# SPDX-License-Identifier: Apache-2.0
"""How is a month closed: frozen, signed, and never changed again, only followed by another revision?

A revision is made in a folder beside its place and gets its name when it is whole, so that half of one is
never found. Closing again makes none when neither the data nor the configuration of the month is another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import public_key
from collector.config import RegistryOptions
from collector.contracts.options import ContractOptions
from collector.disk import Disk
from collector.errors import CollectorError
from collector.evidence import manifest
from collector.evidence.configuration import (
    FOLDER as CONFIGURATION,
)
from collector.evidence.configuration import (
    configuration_sha256,
    copy_configuration,
    read_configuration,
    zone,
)
from collector.evidence.difference import Standing, difference
from collector.evidence.extract import FOLDER as JOURNAL
from collector.evidence.extract import KEYS, copy_evidence
from collector.evidence.figures import Counted, count
from collector.evidence.files import frozen_by, numbers, pages
from collector.evidence.manifest import Extent, Manifest, canonical, line_of, lines_of
from collector.evidence.revision import (
    KEPT,
    PREVIOUS,
    Revision,
    SpoiledRevision,
    read_manifest,
    revisions,
    standing,
)
from collector.evidence.version import code_version
from collector.reports.change import Change
from collector.reports.plain import to_plain
from collector.shelf import Shelf
from collector.sla.period import Month
from collector.sla.slot import SLOT_MS
from collector.verify import verify

DeviceKeys = dict[str, list[bytes]] | None
"""Every signing key that each device ever had; None where there is no authority."""


class AnotherCloses(CollectorError):
    """Two at once would take one number."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a month is closed from.

    Attributes:
        key: of the checkpoints; it signs.
        time_zone: of the page, and of schools without a contract.
    """

    journal: Shelf
    registry: RegistryOptions
    contracts: ContractOptions
    device_keys: DeviceKeys
    key: Ed25519PrivateKey
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What came of it.

    Attributes:
        is_new: False when nothing had changed since the newest revision.
        changes: since the revision before.
    """

    manifest: Manifest
    folder: Path
    is_new: bool
    changes: tuple[Change, ...] = ()


def close(sources: Sources, month: Month, reports: Path) -> Closed:
    """Close a month, or find that it is closed as it stands.

    Raises:
        ConfigError: a file of the configuration cannot be used.
        NoEvidence: there is no journal.
        SpoiledRevision: the newest revision is damaged, or the journal is.
        AnotherCloses: somebody else does, at the same time.
        OSError: the disk does not let us.
    """
    disk = Disk()
    disk.make_directory(reports)
    try:
        lock = disk.lock(reports / "lock")
    except BlockingIOError as e:
        raise AnotherCloses(f"{reports}: a month is being closed at this moment") from e
    try:
        return _close(sources, month, reports / str(month))
    finally:
        disk.unlock(lock)


def _close(sources: Sources, month: Month, folder: Path) -> Closed:
    before = next(reversed(revisions(folder)), None)
    draft = folder / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        return _Draft(sources, month, draft, before).closed()
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@dataclass
class _Draft:
    """A revision that has no name yet."""

    sources: Sources
    month: Month
    folder: Path
    before: Revision | None

    def closed(self) -> Closed:
        """Make it, unless there is nothing new."""
        earlier = None if self.before is None else read_manifest(self.before.folder)
        extent = self._copy()
        configuration = read_configuration(self.folder / CONFIGURATION)
        counted = count(self.folder / JOURNAL, configuration, self.month)
        config_sha256 = configuration_sha256(self.folder / CONFIGURATION, configuration, self.month)
        if self.before is not None and earlier is not None:
            if (earlier.data_sha256, earlier.configuration_sha256) == (counted.data_sha256, config_sha256):
                return Closed(manifest=earlier, folder=self.before.folder, is_new=False)
            _keep(self.before.folder, self.folder / PREVIOUS)
        self._write(numbers(counted))
        changes = self._changes(counted)
        key, code = public_key(self.sources.key), code_version()
        number = 1 if self.before is None else self.before.number + 1
        frozen = frozen_by(
            revision=number,
            previous=None if self.before is None else self.before.number,
            counted=counted,
            configuration_sha256=config_sha256,
            code=code,
            key=key,
            extent=extent,
        )
        self._write(pages(counted, frozen, changes))
        made = Manifest(
            month=str(self.month),
            revision=number,
            previous=_previous_sha256(self.folder),
            data_sha256=counted.data_sha256,
            configuration_sha256=config_sha256,
            code=code,
            journal=extent,
            key=key,
            files=lines_of(self.folder, files_of(self.folder)),
        )
        return self._published(made, changes)

    def _copy(self) -> Extent:
        """Evidence and configuration; the evidence must prove itself before anything is counted by it."""
        zone_slots = self.month.slots(zone(self.sources.time_zone))
        copy_evidence(self.sources.journal, zone_slots.spans[0][0] * SLOT_MS, self.folder / JOURNAL)
        keys = self.sources.device_keys
        plain = None if keys is None else {d: [k.hex() for k in each] for d, each in sorted(keys.items())}
        (self.folder / JOURNAL / KEYS).write_bytes(canonical(plain))
        copy_configuration(
            self.folder / CONFIGURATION, self.sources.registry, self.sources.contracts, self.sources.time_zone
        )
        found = verify(self.folder / JOURNAL, device_keys=keys, is_extract=True)
        if found.faults:
            raise SpoiledRevision(
                f"the journal does not verify, so nothing is closed by it: {found.faults[0]}"
            )
        return Extent(
            first_segment=min(Shelf(self.folder / JOURNAL).numbers()),
            entries_before=found.before,
            entries=found.entries,
            end=found.end,
            root=found.root,
        )

    def _write(self, files: Mapping[str, bytes]) -> None:
        for path, content in files.items():
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_bytes(content)

    def _changes(self, counted: Counted) -> tuple[Change, ...]:
        if self.before is None:
            return ()
        return difference(previous_standing(self.folder / PREVIOUS), now_standing(self.folder, counted))

    def _published(self, made: Manifest, changes: tuple[Change, ...]) -> Closed:
        content = manifest.written(made)
        self._write({manifest.FILE: content, manifest.SIGNATURE: manifest.sign(content, self.sources.key)})
        disk = Disk()
        for path in (*sorted(self.folder.rglob("*")), self.folder):
            if path.is_dir():
                disk.sync_directory(path)
            else:
                _sync(path)
        target = self.folder.with_name(f"rev{made.revision}")
        self.folder.rename(target)
        disk.sync_directory(target.parent)
        return Closed(manifest=made, folder=target, is_new=True, changes=changes)


def _sync(path: Path) -> None:
    """A name must not outlive its contents when the power fails."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def files_of(folder: Path) -> list[str]:
    """Every file of a bundle but manifest and signature, by its path."""
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    return sorted(path for path in found if path not in {manifest.FILE, manifest.SIGNATURE})


def previous_standing(kept: Path) -> Standing:
    """How the revision before stood, of what was kept of it."""
    return standing(read_manifest(kept), {name: (kept / name).read_bytes() for name in KEPT})


def now_standing(folder: Path, counted: Counted) -> Standing:
    """How this one stands."""
    lines = lines_of(folder, [p for p in files_of(folder) if p.startswith(f"{CONFIGURATION}/")])
    return Standing(
        figures=to_plain(counted.figures),
        slots=counted.slots,
        records=counted.records,
        configuration={line.path.removeprefix(f"{CONFIGURATION}/"): line.sha256 for line in lines},
    )


def _keep(before: Path, target: Path) -> None:
    """What the next revision needs of the one before, checked."""
    lines = {line.path: line for line in read_manifest(before).files}
    target.mkdir()
    for name in KEPT:
        content = (before / name).read_bytes()
        if name in lines and lines[name] != line_of(name, content):
            raise SpoiledRevision(f"{before / name} is not what its manifest says")
        (target / name).write_bytes(content)


def _previous_sha256(folder: Path) -> str | None:
    path = folder / PREVIOUS / manifest.FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
