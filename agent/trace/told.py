# SPDX-License-Identifier: Apache-2.0
"""What do the agent and its short-lived child say to each other: one JSON object each way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from agent.contract.decoder import DecodeError, decode
from agent.echo import address

MAX_BYTES = 65_536

Method = Literal["icmp", "udp", "tcp"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the child is to find out.

    Attributes:
        methods: tried in this order until one reaches the target.
        budget_s: after this it tells what it has.
        pings: echo requests to the operator's first hop.
        mtu_max_bytes: size from which the search for the path MTU begins; 0 for no search.
    """

    target: str
    methods: tuple[Method, ...]
    hops_max: int
    tries: int
    timeout_s: float
    budget_s: float
    port: int
    pings: int
    mtu_max_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """One place on the path; `address` is None when it stayed silent."""

    ttl: int
    asked: int
    answered: int
    address: str | None = None
    rtt_ms: float | None = None

    def __post_init__(self) -> None:
        _check(self.address)
        if not 0 <= self.answered <= self.asked:
            raise ValueError("more answers than questions")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the child found.

    Attributes:
        failed: a word of the recorded reasons, when it could not even ask.
        reached: whether the target itself answered.
        refused_by: who said that the target cannot be reached.
        mtu_told: whether an ICMP message said that packets were too big.
    """

    failed: str | None = None
    detail: str | None = None
    method: Method | None = None
    reached: bool = False
    refused_by: str | None = None
    hops: tuple[Hop, ...] = ()
    mtu_bytes: int | None = None
    mtu_told: bool = False
    operator_hop: str | None = None
    operator_ttl: int | None = None
    operator_sent: int | None = None
    operator_rtts_ms: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check(self.operator_hop)
        _check(self.refused_by)


def write(said: Order | Told) -> bytes:
    """As one line."""
    return json.dumps(asdict(said), separators=(",", ":")).encode() + b"\n"


def read_order(data: bytes) -> Order:
    """What the agent asks for."""
    return decode(Order, json.loads(data), strict=True)


def read_told(data: bytes) -> Told:
    """What the child says.

    Raises:
        ValueError: it is not what a child says.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("the child says too much")
    try:
        return decode(Told, json.loads(data), strict=True)
    except RecursionError as e:
        raise DecodeError("", "nested too deep") from e


def _check(host: str | None) -> None:
    if host is not None and not address.is_numeric(host):
        raise ValueError(f"{host[:60]!r} is not an address")
