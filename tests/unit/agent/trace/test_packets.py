# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from agent.trace.answer import Answer, Flow, read
from agent.trace.packets import build
from agent.trace.told import Method

TARGET, ROUTER, US = "203.0.113.9", "100.64.0.1", "192.168.77.10"
IDENT, PORT = 40_000, 443
METHODS = get_args(Method)

numbers = st.integers(1, 60_000)


def flow(method: Method) -> Flow:
    return Flow(target=TARGET, method=method, ident=IDENT, port=PORT)


def error(
    request: bytes, kind: int, code: int, *, source: str = ROUTER, mtu: int = 0, quoted: int = 28
) -> bytes:
    body = IP(request)
    body.src = US
    head = IP(src=source, dst=US) / ICMP(type=kind, code=code, nexthopmtu=mtu)
    return bytes(head / Raw(bytes(body)[:quoted]))


@given(st.sampled_from(METHODS), numbers, st.integers(28, 200))
def test_hop_that_quotes_as_little_as_it_may_is_recognised(method: Method, number: int, quoted: int) -> None:
    request = build(flow(method), number=number, ttl=3)
    answer = read(flow(method), error(request, 11, 0, quoted=quoted))
    assert answer == Answer(number=number, host=ROUTER, kind="expired")


@given(st.sampled_from(["icmp", "udp"]), numbers, st.integers(68, 9000))
def test_packet_is_as_large_as_asked_and_must_not_be_cut(method: Method, number: int, size: int) -> None:
    data = build(flow(method), number=number, ttl=9, size=size)
    packet = IP(data)
    assert (len(data), packet.len, packet.ttl, str(packet.flags)) == (size, size, 9, "DF")


@pytest.mark.parametrize("method", METHODS)
def test_too_big_tells_the_next_links_mtu(method: Method) -> None:
    request = build(flow(method), number=5, ttl=64, size=1500)
    told = read(flow(method), error(request, 3, 4, mtu=1400))
    assert told == Answer(number=5, host=ROUTER, kind="too_big", mtu_bytes=1400)
    silent = read(flow(method), error(request, 3, 4))
    assert silent == Answer(number=5, host=ROUTER, kind="too_big")


def test_packets_of_a_flow_look_alike_to_a_load_balancer() -> None:
    icmp = [IP(build(flow("icmp"), number=n, ttl=1)) for n in (1, 2, 60_000)]
    assert len({(p[ICMP].chksum, p[ICMP].id) for p in icmp}) == 1
    for method, layer in (("udp", UDP), ("tcp", TCP)):
        made = [IP(build(flow(method), number=n, ttl=1)) for n in (1, 2, 60_000)]  # type: ignore[arg-type]
        assert {(p[layer].sport, p[layer].dport) for p in made} == {(IDENT, PORT)}


def test_target_answers_each_method_in_its_way() -> None:
    echo = bytes(IP(src=TARGET, dst=US) / ICMP(type=0, id=IDENT, seq=7) / Raw(b"xy"))
    assert read(flow("icmp"), echo) == Answer(number=7, host=TARGET, kind="arrived")
    closed = error(build(flow("udp"), number=8, ttl=64), 3, 3, source=TARGET)
    assert read(flow("udp"), closed) == Answer(number=8, host=TARGET, kind="arrived")
    sent = IP(build(flow("tcp"), number=9, ttl=64))[TCP].seq
    for flags in ("SA", "RA"):
        back = TCP(sport=PORT, dport=IDENT, flags=flags, ack=sent + 1)
        assert read(flow("tcp"), bytes(IP(src=TARGET, dst=US) / back)) == Answer(
            number=9, host=TARGET, kind="arrived"
        )


@pytest.mark.parametrize("method", METHODS)
def test_prohibition_is_no_arrival(method: Method) -> None:
    request = build(flow(method), number=4, ttl=64)
    told = read(flow(method), error(request, 3, 13))
    assert told == Answer(number=4, host=ROUTER, kind="unreachable")


@pytest.mark.parametrize("method", METHODS)
def test_answer_to_somebody_else_is_passed_over(method: Method) -> None:
    strange = [
        Flow(target="203.0.113.10", method=method, ident=IDENT, port=PORT),
        Flow(target=TARGET, method=method, ident=IDENT + 1, port=PORT),
    ]
    for other in strange:
        assert read(flow(method), error(build(other, number=3, ttl=1), 11, 0)) is None
    assert read(flow(method), bytes(IP(src=TARGET) / ICMP(type=0, id=1, seq=3))) is None
    assert read(flow(method), bytes(IP(src=TARGET) / TCP(sport=PORT, dport=IDENT, flags="SA", ack=7))) is None
    assert read(flow(method), bytes(IP(src=ROUTER) / UDP(sport=53, dport=IDENT))) is None


@given(st.sampled_from(METHODS), st.binary(max_size=120))
def test_any_bytes_are_an_answer_or_nothing(method: Method, data: bytes) -> None:
    answer = read(flow(method), data)
    assert answer is None or 0 <= answer.number <= 0xFFFF
