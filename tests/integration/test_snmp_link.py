# SPDX-License-Identifier: Apache-2.0
"""Do agents that misbehave, and a real one, give right values, none, or an error that names the device?"""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pysnmp.hlapi.v3arch import asyncio as hlapi

from agent.contract.devices import Router as RouterRecord
from agent.contract.kinds import Interface
from agent.contract.reason import Reason
from firmware_bridge import router as router_of
from firmware_bridge.drivers.snmp_tables import Wish
from firmware_bridge.links import snmp as link
from firmware_bridge.links.snmp_access import SnmpAccess
from firmware_bridge.protocols.snmp import SnmpReader
from firmware_bridge.reading import DeviceFailed, DeviceReading
from firmware_bridge.router import Router, read, record
from tests.drivers.snmp_recording import by_record, recording
from tests.parts.snmp_agent import OCTETS, Faults, Item, SnmpReplay, load, number, oid, text
from tests.parts.snmpd import Snmpd

_OPENWRT = recording("openwrt_router").values
_IN_64 = "1.3.6.1.2.1.31.1.1.1.6"
_PUBLIC = SnmpAccess()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_of, "_TIMEOUT_S", 0.5)


def asked(faults: Faults, *, values: dict[Any, Item] | None = None, within_s: float = 20) -> DeviceReading:
    with SnmpReplay(values or _OPENWRT, faults=faults) as agent:
        return read(agent.host, _PUBLIC, "main", within_s=within_s)


def interfaces(reading: DeviceReading) -> dict[str, Interface]:
    return {f.interface: f for f in reading.fields if isinstance(f, Interface)}


def test_small_answers_are_asked_for_in_small_portions() -> None:
    whole = asked(Faults())
    assert asked(Faults(most_bytes=130)).fields == whole.fields
    assert len(interfaces(whole)) == 3


def test_lost_and_strange_datagrams_change_nothing() -> None:
    whole = asked(Faults())
    assert asked(Faults(drop=31), within_s=60).fields == whole.fields
    assert asked(Faults(before=(b"", b"\x30\x03\x02\x01", b"GET / HTTP/1.0\r\n\r\n"))).fields == whole.fields
    assert asked(Faults(stranger=True)).fields == whole.fields


def test_an_object_that_silences_the_agent_costs_only_its_own_value() -> None:
    poison = oid(f"{_IN_64}.7")
    reading = asked(Faults(mute=frozenset({poison})), within_s=120)
    found = interfaces(reading)["main/eth0.2"]
    # The narrow counters are there still.
    assert (found.rx_bytes, found.tx_bytes) == (5000000000 % 2**32, 400000000)
    assert interfaces(reading)["main/eth0"].rx_bytes == 9876543210


@pytest.mark.parametrize("status", [1, 5, 6, 13, 16])
def test_an_object_that_makes_an_error_costs_its_own_value_or_names_the_device(status: int) -> None:
    errors = {oid("1.3.6.1.2.1.2.2.1.14.7"): status}
    if status == 16:
        with pytest.raises(DeviceFailed, match="main: its access rules"):
            asked(Faults(errors=errors))
        return
    reading = asked(Faults(errors=errors))
    found = interfaces(reading)["main/eth0.2"]
    assert (found.rx_errors, found.rx_bytes, found.rx_drops) == (None, 5000000000, 0)


def test_a_table_that_goes_in_circles_is_left_and_named() -> None:
    first, last = oid("1.3.6.1.2.1.2.2.1.2.1"), oid("1.3.6.1.2.1.2.2.1.2.7")
    reading = asked(Faults(circle={last: first}))
    assert interfaces(reading) == {}
    assert any("goes in circles" in told for told in reading.refused)
    (router,) = (f for f in reading.fields if isinstance(f, RouterRecord))
    assert router.uptime_s == 90000
    assert router.memory_ratio == pytest.approx(64000 / 124000)


def test_an_object_that_follows_itself_ends_the_walk() -> None:
    at = oid("1.3.6.1.2.1.25.3.3.1.2.196608")
    reading = asked(Faults(circle={at: at}))
    assert any("goes in circles" in told for told in reading.refused)
    assert len(interfaces(reading)) == 3


def test_endless_tables_are_refused() -> None:
    root = oid("1.3.6.1.2.1.2.2.1.2")
    values = dict(_OPENWRT) | {(*root, index): text(f"p{index}") for index in range(10, 2500)}
    reading = asked(Faults(), values=values)
    assert any("has more than 2000 rows" in told for told in reading.refused)
    assert interfaces(reading) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda answer: answer[:-5],
        lambda answer: answer[:20],
        lambda _: b"",
        lambda answer: answer.replace(b"public", b"priwat"),
        lambda _: None,
    ],
    ids=["cut", "head alone", "empty", "other community", "none"],
)
def test_what_is_no_answer_ends_in_an_error_that_names_the_device(
    damage: Callable[[bytes], bytes | None],
) -> None:
    with pytest.raises(DeviceFailed) as failed:
        asked(Faults(damage=damage), within_s=3)
    assert failed.value.reason is Reason.TIMEOUT
    assert str(failed.value).startswith("main: ")
    assert "community" in str(failed.value) or "within" in str(failed.value)


def test_no_datagram_breaks_the_link_or_fills_the_log(caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(5)

    def damaged(answer: bytes) -> bytes:
        octets = bytearray(answer)
        for _ in range(dice.randint(1, 4)):
            octets[dice.randrange(len(octets))] = dice.randrange(256)
        return bytes(octets[: dice.randrange(len(octets))] if dice.random() < 0.2 else octets)

    answered, unanswered = 0, 0
    with (
        SnmpReplay(_OPENWRT, faults=Faults(damage=damaged)) as device,
        link.SnmpAgent(
            "127.0.0.1", _PUBLIC, device="main", port=device.port, timeout_s=0.1, retries=0
        ) as agent,
    ):
        for _ in range(40):
            try:
                agent.get([oid("1.3.6.1.2.1.1.3.0"), oid("1.3.6.1.2.1.1.1.0"), oid(f"{_IN_64}.7")])
                answered += 1
            except DeviceFailed:
                unanswered += 1
    print(f"\n{answered} damaged answers read, {unanswered} not")
    assert unanswered > answered > 0
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_an_answer_to_another_request_is_none() -> None:
    seen: list[bytes] = []

    def before_last(answer: bytes) -> bytes:
        seen.append(answer)
        return seen[-2] if len(seen) > 1 else seen[0]

    with pytest.raises(DeviceFailed) as failed:
        asked(Faults(damage=before_last), within_s=3)
    assert failed.value.device == "main"


def test_a_slow_agent_is_left_in_time() -> None:
    with pytest.raises(DeviceFailed, match="too slowly") as failed:
        asked(Faults(delay_s=0.4), within_s=2)
    assert failed.value.reason is Reason.OVERRAN


def test_a_huge_value_is_cut_and_costs_nothing_else() -> None:
    values = dict(_OPENWRT) | {oid("1.3.6.1.2.1.1.1.0"): text("Linux " + "x y" * 18000)}
    (router, *_) = asked(Faults(), values=values).fields
    assert isinstance(router, RouterRecord)
    assert len(router.model or "") <= 60
    assert router.uptime_s == 90000


def test_a_restart_while_it_is_read_makes_no_record() -> None:
    with SnmpReplay(dict(_OPENWRT)) as agent:

        def restart(answer: bytes) -> bytes:
            if oid(f"{_IN_64}.7") in agent.asked:
                agent.set(oid("1.3.6.1.2.1.1.3.0"), number(300, 0x43))
                agent.set(oid("1.3.6.1.6.3.10.2.1.2.0"), number(8))
                agent.set(oid("1.3.6.1.6.3.10.2.1.3.0"), number(3))
            return answer

        agent.faults = Faults(damage=restart)
        with pytest.raises(DeviceFailed, match="started anew while it was read"):
            read(agent.host, _PUBLIC, "main", within_s=20)


def test_a_counter_without_its_leading_zero_is_unsigned() -> None:
    """A fault of many firmwares; a library that drops the whole answer would time out here."""
    values = dict(_OPENWRT)
    values[oid(f"{_IN_64}.7")] = Item(0x46, b"\xff" * 8)
    values[oid("1.3.6.1.2.1.2.2.1.14.7")] = Item(0x41, b"\xff\xff\xff\xfe")
    found = interfaces(asked(Faults(), values=values))["main/eth0.2"]
    # What eight such octets say is more than any interface counts, and no figure.
    assert (found.rx_bytes, found.rx_errors) == (None, 2**32 - 2)


@pytest.mark.parametrize(
    "strange",
    [
        text("NULL"),
        text(""),
        Item(OCTETS, b"\0\0\0\1\x2a\5\xf2\0"),
        number(-1),
        Item(0x06, b"\x2b\6"),
        Item(5, b""),
    ],
    ids=["word", "nothing", "raw octets", "negative", "name", "null"],
)
def test_a_counter_of_another_type_is_none(strange: Item) -> None:
    values = {name: item for name, item in _OPENWRT.items() if name[:10] != oid("1.3.6.1.2.1.2.2.1.10")}
    values[oid(f"{_IN_64}.7")] = strange
    reading = asked(Faults(), values=values)
    assert interfaces(reading)["main/eth0.2"].rx_bytes is None
    assert interfaces(reading)["main/eth0.2"].tx_bytes == 400000000
    assert interfaces(reading)["main/eth0"].rx_bytes == 9876543210


def test_a_null_in_the_middle_does_not_end_a_table() -> None:
    values = dict(_OPENWRT) | {oid("1.3.6.1.2.1.2.2.1.2.3"): Item(5, b"")}
    assert len(interfaces(asked(Faults(), values=values))) == 3


def test_version_1_reads_the_same_with_32_bits() -> None:
    values = recording("unknown_narrow").values
    with SnmpReplay(values, versions=frozenset({0})) as agent:
        old = read(agent.host, SnmpAccess(version="1"), within_s=20)
    with SnmpReplay(values) as agent:
        new = read(agent.host, _PUBLIC, within_s=20)
    assert old == new


def test_version_1_finds_the_narrow_counters_of_an_agent_that_has_both() -> None:
    with SnmpReplay(_OPENWRT, versions=frozenset({0})) as agent:
        reading = read(agent.host, SnmpAccess(version="1"), "main", within_s=20)
        assert len(agent.asked) < 700
    found = interfaces(reading)["main/eth0.2"]
    assert (found.rx_bytes, found.tx_bytes, found.speed_mbps) == (5000000000 % 2**32, 400000000, 1000)


def test_an_agent_that_says_only_what_it_is_is_a_router_that_is_up() -> None:
    values = {
        oid("1.3.6.1.2.1.1.1.0"): text("Cambium cnPilot E500 Access Point"),
        oid("1.3.6.1.2.1.1.2.0"): Item(0x06, bytes([43, 6, 1, 4, 1, 0x81, 0x8A, 0x31, 22])),
    }
    reading = asked(Faults(), values=values)
    (router,) = reading.fields
    assert isinstance(router, RouterRecord)
    assert (router.driver, router.meaning, router.uptime_s) == ("cnpilot_snmp", "router_up", None)


def test_a_view_that_shows_nothing_is_told_so() -> None:
    values = {oid("1.3.6.1.2.1.1.2.0"): Item(0x06, b"\x2b\6\1")}
    with pytest.raises(DeviceFailed, match="widen its access rules") as failed:
        asked(Faults(), values=values)
    assert failed.value.reason is Reason.NOT_PERMITTED


def test_a_wrap_goes_on_and_a_restart_begins_anew() -> None:
    values = dict(recording("unknown_narrow").values)
    octets, ticks = oid("1.3.6.1.2.1.2.2.1.10.1"), oid("1.3.6.1.2.1.1.3.0")
    values[octets] = number(2**32 - 1000, 0x41)
    with SnmpReplay(values) as agent, Router(agent.host, _PUBLIC, "main") as router:
        seen, reading = [], router.read(within_s=20)
        for shows, at in ((2**32 - 900, 123456), (500, 123556), (700, 123656), (900, 100)):
            agent.set(octets, number(shows, 0x41))
            agent.set(ticks, number(at, 0x43))
            reading = router.read(within_s=20)
            found = interfaces(reading)["main/LAN"]
            seen.append((found.rx_bytes, found.restarted))
        (last, *_) = reading.fields
    assert seen == [(2**32 - 900, False), (2**32 + 500, False), (2**32 + 700, False), (900, True)]
    assert isinstance(last, RouterRecord)
    assert last.restarted
    assert "router_restarted" in reading.meanings


def test_the_way_out_is_remembered_when_its_route_goes_with_it() -> None:
    values = dict(recording("openwrt_router").values)
    route = next(name for name in values if name[:9] == oid("1.3.6.1.2.1.4.24.4"))
    with SnmpReplay(values) as agent, Router(agent.host, _PUBLIC, "main") as router:
        assert "wan_down" not in router.read(within_s=20).meanings
        agent.set(route, None)
        agent.set(oid("1.3.6.1.2.1.2.2.1.8.7"), number(2))
        assert router.read(within_s=20).meanings == ("router_up", "wan_down")
        for name in [name for name in values if name[-1] == 7 and name[:7] == oid("1.3.6.1.2.1.2")]:
            agent.set(name, None)
        reading = router.read(within_s=20)
    assert reading.meanings == ("router_up", "wan_down")
    assert by_record(reading)["router"]["wan_interface"] == "eth0.2"


def test_a_recording_is_read_again_as_the_same(tmp_path: Path) -> None:
    for fixture in ("mikrotik_sxt_station", "teltonika_rutx11", "uhp200_locked"):
        recorded = recording(fixture)
        with SnmpReplay(recorded.values) as agent:
            first = read(agent.host, _PUBLIC, within_s=20)
            lines = list(record(agent.host, _PUBLIC, within_s=20))
        file = tmp_path / "again.snmprec"
        file.write_text("\n".join(lines))
        with SnmpReplay(load(file)) as agent:
            assert read(agent.host, _PUBLIC, within_s=20) == first
        assert "000000000000000" not in file.read_text()


ACCESSES = {
    "version 1": SnmpAccess(version="1"),
    "version 2c": SnmpAccess(version="2c"),
    "SHA-256 and AES": SnmpAccess(
        version="3",
        user="strong",
        auth="sha256",
        auth_password="auth-password",
        privacy="aes128",
        privacy_password="priv-password",
    ),
    "SHA-512 and AES-256": SnmpAccess(
        version="3",
        user="strongest",
        auth="sha512",
        auth_password="auth-password",
        privacy="aes256",
        privacy_password="priv-password",
    ),
    "SHA-1 without privacy": SnmpAccess(
        version="3", user="signed", auth="sha1", auth_password="auth-password"
    ),
}


@pytest.mark.parts
@pytest.mark.parametrize("version", ACCESSES)
def test_a_real_agent_tells_what_the_kernel_counts(version: str, tmp_path: Path) -> None:
    with Snmpd(tmp_path) as agent:
        before = psutil.net_io_counters(pernic=True, nowrap=False)
        reading = read(agent.host, ACCESSES[version], "here", within_s=60, wish=Wish(wan="lo"))
        after = psutil.net_io_counters(pernic=True, nowrap=False)
    found = by_record(reading)
    router = found["router"]
    assert router["driver"] in {"openwrt_snmp", "standard_snmp"}
    assert 0 < router["memory_ratio"] < 1
    assert router["uptime_s"] > 0
    compared = 0
    for name, now in after.items():
        shown = found.get(f"interface.here/{name}")
        if shown is None or name not in before or version == "version 1":
            continue
        # snmpd looks at the kernel every few seconds.
        assert shown["rx_bytes"] <= now.bytes_recv
        compared += 1
    print(f"\n{compared} interfaces compared")


@pytest.mark.parts
@pytest.mark.parametrize(
    "change",
    [
        {"auth_password": "other-password"},
        {"privacy_password": "other-password"},
        {"user": "unknown"},
        {"auth": "sha512"},
        {"privacy": None, "privacy_password": ""},
        {"user": "nobody", "auth": None, "privacy": None},
    ],
    ids=["auth secret", "privacy secret", "user", "auth kind", "too weak", "no view"],
)
def test_a_real_agent_that_does_not_let_us_in_is_an_error_without_secrets(
    change: dict[str, Any], tmp_path: Path
) -> None:
    access = dataclasses.replace(ACCESSES["SHA-256 and AES"], **change)
    with Snmpd(tmp_path) as agent, pytest.raises(DeviceFailed) as failed:
        read(agent.host, access, "here", within_s=1)
    assert failed.value.reason in {Reason.NOT_PERMITTED, Reason.TIMEOUT}
    assert str(failed.value).startswith("here: ")
    assert "password" not in str(failed.value)


@pytest.mark.parts
def test_a_real_agent_that_was_replaced_is_known_again(tmp_path: Path) -> None:
    access = ACCESSES["SHA-256 and AES"]
    with Snmpd(tmp_path) as agent, Router(agent.host, access, "here") as router:
        router.read(within_s=30)
        agent.stop()
        agent.engine = "second"
        agent.start()
        told = [_meanings(router) for _ in range(4)]
    print(f"\nknown again after {told.index(('router_up',))} failures")
    assert told[-1] == ("router_up",)


def _meanings(router: Router) -> tuple[str, ...]:
    try:
        return router.read(within_s=3).meanings[:1]
    except DeviceFailed:
        return ()


def test_what_the_library_keeps_of_each_request_is_let_go_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 3 keeps half a kilobyte of each: the engine is made anew, and answers go on."""
    made = []
    engine = hlapi.SnmpEngine

    def counted() -> Any:
        made.append(engine())
        return made[-1]

    monkeypatch.setattr(link, "_REQUESTS_OF_AN_ENGINE", 5)
    monkeypatch.setattr(hlapi, "SnmpEngine", counted)
    uptime = oid("1.3.6.1.2.1.1.3.0")
    with (
        SnmpReplay(_OPENWRT) as device,
        link.SnmpAgent("127.0.0.1", _PUBLIC, device="main", port=device.port) as agent,
    ):
        reader = SnmpReader(agent, "main", within_s=20)
        told = [reader.get([uptime]) for _ in range(13)]
    assert told == [{uptime: 8640000}] * 13
    assert len(made) == 3
