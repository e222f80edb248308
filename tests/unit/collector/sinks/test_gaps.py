# SPDX-License-Identifier: Apache-2.0
"""Is each number of a session stored, lost or neither, and lost once, whatever order things come in?"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sinks.base import Gap
from collector.sinks.reader import StoreReader
from collector.sinks.store import StoreOptions, StoreSink
from tests.unit.collector.sinks.measurements import measurement

steps = st.lists(
    st.one_of(
        st.tuples(st.just("gone"), st.integers(1, 3000), st.integers(0, 2500)),
        st.tuples(st.just("here"), st.integers(1, 3000), st.integers(0, 4)),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_what_is_stored_is_not_lost_and_what_is_lost_is_counted_once(
    steps: list[tuple[str, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.db"
        stored, told = asyncio.run(_told(path, steps))
        reader = StoreReader(path)
        found = [seq for g in reader.gaps("rpi-1") for seq in range(g.first_seq, g.last_seq + 1)]
        assert sorted(found) == sorted(told - stored)
        assert reader.lost().get("rpi-1", 0) == len(told - stored)
        assert reader.count() == len(stored)


async def _told(path: Path, steps: list[tuple[str, int, int]]) -> tuple[set[int], set[int]]:
    """Numbers that were stored, and that were told to be gone."""
    sink = StoreSink(StoreOptions(path=str(path)))
    stored, told = set[int](), set[int]()
    session = measurement(1).session
    for at, (what, low, length) in enumerate(steps):
        numbers = range(low, low + length + 1)
        if what == "gone":
            gap = Gap(device="rpi-1", session=session, first_seq=low, last_seq=numbers[-1], received_ms=at)
            await sink.write_at([], "000001:30", [gap])
            told.update(numbers)
        else:
            await sink.write_at([measurement(seq) for seq in numbers], "000001:30")
            stored.update(numbers)
    await sink.write_at([], "000001:30")
    await sink.close()
    return stored, told
