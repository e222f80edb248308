# SPDX-License-Identifier: Apache-2.0
"""How true are begin, end and cause of outages, and what does the watch cost on a healthy link?

Writes the tables of docs/outages.md. Takes four and a half minutes.
"""

from __future__ import annotations

import concurrent.futures
import functools
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench.figure import Figure
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Link
from tests.linkbed.outages.played import LEAD_S, Played, play_all
from tests.linkbed.outages.promised import COARSE, why_excepted
from tests.linkbed.outages.scenarios import LOSSY_GEO, TERRESTRIAL, Line
from tests.linkbed.outages.table import table
from tests.linkbed.program import compiled
from tests.linkbed.watching import Told, Watching

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outages.md"
_COUNTED_S = 240.0
"""In which `metered` asks a resolver once, so that its bytes are counted as they are in a day."""

_DAY_S = 86_400.0
_QUIET = {
    "50 ms": TERRESTRIAL,
    "GEO": Link(rtt_ms=600, rate_bps=10e6),
    "GEO, 3 % loss": LOSSY_GEO,
    "GEO, bursty loss": Link(rtt_ms=600, down={"burst_loss": Burst(to_bad_ratio=0.01, to_good_ratio=0.25)}),
}
_MB_GOALS = {"standard": 15.0, "metered": 3.0}


def measure() -> list[Figure]:
    """Every scenario on four links, and four quiet minutes on eight, all at once."""
    compiled()
    with concurrent.futures.ThreadPoolExecutor(max_workers=1 + len(_MB_GOALS) * len(_QUIET)) as pool:
        played = pool.submit(play_all)
        quiet = {
            (profile, name): pool.submit(functools.partial(_quiet, profile, link))
            for profile in _MB_GOALS
            for name, link in _QUIET.items()
        }
        results = played.result()
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


def _truth(results: Mapping[Line, Played]) -> Iterator[Figure]:
    for line, played in results.items():
        long = [f for f in played.found if f.scenario.lasts_s >= 5 and f.scenario.cause not in COARSE]
        begins = [abs(f.begin_error_s) for f in long if f.begin_error_s is not None]
        ends = [abs(f.end_error_s) for f in long if f.end_error_s is not None]
        yield Figure(name=f"{line}: begin, worst error, ≥ 5 s", value=max(begins), unit="s", goal=1.0)
        yield Figure(name=f"{line}: end, worst error, ≥ 5 s", value=max(ends), unit="s", goal=1.0)
        wrong = [f.scenario.name for f in played.found if not f.is_right and why_excepted(f, line) is None]
        yield Figure(
            name=f"{line}: scenarios told wrongly", value=len(wrong), unit="", goal=0, note=", ".join(wrong)
        )
        yield Figure(name=f"{line}: outages told that were none", value=len(played.imagined), unit="", goal=0)


def _costs(costs: dict[tuple[str, str], tuple[float, list[Told]]]) -> Iterator[Figure]:
    for (profile, link), (mb, told) in costs.items():
        note = f"IP layer, extrapolated from the packets of {_COUNTED_S:.0f} s; {len(told)} outages told"
        goal = None if "loss" in link else _MB_GOALS[profile]
        yield Figure(name=f"{profile}, {link}: a day costs", value=mb, unit="MB", goal=goal, note=note)


def _write(
    results: Mapping[Line, Played],
    costs: dict[tuple[str, str], tuple[float, list[Told]]],
) -> None:
    """Fill the measured part of the page."""
    parts = [
        *(table(line, played) for line, played in results.items()),
        "### Bytes\n",
        f"At the IP layer, extrapolated from the packets that crossed the link in {_COUNTED_S:.0f} s.\n",
        "| profile | link | MB a day | outages told |",
        "|---|---|---:|---:|",
        *(f"| {p} | {link} | {mb:.2f} | {len(told)} |" for (p, link), (mb, told) in costs.items()),
    ]
    pattern = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)
    made = "\n".join(parts)
    PAGE.write_text(pattern.sub(lambda m: f"{m[1]}\n{made}\n\n{m[2]}", PAGE.read_text()))
