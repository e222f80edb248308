# SPDX-License-Identifier: Apache-2.0
"""What iperf3, speedtest-cli and NDT7 servers say is read, or refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract import ndt7
from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer
from agent.throughput import iperf3, speedtest
from agent.throughput.program import Ran

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
RECEIVED = {"bits_per_second": 9.6e6, "seconds": 10.0, "bytes": 12_000_000}


def ran(**changed: Any) -> Ran:
    whole: dict[str, Any] = {
        "code": 0,
        "output": b"{}",
        "complaint": "",
        "stopped": None,
        "moved_bytes": 0,
        "lasted_s": 1.0,
    }
    return Ran(**(whole | changed))


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("error - the server is busy running a test. try again later", Reason.BUSY),
        ("error - unable to connect to server: Connection refused", Reason.REFUSED),
        ("unable to connect to server: No route to host", Reason.UNREACHABLE),
        ("unable to connect to server: Connection timed out", Reason.UNREACHABLE),
        ("error - unable to read from stream socket: Connection timed out", Reason.TIMEOUT),
        ("error - control socket has closed unexpectedly", Reason.GONE),
        ("error - test authorization failed", Reason.NOT_PERMITTED),
        ("something nobody has seen", Reason.BAD_ANSWER),
    ],
)
def test_iperf3s_errors_have_reasons(complaint: str, reason: Reason) -> None:
    with pytest.raises(NoAnswer) as refused:
        iperf3.read(json.dumps({"error": complaint}).encode())
    assert refused.value.reason is reason


@pytest.mark.parametrize("changed", [{"bits_per_second": 96e6}, {"bytes": 1}, {"seconds": 1.0}])
def test_figures_of_iperf3_that_contradict_one_another_are_none(changed: dict[str, float]) -> None:
    plain = {"end": {"sum_received": RECEIVED | changed}}
    with pytest.raises(NoAnswer) as refused:
        iperf3.read(json.dumps(plain).encode())
    assert refused.value.reason is Reason.UNTRUE


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1", "NaN", "Infinity", "1e400", "true", '"7"'])
def test_numbers_of_ndt7_that_cannot_be_are_none(number: str) -> None:
    assert ndt7.read(f'{{"TCPInfo": {{"RTT": {number}}}}}'.encode()).rtt_us is None


@pytest.mark.parametrize(
    ("sent_bytes", "is_true"), [(12_000_000, True), (12_500_000, True), (11_000_000, False)]
)
def test_nobody_received_by_iperf3_what_nobody_sent(sent_bytes: int, is_true: bool) -> None:
    plain = {"end": {"sum_sent": {"bytes": sent_bytes}, "sum_received": RECEIVED}}
    if is_true:
        assert iperf3.read(json.dumps(plain).encode()).mbps == 9.6
        return
    with pytest.raises(NoAnswer) as lie:
        iperf3.read(json.dumps(plain).encode())
    assert lie.value.reason is Reason.UNTRUE


@pytest.mark.parametrize(
    ("seconds", "reverse", "is_true"), [(10.4, 0, True), (9.0, 0, True), (5.0, 0, False), (5.0, 1, True)]
)
def test_iperf3s_server_did_not_receive_in_much_less_time_than_was_sent(
    seconds: float, reverse: int, is_true: bool
) -> None:
    """One that claims a short while for what came up claims a higher rate."""
    start = {"test_start": {"reverse": reverse}}
    received = RECEIVED | {"seconds": seconds, "bits_per_second": 96e6 / seconds}
    end = {"sum_sent": {"bytes": 12_000_000, "seconds": 10.0}, "sum_received": received}
    plain = {"start": start, "end": end}
    if is_true:
        assert iperf3.read(json.dumps(plain).encode()).seconds == seconds
        return
    with pytest.raises(NoAnswer) as lie:
        iperf3.read(json.dumps(plain).encode())
    assert lie.value.reason is Reason.UNTRUE


def test_nothing_that_arrived_by_iperf3_is_silence_and_no_bad_answer() -> None:
    plain = {"end": {"sum_received": {"bits_per_second": 0, "seconds": 5.0, "bytes": 0}}}
    with pytest.raises(NoAnswer) as silent:
        iperf3.read(json.dumps(plain).encode())
    assert silent.value.reason is Reason.TIMEOUT


def test_what_iperf3_received_until_it_was_stopped_is_a_figure_only_to_who_stopped_it() -> None:
    said = json.dumps(
        {
            "error": "interrupt - the client has terminated",
            "end": {"sum_sent": {"bytes": 0, "seconds": 10.0}, "sum_received": RECEIVED},
        }
    ).encode()
    assert iperf3.read(said, was_stopped=True).mbps == 9.6
    with pytest.raises(NoAnswer):
        iperf3.read(said)


def test_iperf3s_figure_is_that_of_the_receiver() -> None:
    plain = {"end": {"sum_sent": {"bits_per_second": 11e6}, "sum_received": RECEIVED}}

    assert iperf3.read(json.dumps(plain).encode()).mbps == 9.6


@pytest.mark.parametrize("bits", [-621_522e6, 5e18, None, "9", True])
def test_absurd_rates_of_iperf3_are_refused(bits: Any) -> None:
    plain = {"end": {"sum_received": RECEIVED | {"bits_per_second": bits}}}

    with pytest.raises(NoAnswer):
        iperf3.read(json.dumps(plain).encode())


@given(
    st.booleans(),
    JSON | st.fixed_dictionaries({"end": st.fixed_dictionaries({"sum_received": JSON, "streams": JSON})}),
)
def test_any_json_of_iperf3_is_read_or_refused(was_stopped: bool, plain: Any) -> None:
    try:
        found = iperf3.read(json.dumps(plain).encode(), was_stopped=was_stopped)
    except NoAnswer:
        return
    assert found.payload_bytes > 0
    assert 0 <= found.mbps <= 1_000_000


def test_speedtests_figures_are_in_bits() -> None:
    plain = {
        "download": 9.5e6,
        "upload": 0,
        "bytes_received": 12e6,
        "bytes_sent": 0,
        "ping": 1_800_000.0,
        "server": {"id": "7"},
    }

    found = speedtest.parse(json.dumps(plain).encode())

    assert (found.down_mbps, found.up_mbps, found.ping_ms, found.server) == (9.5, None, None, "7")


@pytest.mark.parametrize(
    ("mbps", "payload_bytes", "is_short"),
    [(9.5, 12_000_000, False), (28.1, 2_140_000, True), (9.5, 5_800_000, True), (None, 0, False)],
)
def test_a_speedtest_that_did_not_last_is_told_by_its_own_figures(
    mbps: float | None, payload_bytes: int, is_short: bool
) -> None:
    assert speedtest.is_short(mbps, payload_bytes) is is_short


@pytest.mark.parametrize("said", [{}, {"bytes_received": 12e6}, {"bytes_received": None, "bytes_sent": 1}])
def test_a_speedtest_that_does_not_say_what_it_moved_is_no_test_of_nothing(said: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer, match="how many bytes"):
        speedtest.parse(json.dumps({"download": 9.5e6, "upload": 1e6, **said}).encode())


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("ERROR: HTTP Error 403: Forbidden", Reason.NOT_PERMITTED),
        ("ERROR: HTTP Error 407: Proxy Authentication Required", Reason.NOT_PERMITTED),
        ("<urlopen error Tunnel connection failed: 407 Proxy Authentication Required>", Reason.NOT_PERMITTED),
        ("<urlopen error Tunnel connection failed: 503 Service Unavailable>", Reason.UNREACHABLE),
        ("ERROR: HTTP Error 429: Too Many Requests", Reason.BUSY),
        ("ERROR: HTTP Error 503: Service Unavailable", Reason.BUSY),
        ("ERROR: HTTP Error 504: Gateway Timeout", Reason.TIMEOUT),
        ('File "speedtest.py", line 403, in main', Reason.INTERNAL),
        ("MemoryError", Reason.INTERNAL),
        ("ERROR: Unable to connect to servers to test latency.", Reason.UNREACHABLE),
        ("Cannot retrieve speedtest configuration\nERROR: <urlopen error timed out>", Reason.TIMEOUT),
        ("ERROR: <urlopen error [Errno 101] Network is unreachable>", Reason.NETWORK_DOWN),
        ("ERROR: <urlopen error [Errno 113] No route to host>", Reason.UNREACHABLE),
    ],
)
def test_speedtests_errors_have_reasons(complaint: str, reason: Reason) -> None:
    with pytest.raises(NoAnswer) as refused:
        speedtest.read(ran(code=1, complaint=complaint))
    assert refused.value.reason is reason


@pytest.mark.parametrize("stopped", ["bytes", "seconds"])
def test_a_speedtest_that_was_stopped_gives_no_figure(stopped: str) -> None:
    with pytest.raises(NoAnswer) as refused:
        speedtest.read(ran(stopped=stopped, output=b'{"download": 1e6}'))
    assert refused.value.reason is Reason.OVERRAN


@given(st.dictionaries(st.sampled_from(["download", "upload", "ping", "bytes_sent", "server"]), JSON) | JSON)
def test_any_json_of_speedtest_is_read_or_refused(plain: Any) -> None:
    try:
        found = speedtest.parse(json.dumps(plain).encode())
    except NoAnswer:
        return
    assert all(rate is None or 0 < rate <= 1_000_000 for rate in (found.down_mbps, found.up_mbps))


@given(st.binary(max_size=200) | JSON.map(lambda plain: json.dumps(plain).encode()))
def test_any_measurement_of_an_ndt7_server_is_read(text: bytes) -> None:
    found = ndt7.read(text)

    assert found.received_bytes is None or 0 <= found.received_bytes < 1 << 63


def test_messages_of_ndt7_grow_to_a_sixteenth_of_what_was_sent() -> None:
    size, sent = 0, 0
    for _ in range(2000):
        size = ndt7.next_size(size, sent)
        assert size <= max(1 << 13, sent / 8)
        sent += size
    assert size == 1 << 20
