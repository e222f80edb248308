# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from agent.contract.kinds import Throughput
from agent.probes.speedtest import SpeedtestProbe
from agent.throughput.speedtest import SpeedtestResult
from agent.throughput.surroundings import Seen

FOUND = SpeedtestResult(
    down_mbps=9.0, up_mbps=2.0, down_bytes=11_000_000, up_bytes=2_500_000, ping_ms=20.0, server="7"
)


class Around:
    """An interface that moved nothing but the test's own packets, looked at as often as it is asked."""

    looks = 0

    def until_now(self, *, received_bytes: int, sent_bytes: int, **_: Any) -> Seen:
        self.looks += 1
        assert (received_bytes, sent_bytes) == (11_000_000, 2_500_000)
        return Seen(
            cpu_ratio=0.5,
            own_cpu_ratio=0.1,
            temperature_c=None,
            throttled=None,
            nic_mbps=None,
            cross_rx_bytes=0,
            cross_tx_bytes=0,
        )


def test_neither_direction_is_the_others_cross_traffic() -> None:
    around: Any = Around()
    findings = SpeedtestProbe()._findings(around, FOUND, 20.0)
    figures = [f.fields for f in findings if isinstance(f.fields, Throughput)]
    assert [(f.mbps, f.validity, f.cpu_ratio) for f in figures] == [(9.0, "valid", 0.5), (2.0, "valid", 0.5)]
    assert around.looks == 1
    assert [(f.bytes or 0) > n for f, n in zip(figures, (11_000_000, 2_500_000), strict=True)] == [True, True]
