# SPDX-License-Identifier: Apache-2.0
"""How true are begin, end and cause of outages, and what does the watch cost on a healthy link?

Writes the tables of docs/outages.md. Takes about six minutes.
"""

from __future__ import annotations

import concurrent.futures
import functools
import re
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Link
from tests.linkbed.outages import ALL, LEAD_S, Found, play
from tests.linkbed.program import compiled
from tests.linkbed.watching import Told, Watching

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outages.md"
_COUNTED_S = 300.0
_DAY_S = 86_400.0
_GEO = Link(rtt_ms=600, rate_bps=10e6, loss_ratio=0.015)
_PLAYED = {
    ("standard", "50 ms"): Link(rtt_ms=50, rate_bps=5e6),
    ("standard", "GEO, 3 % loss"): _GEO,
    ("metered", "50 ms"): Link(rtt_ms=50, rate_bps=5e6),
    ("metered", "GEO, 3 % loss"): _GEO,
}
_QUIET = {
    "50 ms": Link(rtt_ms=50, rate_bps=5e6),
    "GEO": Link(rtt_ms=600, rate_bps=10e6),
    "GEO, 3 % loss": _GEO,
    "GEO, bursty loss": Link(rtt_ms=600, down={"burst_loss": Burst(to_bad_ratio=0.01, to_good_ratio=0.25)}),
}
_MB_GOALS = {"standard": 15.0, "metered": 3.0}


def measure() -> list[Figure]:
    """Every scenario on four links, and five quiet minutes on eight, all at once."""
    compiled()
    with concurrent.futures.ThreadPoolExecutor(
        max_workers=len(_PLAYED) + len(_MB_GOALS) * len(_QUIET)
    ) as pool:
        played = {
            key: pool.submit(functools.partial(play, ALL, link, profile=key[0]))
            for key, link in _PLAYED.items()
        }
        quiet = {
            (profile, name): pool.submit(functools.partial(_quiet, profile, link))
            for profile in _MB_GOALS
            for name, link in _QUIET.items()
        }
        results = {key: future.result() for key, future in played.items()}
        costs = {key: future.result() for key, future in quiet.items()}
    _write(results, costs)
    return [*_truth(results), *_costs(costs)]


def _quiet(profile: str, link: Link) -> tuple[float, list[Told]]:
    """Megabytes a day at the IP layer, from the packets that crossed the link, and outages told."""
    with Bed() as bed:
        bed.apply(link)
        watching = Watching(bed, profile=profile)
        time.sleep(LEAD_S)
        before, began_s = bed.truth(), time.monotonic()
        time.sleep(_COUNTED_S)
        after, lasted_s = bed.truth(), time.monotonic() - began_s
        told = watching.stop()
    counted = after.up.in_bytes - before.up.in_bytes + after.down.out_bytes - before.down.out_bytes
    return counted / lasted_s * _DAY_S / 1e6, told


def _truth(results: dict[tuple[str, str], tuple[list[Found], list[Told]]]) -> Iterator[Figure]:
    for (profile, link), (found, imagined) in results.items():
        name = f"{profile}, {link}"
        long = [
            f for f in found if f.scenario.lasts_s >= 5 and f.last and f.scenario.cause not in {None, "dns"}
        ]
        begins = [abs(f.begin_error_s) for f in long if f.begin_error_s is not None]
        ends = [abs(f.end_error_s) for f in long if f.end_error_s is not None]
        yield Figure(name=f"{name}: begin, worst error, ≥ 5 s", value=max(begins), unit="s", goal=1.0)
        yield Figure(name=f"{name}: end, worst error, ≥ 5 s", value=max(ends), unit="s", goal=1.0)
        wrong = [f.scenario.name for f in found if not f.is_right and _is_promised(f, profile)]
        yield Figure(
            name=f"{name}: scenarios told wrongly", value=len(wrong), unit="", goal=0, note=", ".join(wrong)
        )
        yield Figure(name=f"{name}: outages told that were none", value=len(imagined), unit="", goal=0)


def _is_promised(found: Found, profile: str) -> bool:
    """The metered profile promises neither names nor outages under 5 s."""
    return profile == "standard" or (found.scenario.lasts_s >= 5 and found.scenario.cause != "dns")


def _costs(costs: dict[tuple[str, str], tuple[float, list[Told]]]) -> Iterator[Figure]:
    for (profile, link), (mb, told) in costs.items():
        note = f"IP layer, extrapolated from the packets of {_COUNTED_S:.0f} s; {len(told)} outages told"
        goal = None if "loss" in link else _MB_GOALS[profile]
        yield Figure(name=f"{profile}, {link}: a day costs", value=mb, unit="MB", goal=goal, note=note)


def _write(
    results: dict[tuple[str, str], tuple[list[Found], list[Told]]],
    costs: dict[tuple[str, str], tuple[float, list[Told]]],
) -> None:
    """Fill the measured part of the page."""
    parts = []
    for (profile, link), (found, imagined) in results.items():
        parts += [
            f"### {profile}, {link}\n",
            "| scenario | truth | begin | told ± | end | told ± | cause | right |",
            "|---|---:|---:|---:|---:|---:|---|---|",
            *map(_row, found),
            f"\nOutages told that were none: {len(imagined)}.\n",
        ]
    parts += [
        "### Bytes\n",
        f"At the IP layer, extrapolated from the packets that crossed the link in {_COUNTED_S:.0f} s.\n",
        "| profile | link | MB a day | outages told |",
        "|---|---|---:|---:|",
        *(f"| {p} | {link} | {mb:.2f} | {len(told)} |" for (p, link), (mb, told) in costs.items()),
    ]
    pattern = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)
    made = "\n".join(parts)
    PAGE.write_text(pattern.sub(lambda m: f"{m[1]}\n{made}\n\n{m[2]}", PAGE.read_text()))


def _row(found: Found) -> str:
    truth = f"{found.truth.lasted_s:.2f} s"
    verdict = "yes" if found.is_right else "**no**"
    last = found.last
    if last is None:
        return f"| {found.scenario.name} | {truth} | – | – | – | – | no outage | {verdict} |"
    cells = [
        _signed(found.begin_error_s),
        _plain(last.opened_resolution_s),
        _signed(found.end_error_s),
        _plain(last.closed_resolution_s),
    ]
    return f"| {found.scenario.name} | {truth} | {' | '.join(cells)} | {last.cause} | {verdict} |"


def _signed(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:+.2f}"


def _plain(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}"
