# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract import tcpinfo
from agent.contract.decoder import DecodeError
from agent.contract.stream import MAX_LINE_BYTES, Join, Joined, Open, Opened, Report, read, read_first, write

SMALL = st.integers(0, 2**40)
MESSAGES = st.one_of(
    st.builds(Open, open=st.text(max_size=200), bytes=SMALL),
    st.builds(Opened, session=st.none() | st.text("abc", min_size=1, max_size=30), bytes=SMALL),
    st.builds(Join, join=st.text("abc", min_size=1), direction=st.sampled_from(["down", "up", "echo"])),
    st.builds(Joined, ok=st.booleans(), congestion=st.text("abc", max_size=16)),
    st.builds(
        Report,
        at_us=SMALL,
        segments=SMALL,
        segment_bytes=st.integers(0, 65_535),
        received_bytes=SMALL,
        last=st.booleans(),
    ),
)


@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Open | Opened | Join | Joined | Report) -> None:
    line = write(message)
    if isinstance(message, Open) and (not message.open or len(line) > MAX_LINE_BYTES):
        return

    assert read(type(message), line) == message
    assert line.count(b"\n") == 1


@pytest.mark.parametrize(
    "lie",
    [
        f'"at_us":{10**400}',
        '"at_us":-1',
        f'"at_us":1,"segments":{2**63}',
        '"at_us":1,"segments":-5',
        '"at_us":1,"segment_bytes":131072',
        f'"at_us":1,"doubled_segments":-{10**400}',
        '"at_us":1,"acked_bytes":-1',
    ],
)
def test_a_report_of_what_no_kernel_counts_is_refused(lie: str) -> None:
    with pytest.raises(DecodeError, match=r"cannot be|longer than any packet"):
        read(Report, f"{{{lie}}}\n".encode())


@given(st.binary(max_size=300))
def test_any_first_line_is_read_or_refused(line: bytes) -> None:
    try:
        first = read_first(line)
    except DecodeError:
        return
    assert isinstance(first, Open | Join)


@given(st.binary(max_size=400))
def test_any_tcp_info_is_read(data: bytes) -> None:
    assert tcpinfo.parse(data, socket.AF_INET).header_bytes in {40, 52}


@pytest.mark.parametrize(
    ("family", "host", "header"), [(socket.AF_INET, "127.0.0.1", 52), (socket.AF_INET6, "::1", 72)]
)
def test_a_real_connection_is_counted_by_the_kernel(
    family: socket.AddressFamily, host: str, header: int
) -> None:
    with socket.create_server((host, 0), family=family) as listener:
        near = socket.create_connection(listener.getsockname()[:2])
        far, _ = listener.accept()
        with near, far:
            near.sendall(b"x" * 5000)
            received = 0
            while received < 5000:
                received += len(far.recv(5000))
            assert tcpinfo.look(far).bytes_received == 5000
            assert tcpinfo.look(far).data_segs_in >= 1
            assert tcpinfo.look(far).header_bytes == header
            assert tcpinfo.look(near).bytes_sent == 5000
