# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the agent, by what is to be done about it.

    AgentError
    └── ConfigError      expected in the field: the file says something impossible; exit 78

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
