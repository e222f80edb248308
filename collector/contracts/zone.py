# SPDX-License-Identifier: Apache-2.0
"""Which clock is meant by the name of a time zone, and is it known well enough?"""

from __future__ import annotations

import datetime as dt
import zoneinfo

from agent.contract.decoder import DecodeError, nearest

_KAZAKHSTAN = frozenset(
    f"Asia/{name}" for name in ("Almaty", "Aqtau", "Aqtobe", "Atyrau", "Oral", "Qostanay", "Qyzylorda")
)
_SINCE = dt.datetime(2024, 3, 2, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(hours=5)
"""UTC+5 in all of the country since 2024-03-01 (tzdata 2024a)."""


def read_zone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name.

    Raises:
        DecodeError: there is none, or this machine's tables are too old to tell its time.
    """
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, KeyError) as e:
        hint = nearest(name, zoneinfo.available_timezones())
        raise DecodeError("zone", f"time zone {name!r} is not known{hint}") from e
    if name in _KAZAKHSTAN and _SINCE.astimezone(zone).utcoffset() != _AHEAD:
        raise DecodeError(
            "zone", f"{name} is UTC+5 since 2024-03-01; this machine needs tzdata 2024a or newer"
        )
    return zone
