# SPDX-License-Identifier: Apache-2.0
"""A small ext4 file system of its own on a loop device, as a Raspberry Pi's card has it; needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SECTOR_BYTES = 512
_SECTORS_WRITTEN = 6


@dataclass(frozen=True)
class Card:
    """A mounted file system and its device."""

    mount: Path
    device: str

    def written_bytes(self) -> int:
        """Bytes the device was given since it exists, journal and all (Documentation/block/stat.rst)."""
        fields = Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()
        return int(fields[_SECTORS_WRITTEN]) * _SECTOR_BYTES

    def sync(self) -> None:
        """Write everything that waits, as the kernel does in time."""
        run("sync", "--file-system", str(self.mount))

    def remount(self, option: str) -> None:
        """`ro` or `rw`."""
        run("mount", "-o", f"remount,{option}", str(self.mount))


def run(*command: str) -> str:
    """Run a command that must succeed; its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def is_possible() -> bool:
    """Whether this process may have loop devices."""
    return os.geteuid() == 0 and Path("/dev/loop-control").exists()


@contextlib.contextmanager
def card(directory: Path, *, size_mb: int = 64, options: str = "noatime") -> Iterator[Card]:
    """Make, mount, and leave nothing behind."""
    image, mount = directory / "card.img", directory / "card"
    with image.open("wb") as file:
        file.truncate(size_mb * 2**20)
    # Blocks of 4096 bytes and nothing written later that is not ours.
    run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
    mount.mkdir()
    device = run("losetup", "--find", "--show", str(image))
    try:
        run("mount", "-o", options, device, str(mount))
        try:
            yield Card(mount, device)
        finally:
            run("umount", str(mount))
    finally:
        run("losetup", "--detach", device)
        image.unlink()
