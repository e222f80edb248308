# SPDX-License-Identifier: Apache-2.0
"""Which settings does the web page have?"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.option import option


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The table `[web]`."""

    enabled: bool = option("whether the page is served", True)
    host: str = option(
        "address to listen on; the page asks for no password, so beyond this machine put a proxy before it",
        "127.0.0.1",
    )
    port: int = option("TCP port to listen on; 0 takes a free one", 8080, low=0, high=65535)
    time_zone: str = option("IANA zone in which times are printed", "Asia/Almaty")
    stale_after_s: float = option(
        "a school without newer data is shown as unknown; twice the longest `report_every_s` or more",
        900.0,
        low=60,
        high=86400,
    )
    refresh_every_s: float = option(
        "how often the store is read and an open page reloads", 30.0, low=1, high=3600
    )
    schools_per_page: int = option("rows of the overview before it is cut into pages", 200, low=10, high=1000)

    def __post_init__(self) -> None:
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as e:
            raise DecodeError(
                "time_zone", f"{self.time_zone!r} is not an IANA time zone such as 'Asia/Almaty'"
            ) from e
