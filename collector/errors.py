# SPDX-License-Identifier: Apache-2.0
"""What can go wrong at the centre, and what does the caller do about it?

    CollectorError
    ├── expected in the field
    │   ├── ConfigError            tell the operator: refuse to start, exit code 78
    │   ├── JournalLocked          tell the operator: another collector runs on this journal
    │   └── JournalUnavailable     retry: the disk is full or broken, acknowledge nothing
    └── our bug: anything else

What sinks raise is in `collector.sinks.base`, what does not fit the contract in `agent.contract.decoder`.
"""

from __future__ import annotations


class CollectorError(Exception):
    """Root of everything this program raises on purpose."""


class ConfigError(CollectorError):
    """A file that people write cannot be used.

    Attributes:
        where: file and key path, or file, line and column.
        problem: what is wrong there and what would be right.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class JournalLocked(CollectorError):
    """Another process writes this journal."""


class JournalUnavailable(CollectorError):
    """The group was not stored; the journal opens itself anew with the next one."""
