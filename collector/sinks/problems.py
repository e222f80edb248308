# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the store's file, where, and what can be done about it?"""

from __future__ import annotations

from pathlib import Path

_REBUILD = "stop the collector, move the file away with its -wal and -shm; it is built again from the journal"
_ADVICE = {
    "SQLITE_FULL": "free some disk space; nothing is lost meanwhile",
    "SQLITE_BUSY": "another program locks the file; end it (an open sqlite3 shell, a backup)",
    "SQLITE_CANTOPEN": "check that the directory exists and that the collector may write there",
    "SQLITE_READONLY": "check that the collector may write the file and its directory",
    "SQLITE_PERM": "check that the collector may write the file and its directory",
    "SQLITE_CORRUPT": _REBUILD,
    "SQLITE_NOTADB": _REBUILD,
    "SQLITE_IOERR": "check the disk and the kernel's log",
}


def describe(path: Path, e: Exception) -> str:
    """One sentence for the operator."""
    code = str(getattr(e, "sqlite_errorname", ""))
    advice = next((a for prefix, a in _ADVICE.items() if code.startswith(prefix)), None)
    problem = f"{e} ({code})" if code else str(e)
    return f"store {path}: {problem}" + (f"; {advice}" if advice else "")
