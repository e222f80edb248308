# SPDX-License-Identifier: Apache-2.0
"""Why did a measurement give no figure? A failed measurement is a record with one of these words."""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """Closed vocabulary on the sender's side; a receiver accepts words it does not know."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NETWORK_DOWN = "network_down"
    NO_GATEWAY = "no_gateway"
    NO_TARGET = "no_target"
    NAME_UNKNOWN = "name_unknown"
    DNS_SERVER_FAILURE = "dns_server_failure"
    BAD_ANSWER = "bad_answer"
    NOT_PERMITTED = "not_permitted"
    NOT_PRESENT = "not_present"
    OVERRAN = "overran"
    INTERNAL = "internal"
    TLS_FAILED = "tls_failed"
    BUSY = "busy"
    BLOCKED = "blocked"
    GONE = "gone"
    ADDRESS_CHANGED = "address_changed"
    UNTRUE = "untrue"
    PLAN_EXHAUSTED = "plan_exhausted"
