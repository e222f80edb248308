# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.echo.way import FarWay


@pytest.mark.parametrize(
    ("echoes_s", "handshake_s", "expected"),
    [
        ([0.7, 0.6, 1.2], 0.005, True),
        ([0.7, 0.6, 1.2], 0.19, True),
        ([0.7, 0.6, 1.2], 0.21, False),
        ([0.9, 0.04, 0.9], 0.005, False),
        ([], 0.005, False),
    ],
)
def test_a_handshake_far_shorter_than_each_echo_was_somebody_nears(
    echoes_s: list[float], handshake_s: float, expected: bool
) -> None:
    far = FarWay()
    for second, rtt_s in enumerate(echoes_s):
        far.heard(rtt_s, 1000.0 + second)
    assert far.is_too_near(handshake_s, 1100.0) is expected


@pytest.mark.parametrize(("later_s", "expected"), [(500, True), (700, True), (1900, False)])
def test_what_was_heard_is_forgotten_after_ten_to_twenty_minutes(later_s: float, expected: bool) -> None:
    far = FarWay()
    far.heard(0.6, 1000.0)
    assert far.is_too_near(0.005, 1000.0 + later_s) is expected


def test_a_way_that_became_shorter_is_believed_as_soon_as_its_echoes_are_heard() -> None:
    far = FarWay()
    far.heard(0.6, 1000.0)
    far.heard(0.04, 1001.0)
    assert not far.is_too_near(0.005, 1002.0)
