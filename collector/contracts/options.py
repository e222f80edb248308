# SPDX-License-Identifier: Apache-2.0
"""Where are contracts and exclusions written down? The table `[contracts]`."""

from __future__ import annotations

from dataclasses import dataclass

from agent.contract.decoder import DecodeError
from agent.contract.option import option


@dataclass(frozen=True, kw_only=True)
class ContractOptions:
    """The table `[contracts]`."""

    files: tuple[str, ...] = option("TOML files with calendars and contracts; none: nothing is promised", ())
    exclusions_file: str = option(
        "ledger of exclusions; made by the first proposal, only ever added to",
        "/var/lib/schoolpulse/exclusions.jsonl",
    )

    def __post_init__(self) -> None:
        """An empty path is the folder the program happens to be in."""
        for i, name in enumerate(self.files):
            if not name:
                raise DecodeError(f"files[{i}]", "must not be empty")
        if not self.exclusions_file:
            raise DecodeError("exclusions_file", "must not be empty")
