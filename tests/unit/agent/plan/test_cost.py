# SPDX-License-Identifier: Apache-2.0
"""Does a month cost what the documents say?"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.plan.cost import of_month
from agent.plan.turns import times_of
from agent.throughput.cost import of_direction
from docs.profiles import PROFILES, RATES_MBPS, capacity_of, options_of, quiet_month


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_keeps_to_its_plan_at_its_most(profile: str) -> None:
    plan, probe = options_of(profile).plan, capacity_of(profile)
    (cost,) = of_month("kz-0001", plan, [probe])
    times = times_of("kz-0001", plan, probe)
    october = sum(len(list(times.of_day(dt.date(2026, 10, day)))) for day in range(1, 32))

    assert cost.rounds == october
    assert plan.share_bytes is not None
    assert cost.bytes == min(cost.rounds * probe.estimate_bytes(), plan.share_bytes)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_quiet_links_month_fits_the_plan(profile: str) -> None:
    share = options_of(profile).plan.share_bytes
    months = [quiet_month(profile, mbps) for mbps in RATES_MBPS]
    enough = [month.bytes for month in months if month.is_enough]
    print(f"{profile}: {months} of {share}")

    assert enough == sorted(enough)
    assert len(enough) == {"metered": 3, "standard": 4}[profile]
    assert share is not None
    assert all(month.bytes <= share for month in months)


@pytest.mark.parametrize("mbps", [0.5, 2, 10, 50, 200])
def test_a_computed_test_costs_about_half_a_second_of_the_links_rate(mbps: float) -> None:
    cost = of_direction(mbps, max_bytes=25_000_000, max_mbps=1000)

    assert cost.is_enough
    assert 0.3 < cost.bytes * 8 / (mbps * 1e6) < 0.6


@pytest.mark.parametrize("max_bytes", [100_000, 1_000_000, 25_000_000])
def test_a_computed_test_keeps_to_its_limit(max_bytes: int) -> None:
    assert of_direction(200, max_bytes=max_bytes, max_mbps=1000).bytes <= max_bytes


def test_check_says_what_a_month_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('device = "kz-0001"\n' + PROFILES["metered"])

    assert main(["check", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert main(["check", "--json", "--config", str(file)]) == 0
    (cost,) = json.loads(capsys.readouterr().out)["month_costs"]

    assert "data plan 5000000000 bytes a month, of which tests 250000000" in said
    assert f"test capacity up to 31 times a month, {cost['round_bytes']} bytes at most each" in said
    assert cost["rounds"] == 31
