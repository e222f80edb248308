# SPDX-License-Identifier: Apache-2.0
"""Where do closed months go? The table `[reports]`."""

from __future__ import annotations

from dataclasses import dataclass

from agent.contract.decoder import DecodeError
from agent.contract.option import option


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """The table `[reports]`."""

    directory: str = option("one folder a month, in it one for each revision", "/var/lib/schoolpulse/reports")

    def __post_init__(self) -> None:
        """An empty path is the folder the program happens to be in."""
        if not self.directory:
            raise DecodeError("directory", "must not be empty")
