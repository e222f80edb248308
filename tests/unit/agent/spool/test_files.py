# SPDX-License-Identifier: Apache-2.0
"""Which names in a folder are the spool's, and which of them count?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.spool.files import Name, read_names


def test_a_file_that_came_in_the_place_of_others_covers_them_and_what_covered_them() -> None:
    names = ["00000005-00000012.blocks", "00000012.blocks", "00000007-00000009.blocks", "00000013.blocks"]

    assert read_names(names) == (
        [Name(12, 5), Name(13, 13)],
        [Name(9, 7), Name(12, 12)],
    )


def test_names_of_others_are_passed_over() -> None:
    foreign = ["1.blocks", "00000001.blocks.new", "0000000x.blocks", "clock", "٣.blocks", "00000009.seg"]

    assert read_names(foreign) == ([], [])


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 50))))
def test_every_name_written_is_read_as_one_that_counts_or_is_covered(spans: list[tuple[int, int]]) -> None:
    names = {Name(first + more, first) for first, more in spans}
    counting, covered = read_names(map(str, names))

    assert sorted(names) == sorted([*counting, *covered])
    assert all(any(other.covers(name) for other in counting) for name in covered)
