# SPDX-License-Identifier: Apache-2.0
"""What do the words mean by which routers tell of cellular networks and SIMs?"""

from __future__ import annotations

from firmware_bridge.protocols.snmp_values import of_text

TECHNOLOGY = of_text(
    # What the modem is allowed to use, not what it uses.
    (r"_|^auto|no service|^(nr)?5g$", None),
    (r"(5g|nr)[-_ ]?sa\b", "nr_sa"),
    (r"\b5g|\bnr|en-?dc", "nr_nsa"),
    (r"nb-?iot|\bnb\d?\b", "nb_iot"),
    (r"cat[- ]?m|emtc|lte-?m\b", "lte_m"),
    (r"lte|\b4g|e-?utran", "lte"),
    (r"wcdma|umts|hs[du]?pa|\b3g|^utran", "umts"),
    (r"gsm|gprs|edge|\b2g", "gsm"),
)
"""Access technology as the record says it."""

SIM = of_text(
    (r"not inserted|no sim|absent|missing|not present", {"sim_ready": False, "state": "sim_missing"}),
    (r"^(inserted|ready|present)\b", {"sim_ready": True}),
)

PIN = of_text(
    (r"not inserted|no sim|sim failure", {"sim_ready": False, "state": "sim_missing"}),
    (r"\bpuk|sim pin|pin required|pin2? lock|^required", {"sim_ready": False, "state": "sim_locked"}),
    (r"^(ready|ok)\b", {"sim_ready": True}),
)

REGISTRATION = of_text(
    (r"denied|rejected", {"registered": False, "denied": True}),
    (r"not registered|unregistered|searching|emergency", {"registered": False}),
    (r"roaming", {"registered": True, "roaming": True}),
    (r"registered|\bhome\b", {"registered": True, "roaming": False}),
)

ATTACHED = of_text((r"^(disconnected|not connected)", False), (r"^connected", True))
