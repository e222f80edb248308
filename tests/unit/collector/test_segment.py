# SPDX-License-Identifier: Apache-2.0
"""Is every whole frame found, and no damaged one taken for whole?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.segment import NO_CHAIN, Damage, Frame, Position, make_frame, scan

bodies = st.lists(st.binary(max_size=300), min_size=1, max_size=8)


def write(bodies: list[bytes], segment: int = 1, offset: int = 0) -> tuple[bytes, list[int]]:
    data, chain, starts = b"", NO_CHAIN, []
    for body in bodies:
        starts.append(len(data))
        frame, chain = make_frame(body, Position(segment, offset + len(data)), chain)
        data += frame
    return data, [*starts, len(data)]


def read(
    data: bytes, segment: int = 1, start: int = 0, previous: bytes | None = NO_CHAIN
) -> list[Frame | Damage]:
    return list(scan(lambda o, n: data[o : o + n], Position(segment, start), len(data), previous))


def texts(found: list[Frame | Damage]) -> list[bytes | str]:
    return [f.body if isinstance(f, Frame) else f.problem for f in found]


@given(bodies)
def test_frames_come_back_as_written(bodies: list[bytes]) -> None:
    data, _ = write(bodies)

    assert texts(read(data)) == bodies


@given(bodies, st.data())
def test_a_changed_byte_costs_its_own_frame_and_no_other(bodies: list[bytes], data: st.DataObject) -> None:
    written, starts = write(bodies)
    at = data.draw(st.integers(0, len(written) - 1))
    damaged = bytearray(written)
    damaged[at] ^= data.draw(st.integers(1, 255))

    hit = max(i for i, start in enumerate(starts) if start <= at)
    found = read(bytes(damaged))

    assert [f.body for f in found if isinstance(f, Frame)] == bodies[:hit] + bodies[hit + 1 :]
    assert [f.problem for f in found if isinstance(f, Damage)] == [
        "tail" if hit == len(bodies) - 1 else "bytes"
    ]


@given(bodies, st.data())
def test_a_torn_end_is_told_from_whole_frames(bodies: list[bytes], data: st.DataObject) -> None:
    written, starts = write(bodies)
    cut = data.draw(st.integers(0, len(written)))

    found = read(written[:cut])

    whole = sum(end <= cut for end in starts[1:])
    assert [f.body for f in found if isinstance(f, Frame)] == bodies[:whole]
    assert [f.problem for f in found if isinstance(f, Damage)] == ([] if cut in starts else ["tail"])


def test_a_frame_that_was_cut_out_is_noticed_by_the_next() -> None:
    data, starts = write([b"a", b"b", b"c"])
    frame, _ = make_frame(b"c", Position(1, starts[1]), b"?" * 32)

    assert texts(read(data[: starts[1]] + frame)) == [b"a", "chain"]


def test_a_frame_in_a_payload_is_not_taken_for_one_after_damage() -> None:
    smuggled, _ = write([b"forged"])
    data, starts = write([b"a", b"x" + smuggled, b"c"])
    damaged = bytearray(data)
    damaged[starts[1] + 9] ^= 1

    assert texts(read(bytes(damaged))) == [b"a", "bytes", b"c"]


def test_a_frame_of_another_segment_is_no_frame_here() -> None:
    data, _ = write([b"a"], segment=2)

    assert texts(read(data, segment=1)) == ["tail"]


def test_reading_may_begin_at_any_frame_without_knowing_what_was_before() -> None:
    data, starts = write([b"a", b"b", b"c"])

    assert texts(read(data, start=starts[1], previous=None)) == [b"b", b"c"]


def test_frames_larger_than_a_window_are_read() -> None:
    bodies = [b"a" * 3_000_000, b"b"]
    data, _ = write(bodies)

    assert texts(read(data)) == bodies


def test_the_next_frame_is_found_behind_a_long_damage() -> None:
    data, starts = write([b"a" * 2_500_000, b"b"])

    assert texts(read(b"\0" * starts[1] + data[starts[1] :])) == ["bytes", b"b"]


@given(st.integers(0, 10**7), st.integers(0, 2**40))
def test_a_position_comes_back_from_its_text(segment: int, offset: int) -> None:
    assert Position.parse(str(Position(segment, offset))) == Position(segment, offset)


@pytest.mark.parametrize("text", ["", ":", "1", "1:", "a:1", "1:-2", "1:2:3", "٣:1", "²:1"])
def test_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a position such as"):
        Position.parse(text)
