# SPDX-License-Identifier: Apache-2.0
"""Does the command line say honestly what the bridge can do, at ptys and at servers on this machine?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge import finding
from firmware_bridge.__main__ import main
from firmware_bridge.drivers import DRIVERS
from firmware_bridge.drivers.vedirect import reading as vedirect_reading
from firmware_bridge.protocols.nmea import Sentences
from firmware_bridge.protocols.vedirect import Blocks
from tests.drivers import dishes, talks, upses
from tests.drivers.snmp_recording import recording
from tests.parts.dish import GrpcDish
from tests.parts.modem import PtyModem, mmcli
from tests.parts.program import free_port
from tests.parts.scripted_tcp import ScriptedTcp
from tests.parts.snmp_agent import SnmpReplay
from tests.parts.talker import PtyTalker

PLANTED = "250017000000123"
SOLAR, GPS, UPS, APC = (
    "vedirect/smartsolar_100_20_night",
    "nmea/ublox_7_fix",
    "nut/backups_on_line",
    "apcupsd/backups_on_line",
)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ptys say at once what they say."""
    monkeypatch.setattr(finding, "_LISTEN_S", 0.4)
    monkeypatch.setattr(finding, "ROUTES", Path("/nonexistent"))


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_driver_is_listed_and_can_be_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers"]) == 0
    assert capsys.readouterr().out.split() == sorted(DRIVERS)
    assert main(["drivers", "--json"]) == 0
    assert [each["driver"] for each in told(capsys)] == sorted(DRIVERS)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 2),
        (["read"], 2),
        (["read", "telnet://host"], 2),
        (["read", "nut:/dev/ttyUSB0"], 2),
        (["identify", "vedirect://host"], 2),
        (["identify", "snmp://"], 2),
        (["identify", "snmp://host", "--access", "/nonexistent"], 2),
    ],
)
def test_exit_code_is_usage_when_the_command_is_unknown(arguments: list[str], code: int) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == code


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/dev/null", "is no serial port"),
        ("serial:/dev/nothing-here", "plugged in"),
        ("snmp://no.such.host.invalid", "is there a name server?"),
    ],
)
def test_what_cannot_be_reached_is_told_with_what_to_do(
    capsys: pytest.CaptureFixture[str], address: str, words: str
) -> None:
    assert main(["identify", address]) == 1
    told_to = capsys.readouterr().err
    assert words in told_to
    assert "Errno" not in told_to


def test_a_modem_is_identified(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyModem("quectel_eg25_lte") as modem:
        assert main(["identify", modem.path]) == 0
        assert capsys.readouterr().out == "Quectel, EG25, EG25GGBR07A08M2G (quectel_at)\n"
        assert main(["identify", "--json", f"serial:{modem.path}"]) == 0
        (found,) = told(capsys)
    assert (found["driver"], found["address"]) == ("quectel_at", f"serial:{modem.path}")


def test_a_modem_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyModem("sierra_em7455_lte") as modem:
        assert main(["read", modem.path]) == 0
    assert "rsrp_dbm = -81.0" in capsys.readouterr().out.splitlines()


def test_a_recording_has_the_answers_and_no_private_number(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyModem("telit_le910_lte", swaps={"000000000000000": PLANTED}) as modem:
        assert main(["record", modem.path]) == 0
    out = capsys.readouterr().out
    assert "> AT#RFSTS\n< #RFSTS: " in out
    assert '"T-Mobile"' in out
    assert PLANTED not in out


@pytest.mark.parametrize(("name", "driver"), [(SOLAR, "vedirect"), (GPS, "nmea")])
def test_what_talks_by_itself_is_found_and_never_written_to(
    capsys: pytest.CaptureFixture[str], name: str, driver: str
) -> None:
    data = talks.bytes_of(name)
    with PtyTalker(lambda: data) as device:
        assert main(["identify", "--json", device.path]) == 0
        (found,) = told(capsys)
        assert main(["read", "--json", found["address"]]) == 0
        (said,) = told(capsys)
        assert device.heard == b""
    assert (found["driver"], found["address"]) == (driver, f"{driver}:{device.path}")
    expected = talks.about(name)["expected"]
    known = {k: v for k, v in expected.items() if k != "clock_offset_ms"}
    assert {k: said["fields"][k] for k in known} == pytest.approx(known)
    assert said["meanings"] == talks.about(name)["meanings"]


def test_a_modem_that_modem_manager_has_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with PtyModem("quectel_eg25_lte") as modem:
        mmcli(tmp_path, "quectel_connected.json", modem.path)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert main(["identify", modem.path]) == 0
        assert main(["read", modem.path]) == 0
        assert main(["record", modem.path]) == 1
        assert modem.asked == []
    out, err = capsys.readouterr()
    assert "(modem_manager)" in out
    assert "operator = Beeline KZ" in out
    assert "ModemManager has the modem" in err


def test_a_router_is_identified_read_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    with SnmpReplay(recording("openwrt_router").values) as router:
        for command in ("identify", "read", "record"):
            assert main([command, f"snmp://{router.host}"]) == 0
    out = capsys.readouterr().out
    assert "(openwrt_snmp)" in out
    assert "wan_interface = eth0.2" in out
    assert "1.3.6.1.2.1.1.3.0|" in out


def test_what_nobody_knows_is_not_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    with PtyTalker(lambda: b"#KNX,1.1.5,something else\r\n" * 4) as device:
        assert main(["identify", device.path]) == 1
        assert device.heard == b""
    assert "nothing that is known" in capsys.readouterr().err


def test_a_charger_is_recorded_so_that_it_reads_the_same_without_its_serial_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = talks.block_bytes(
        ["PID\t0xA042", "SER#\tHQ1234ABCDE", "V\t12530", "I\t620", "XYZ\tsecret", "CS\t3"]
    )
    with PtyTalker(lambda: data) as device:
        assert main(["record", f"vedirect:{device.path}"]) == 0
    out = capsys.readouterr().out
    assert "HQ1234ABCDE" not in out
    assert "secret" not in out
    (block,) = Blocks().feed(talks.block_bytes(out.splitlines()))
    assert getattr(vedirect_reading(block, "solar").fields[0], "battery_v", None) == 12.53


def test_a_receiver_is_recorded_without_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    place = ("4313.98765", "07654.32109")
    bodies = (
        f"GNRMC,083559.00,A,{place[0]},S,{place[1]},W,0.004,77.52,211126,,,A",
        f"GNGGA,083559.00,{place[0]},S,{place[1]},W,1,08,1.01,812.3,M,-38.1,M,,",
        f"GNGLL,{place[0]},S,{place[1]},W,083559.00,A",
        "GNGSA,A,3,10,07,,,,,,,,,,,1.72,1.01,1.38",
    )
    data = "".join(f"${b}*{talks_sum(b):02X}\r\n" for b in bodies).encode()
    with PtyTalker(lambda: data) as device:
        assert main(["record", f"nmea:{device.path}"]) == 0
    out = capsys.readouterr().out
    assert not any(
        secret in out for secret in ("4313", "98765", "7654", "32109", "812", "38.1", ",S,", ",W,", "GLL")
    )
    assert {s.type for s in Sentences().feed(out.replace("\n", "\r\n").encode())} == {"RMC", "GGA", "GSA"}


def talks_sum(body: str) -> int:
    total = 0
    for letter in body.encode():
        total ^= letter
    return total


@pytest.mark.parametrize("name", [UPS, APC])
def test_a_ups_is_identified_read_and_recorded_as_the_fixture_is(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    scheme = name.partition("/")[0]
    with ScriptedTcp(upses.bytes_of(name)) as server:
        address = f"{scheme}://127.0.0.1:{server.port}/ups"
        for command in ("identify", "read", "record"):
            assert main([command, address]) == 0
    out = capsys.readouterr().out
    assert f"({scheme})" in out
    assert "mains_present = True" in out
    assert "232.0" in out
    assert "serial" not in out.lower().replace("serialno : 0", "")


def test_a_dish_is_recorded_so_that_it_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with GrpcDish(dishes.responses("connected")) as dish:
        assert main(["identify", f"starlink://127.0.0.1:{dish.port}"]) == 0
        assert "rev4_panda_prod1" in capsys.readouterr().out
        assert main(["record", f"starlink://127.0.0.1:{dish.port}"]) == 0
    (tmp_path / "again.starlink").write_text(capsys.readouterr().out)
    kept = dishes.responses("connected")
    monkeypatch.setattr(dishes, "FIXTURES", tmp_path)
    again = dishes.responses("again")
    assert {request: sorted(answer) for request, answer in again.items()} == {
        request: sorted(answer) for request, answer in kept.items()
    }


def test_everything_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finding, "PORTS", tmp_path)
    monkeypatch.setattr(finding, "USUAL", (f"starlink://127.0.0.1:{free_port()}",))
    (tmp_path / "usb-Gone-if00").symlink_to("/dev/nonexistent")
    data = talks.bytes_of(SOLAR)
    with (
        PtyModem("huawei_me909_lte") as modem,
        PtyTalker(lambda: data) as solar,
        ScriptedTcp(upses.bytes_of(UPS)) as upsd,
    ):
        (tmp_path / "usb-Huawei-if02").symlink_to(modem.path)
        (tmp_path / "usb-Victron-if00").symlink_to(solar.path)
        more = f"nut://127.0.0.1:{upsd.port}/ups"
        assert main(["probe-all", more]) == 0
        out, err = capsys.readouterr()
        assert main(["probe-all", "--json", more]) == 0
        found = told(capsys)
    assert "usb-Gone-if00: not_present: " in out
    assert "usb-Huawei-if02: huawei, ME909s-120" in out
    assert "usb-Victron-if00: SmartSolar MPPT 100/20, 1.39 (vedirect)" in out
    assert "5 addresses tried, 3 answered" in err
    assert [each.get("driver", each.get("reason")) for each in found] == [
        "not_present",
        "huawei_at",
        "vedirect",
        "refused",
        "nut",
    ]


def test_the_gateway_is_tried_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask",
        "eth0\t00000000\t0108A8C0\t0003\t0\t0\t100\t00000000",
        "eth0\t0008A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF",
        "wwan0\t00000000\t00000000\t0001\t0\t0\t700\t00000000",
    )
    (tmp_path / "route").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(finding, "ROUTES", tmp_path / "route")
    monkeypatch.setattr(finding, "PORTS", tmp_path / "none")
    assert finding.everywhere(("nut://host",)) == [*finding.USUAL, "snmp://192.168.8.1", "nut://host"]


def test_nothing_anywhere_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finding, "PORTS", tmp_path)
    monkeypatch.setattr(finding, "USUAL", ())
    assert main(["probe-all"]) == 1
    assert "0 addresses tried, 0 answered" in capsys.readouterr().err


def test_a_port_that_is_not_there_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify", "/dev/nonexistent"]) == 1
    assert "is the device plugged in" in capsys.readouterr().err
    assert main(["read", "--json", f"apcupsd://127.0.0.1:{free_port()}"]) == 1
    assert told(capsys)[0]["reason"] == "refused"
