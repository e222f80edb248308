# SPDX-License-Identifier: Apache-2.0
"""What becomes of an upload whose server says too little, too much, or nothing any more?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent.contract.ndt7 import Measurement
from agent.contract.reason import Reason
from agent.contract.tcpinfo import TcpInfo, parse
from agent.echo.problem import NoAnswer
from agent.throughput import ndt7
from agent.throughput.verdict import Doubt

ASKED_BYTES = 360
SENT_BYTES = 640_000


def kernel(**changed: int) -> TcpInfo:
    looked = parse(b"", 2)
    return TcpInfo(**{name: getattr(looked, name) for name in TcpInfo.__slots__} | changed)


FIRST = kernel(bytes_sent=ASKED_BYTES, bytes_acked=ASKED_BYTES)
OWN = kernel(bytes_sent=SENT_BYTES, bytes_acked=625_000)


def upload(*, own: TcpInfo = OWN, **said: int | None) -> tuple[float | None, set[Doubt]]:
    """Half a megabit a second for ten seconds, and what the server's last word makes of it."""
    whole: dict[str, Any] = {"elapsed_us": 10_000_000, "received_bytes": 625_000} | said
    last = Measurement(**whole)
    said_s, acked = whole["elapsed_us"] / 1e6, (whole["received_bytes"] or 0) - 10_000
    test: Any = SimpleNamespace(last=last, own=own, acked_then=acked, said_s=said_s, elapsed_s=10.0)
    return ndt7._figure("up", test, 700_000, FIRST)


def test_an_honest_server_is_believed() -> None:
    assert upload() == (0.5, set())


@pytest.mark.parametrize("received_bytes", [SENT_BYTES + 5000, 690_000])
def test_a_server_that_received_more_than_was_sent_is_doubted(received_bytes: int) -> None:
    assert Doubt.DISAGREES in upload(received_bytes=received_bytes)[1]


def test_a_server_that_fell_silent_gives_no_mean_of_ten_seconds() -> None:
    mbps, doubts = upload(elapsed_us=600_000, received_bytes=50_000)
    assert mbps is not None
    assert Doubt.INTERRUPTED in doubts


def test_what_the_server_does_not_tell_is_counted_without_the_question() -> None:
    own = kernel(bytes_sent=SENT_BYTES, bytes_acked=ASKED_BYTES + 500_000)
    assert upload(own=own, received_bytes=None) == (0.4, {Doubt.INTERRUPTED})


def test_a_way_that_takes_nothing_but_the_question_gives_no_figure() -> None:
    """Large packets vanish in a black hole: the kernel holds what it was handed."""
    with pytest.raises(NoAnswer) as silent:
        upload(own=kernel(bytes_sent=90_000, bytes_acked=ASKED_BYTES), received_bytes=None)
    assert silent.value.reason is Reason.TIMEOUT


def test_the_servers_seconds_are_ours() -> None:
    test: Any = SimpleNamespace(
        last=Measurement(elapsed_us=9_000_000, received_bytes=625_000),
        own=OWN,
        acked_then=600_000,
        said_s=10.0,
        elapsed_s=10.0,
    )
    assert Doubt.DISAGREES in ndt7._figure("up", test, 700_000, FIRST)[1]
