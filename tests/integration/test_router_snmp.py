# SPDX-License-Identifier: Apache-2.0
"""Is a router behind UDP read through socket, protocol, driver and probe, whatever it does?"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract.devices import Router
from agent.contract.kinds import Interface
from agent.contract.reason import Reason
from agent.probes.base import ProbeFailed
from agent.probes.router import RouterProbe
from tests.drivers.snmp_recording import recording
from tests.parts.snmp_agent import Faults, SnmpReplay, number, oid


@contextlib.contextmanager
def probe(routers: tuple[str, ...], **options: object) -> Iterator[RouterProbe]:
    made = RouterProbe(routers=routers, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def test_a_mute_device_costs_only_itself() -> None:
    with (
        SnmpReplay(recording("mikrotik_ltap").values) as sound,
        SnmpReplay({}, faults=Faults(mute=frozenset({()}))) as mute,
        probe((f"good={sound.host}", f"bad={mute.host}", "gone=127.0.0.1:9"), device_s=8.0) as asked,
    ):
        began_s = time.monotonic()
        found = asyncio.run(asked.measure())
        lasted_s = time.monotonic() - began_s
    by_name = {f.fields.router: f for f in found if isinstance(f.fields, Router)}
    assert {name: f.reason for name, f in by_name.items()} == {
        "good": None,
        "bad": Reason.TIMEOUT,
        "gone": Reason.REFUSED,
    }
    assert "bad" in (by_name["bad"].detail or "")
    assert [f.fields.kind for f in found] == ["router", "interface", "modem", "router", "router"]
    assert lasted_s < asked.device_s + 3


def test_only_the_way_out_and_named_interfaces_are_told() -> None:
    with SnmpReplay(recording("mikrotik_ltap").values) as device:
        for names, told in (
            ((), ["main/lte1"]),
            (("ether1",), ["main/ether1", "main/lte1"]),
            (("*",), ["main/ether1", "main/lte1", "main/wlan1", "main/wlan2"]),
        ):
            with probe((f"main={device.host}",), interfaces=names) as asked:
                found = asyncio.run(asked.measure())
            assert sorted(f.fields.interface for f in found if isinstance(f.fields, Interface)) == told


def test_what_a_device_means_is_on_the_board() -> None:
    with SnmpReplay(recording("mikrotik_lhg_dead").values) as device:
        with probe((f"main={device.host}",), wan=("main=lte1",)) as asked:
            asyncio.run(asked.measure())
            assert asked.board.look().modem == "offline"
        device.set(oid("1.3.6.1.2.1.2.2.1.8.2"), number(1))
        with probe((f"main={device.host}",), wan=("main=ether1",)) as asked:
            asyncio.run(asked.measure())
            # A modem that only waits for the cable to break says nothing of the line.
            assert asked.board.look().modem is None


def test_secrets_that_everybody_may_read_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "snmp.toml"
    file.write_text('version = "2c"\ncommunity = "geheim"\n')
    file.chmod(0o644)
    with (
        probe(("main=127.0.0.1:9",), access_file=str(file)) as asked,
        pytest.raises(ProbeFailed, match="chmod 600") as failed,
    ):
        asyncio.run(asked.measure())
    assert "geheim" not in str(failed.value)


def test_each_device_has_its_own_secrets(tmp_path: Path) -> None:
    file = tmp_path / "snmp.toml"
    file.write_text('version = "2c"\ncommunity = "one"\n[ap]\nversion = "1"\ncommunity = "two"\n')
    file.chmod(0o600)
    with (
        SnmpReplay(recording("openwrt_router").values, community="one") as first,
        SnmpReplay(recording("unknown_narrow").values, community="two", versions=frozenset({0})) as second,
        probe((f"main={first.host}", f"ap={second.host}"), access_file=str(file)) as asked,
    ):
        found = asyncio.run(asked.measure())
    assert [f.reason for f in found] == [None] * len(found)
    assert {f.fields.router for f in found if isinstance(f.fields, Router)} == {"main", "ap"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"routers": ("main",)}, "is not `name=address`"),
        ({"routers": ("Main=10.0.0.1",)}, "is not `name=address`"),
        ({"routers": ("main=10.0.0.1", "main=10.0.0.2")}, "must not repeat a name"),
        ({"routers": ("main=10.0.0.1:99999",)}, "there is no port 99999"),
        ({"routers": ("main=",)}, "is no address"),
        ({"enabled": True}, "must name at least one device"),
        ({"routers": ("main=10.0.0.1",), "wan": ("other=eth0",)}, "with a name of routers"),
        ({"routers": ("main=10.0.0.1",), "wan": ("main",)}, "is not `name=interface`"),
        ({"device_s": 34.0}, "below deadline_s"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        RouterProbe(**options)  # type: ignore[arg-type]
