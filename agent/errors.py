# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the agent, by what is to be done about it.

    AgentError
    ├── ConfigError      expected in the field: the file says something impossible; exit 78
    └── SpoolInUse       expected in the field: another agent has this spool; exit 1, worth trying again

A probe that cannot measure raises `agent.probes.base.ProbeFailed`. Everything else that escapes is our bug.
"""

from __future__ import annotations

from pathlib import Path


class AgentError(Exception):
    """Root of the agent's own errors."""


class ConfigError(AgentError):
    """The configuration cannot be used; the message says where and what to do."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file}: {problem}")
        self.file = file
        self.problem = problem


class SpoolInUse(AgentError):
    """Another agent writes to a folder; two would overwrite each other's records."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"{directory}: another school-agent is using this folder: stop that one "
            "(systemctl stop school-agent), or give this one a [spool] directory of its own"
        )
        self.directory = directory
