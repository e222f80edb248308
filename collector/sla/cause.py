# SPDX-License-Identifier: Apache-2.0
"""Why was a school without internet, or with a poor one? The causes there are, and whose each of them is."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """The part of the way that failed, from the school outwards."""

    POWER = "power"
    AGENT = "agent"
    LAN = "lan"
    ROUTER = "router"
    MODEM = "modem"
    SIM = "sim"
    QUOTA = "quota"
    SIGNAL = "signal"
    LINE = "line"
    OPERATOR = "operator"
    UPSTREAM = "upstream"
    PORTAL = "portal"
    DNS = "dns"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How well a cause is founded."""

    HIGH = "high"
    """Whoever would know said so, or the part was seen dead while the one before it lived."""
    MEDIUM = "medium"
    """It follows, if nothing else happened at the same time."""
    LOW = "low"
    """Nothing speaks for another one."""


PROVIDER_CAUSES = frozenset({Cause.SIGNAL, Cause.LINE, Cause.OPERATOR, Cause.UPSTREAM, Cause.PORTAL})
"""What the operator answers for where the gateway lives and every anchor is dead; a contract may differ."""

SENTENCES: dict[Cause, str] = {
    Cause.POWER: "the school, or what it reaches the internet by, had no power",
    Cause.AGENT: "the measuring program did not run",
    Cause.LAN: "the measuring device's cable, interface or route was dead",
    Cause.ROUTER: "the school's router was dead",
    Cause.MODEM: "the modem or terminal was not there, or not working",
    Cause.SIM: "the modem had no SIM that it could use",
    Cause.QUOTA: "the account was disabled, or its data were used up",
    Cause.SIGNAL: "the modem or terminal heard no network it could register with",
    Cause.LINE: "the way to the operator's first hop was dead",
    Cause.OPERATOR: "the operator's network did not carry anything",
    Cause.UPSTREAM: "the operator's network lived, what lies behind it did not answer",
    Cause.PORTAL: "somebody on the way put a page of their own before the web",
    Cause.DNS: "names were not answered",
    Cause.UNKNOWN: "nothing tells",
}
