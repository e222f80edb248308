# SPDX-License-Identifier: Apache-2.0
"""How do tests get the wheel that would be installed, built from this tree and from nothing else?"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
SOURCES = ("agent", "collector", "firmware_bridge")
FILES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg")


def build(directory: Path) -> Path:
    """The wheel, without network: setuptools is that of the development environment."""
    source = directory / "source"
    source.mkdir()
    for folder in SOURCES:
        shutil.copytree(TREE / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        if (TREE / file).exists():
            shutil.copy(TREE / file, source)
    code = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-W", "ignore", "-c", code, str(directory)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = directory.glob("*.whl")
    return wheel
