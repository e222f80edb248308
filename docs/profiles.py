# SPDX-License-Identifier: Apache-2.0
"""What does a month of tests cost under the two profiles that the documents offer?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from agent.config import AgentOptions, build_probes
from agent.contract.decoder import decode
from agent.plan.cost import of_month
from agent.probes.base import CostsData
from agent.probes.capacity import CapacityProbe
from agent.throughput.cost import Cost, of_direction

RATES_MBPS = (2, 10, 50, 200)
PROFILES: Mapping[str, str] = {
    "metered": """\
[plan]
month_bytes = 5_000_000_000
test_share_ratio = 0.05
windows = ["08:00-18:00"]
time_zone = "Asia/Almaty"

[probes.capacity]
enabled = true
server = "reflector.example.org"
every_s = 43_200
max_bytes = 5_000_000
""",
    "standard": """\
[plan]
month_bytes = 100_000_000_000
test_share_ratio = 0.1
time_zone = "Asia/Almaty"

[probes.capacity]
enabled = true
server = "reflector.example.org"
every_s = 21_600
""",
}
"""Parts of agent.toml."""


def options_of(profile: str) -> AgentOptions:
    """The profile as the agent reads it."""
    return decode(AgentOptions, {"device": "kz-0001", **tomllib.loads(PROFILES[profile])}, strict=True)


def capacity_of(profile: str) -> CapacityProbe:
    """Its test."""
    (probe,) = (p for p in build_probes(options_of(profile).probes) if isinstance(p, CapacityProbe))
    return probe


def quiet_month(profile: str, mbps: float) -> Cost:
    """What its tests move in a month over a quiet link, both directions, the plan's limit aside."""
    probe = capacity_of(profile)
    (cost,) = of_month("kz-0001", options_of(profile).plan, [probe])
    one = of_direction(mbps, max_bytes=probe.max_bytes // 2, max_mbps=probe.max_mbps)
    return Cost(cost.rounds * 2 * one.bytes, one.is_enough)


def page() -> str:
    """The generated part of docs/data-plan.md."""
    parts = [f"### {name}\n\n```toml\n{toml}```\n" for name, toml in PROFILES.items()]
    heads = [f"{mbps} Mbit/s" for mbps in RATES_MBPS]
    rows = [
        "| profile | tests a month | most one moves | most all move | " + " | ".join(heads) + " |",
        "|---|---|---|---|" + "---|" * len(heads),
    ]
    rows += [_row(name) for name in PROFILES]
    return "\n".join([*parts, "\n".join(rows) + "\n"])


def _row(profile: str) -> str:
    tests = [p for p in build_probes(options_of(profile).probes) if isinstance(p, CostsData)]
    (cost,) = of_month("kz-0001", options_of(profile).plan, tests)
    quiet = [quiet_month(profile, mbps) for mbps in RATES_MBPS]
    at_rates = [_shown(month.bytes) + ("" if month.is_enough else " *") for month in quiet]
    cells = [profile, str(cost.rounds), _shown(cost.round_bytes), _shown(cost.bytes), *at_rates]
    return "| " + " | ".join(cells) + " |"


def _shown(bytes_: int) -> str:
    return f"{bytes_ / 1e6:,.1f} MB".replace(",", "\u202f")
