# SPDX-License-Identifier: Apache-2.0
"""Did the server itself answer, or a cache in its place?

Caches between school and server are to ask again when told `no-cache` (RFC 9111 §5.2.1.4), but operators of
narrow links configure theirs not to. What they add to a response still shows it; one that hides that cannot
be told from a server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_HIT = re.compile(r"(?<![a-z])hit(?![a-z])", re.IGNORECASE)


def is_cached(headers: Mapping[str, str]) -> bool:
    """Whether a cache says so: by `Age` (RFC 9111 §5.1), `Cache-Status` (RFC 9211) or `X-Cache`."""
    said = (headers.get(name, "") for name in ("cache-status", "x-cache"))
    return "age" in headers or any(map(_HIT.search, said))
