# SPDX-License-Identifier: Apache-2.0
"""Does a recording name a cell, a person or a device, and does it give the figures that the device gave?

Lines as public captures have them, of each family and each generation of networks; areas and cells planted.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from firmware_bridge import recording
from firmware_bridge.modem import read_link
from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.protocols.snmp import Oid, SnmpReader, Value, oid
from firmware_bridge.router import driver_of, identified, lines_of
from tests.drivers.snmp_recording import NAMES as SNMP_NAMES
from tests.drivers.snmp_recording import InMemory, by_record, read_values, told
from tests.drivers.snmp_recording import recording as snmp_recording
from tests.drivers.transcript import NAMES, Recorded, load
from tests.parts.snmp_agent import line_of

_QENG = 'AT+QENG="servingcell"'
_AREA, _CELL = "8F1B", "1A2B3C4"
_DECIMAL_AREA, _DECIMAL_CELL = "36635", "27439044"

CASES: list[tuple[str, str, str, list[str]]] = [
    ("any", "ACME", "AT+CREG?", ['+CREG: 2,1,"8F1B","01A2B3C4",7']),
    ("any, in small letters", "ACME", "AT+CEREG?", ['+CEREG: 2,5,"8f1b","1a2b3c4",7']),
    ("any, blanks", "ACME", "AT+CEREG?", ['+CEREG: 2, 1, "8F1B", "1A2B3C4", 7']),
    ("any, a report", "ACME", "AT+CEREG?", ['+CEREG: 1,"8F1B","1A2B3C4",7', "+CEREG: 0,1"]),
    ("any, on 5G", "ACME", "AT+C5GREG?", ['+C5GREG: 2,1,"8F1B00","1A2B3C4",11,1,"01"']),
    (
        "SIMCom on LTE",
        "SIMCOM",
        "AT+CPSI?",
        ["+CPSI: LTE,Online,250-02,0x8F1B,27439044,58,EUTRAN-BAND3,1725,3,3,-108,-889,-614,19"],
    ),
    (
        "SIMCom on NB-IoT",
        "SIMCOM",
        "AT+CPSI?",
        ["+CPSI: LTE NB-IOT,Online,242-01,0x8F1B,27439044,457,EUTRAN-BAND20,6352,0,0,-7,-77,-70,14"],
    ),
    (
        "SIMCom on 3G",
        "SIMCOM",
        "AT+CPSI?",
        ["+CPSI: WCDMA,Online,460-01,0x8F1B,27439044,WCDMA IMT 2000,279,10663,0,1.5,62,33,52,500"],
    ),
    (
        "SIMCom on 2G",
        "SIMCOM",
        "AT+CPSI?",
        ["+CPSI: GSM,Online,262-03,0x8f1b,27439044,754 DCS 1800,-88,0,18-18"],
    ),
    (
        "SIMCom on 5G",
        "SIMCOM",
        "AT+CPSI?",
        ["+CPSI: NR5G_SA,Online,460-01,0x8F1B,27439044,257,NR5G_BAND78,627264,-930,-110,120"],
    ),
    (
        "Quectel on LTE",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","LTE","FDD",216,30,1A2B3C4,256,1500,3,5,5,8F1B,-82,-9,-52,19,15'],
    ),
    (
        "Quectel on LTE-M",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","CAT-M","FDD",310,410,1A2B3C4,88,5110,12,3,3,8F1B,-98,-13,-65,13,32'],
    ),
    (
        "Quectel on LTE-M by another name",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","eMTC","FDD",310,410,1A2B3C4,88,5110,12,3,3,8F1B,-98,-13,-65,13,32'],
    ),
    (
        "Quectel on NB-IoT",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","NBIoT","FDD",216,30,1A2B3C4,256,3700,8,0,0,8F1B,-88,-9,-75,15,27'],
    ),
    (
        "Quectel on 3G",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","WCDMA",460,01,8F1B,1A2B3C4,10713,304,0,-74,-4,-,-,-,-,-'],
    ),
    (
        "Quectel on 2G",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","GSM",460,01,8F1B,1A2B3C4,26,121,0,-70,255,255,0,38,38,1,-,-'],
    ),
    (
        "Quectel on 5G",
        "Quectel",
        _QENG,
        ['+QENG: "servingcell","NOCONN","NR5G-SA","FDD",310,260,1A2B3C4,24,8F1B,126490,71,1,-104,-13,11,0,-'],
    ),
    (
        "Quectel on joined networks",
        "Quectel",
        _QENG,
        [
            '+QENG: "servingcell","NOCONN"',
            '+QENG: "LTE","FDD",216,30,1A2B3C4,256,1500,3,5,5,8F1B,-82,-9,-52,19,15,-190,-',
            '+QENG: "NR5G-NSA",216,30,500,-75,18,-11,528030,41',
        ],
    ),
    (
        "Sierra",
        "Sierra Wireless",
        "AT!GSTATUS?",
        [
            "!GSTATUS:",
            "PCC RxM RSSI:  -65\t\tPCC RxM RSRP:  -99",
            "Tx Power:      --\t\tTAC:         8F1B (36635)",
            "RSRQ (dB):     -12.0\t\tCell ID:     01A2B3C4 (27439044)",
        ],
    ),
    (
        "Telit on LTE",
        "Telit",
        "AT#RFSTS",
        ['#RFSTS: "262 25",1200,-101,-70,-9,8F1B,255,,128,19,0,1A2B3C4,"000000000000000","Vodafone",2,3,320'],
    ),
    (
        "Telit on LTE, a part less",
        "Telit",
        "AT#RFSTS",
        ['#RFSTS: "286 01",1795,-101,-67,-15,8F1B,,128,3,1,1A2B3C4,"000000000000000","Turkcell",3,3,108'],
    ),
    (
        "Telit on 3G",
        "Telit",
        "AT#RFSTS",
        ['#RFSTS: "222 10",10588,439,-4.5,-91,-92,8F1B,20,,25,19,1,2,,1A2B3C4,"000000000000000","WIND",3,1'],
    ),
    (
        "Telit on 2G",
        "Telit",
        "AT#RFSTS",
        ['#RFSTS: "222 01",1013,-73,8F1B,0,5,19,0,1,1A2B3C4,"000000000000000","TIM",3,3'],
    ),
    (
        "Cinterion on LTE",
        "Cinterion",
        "AT^SMONI",
        ["^SMONI: 4G,1300,3,10,10,FDD,262,02,8F1B,1A2B3C4,345,-,-97,-10,-68,-"],
    ),
    (
        "Cinterion on 3G",
        "Cinterion",
        "AT^SMONI",
        ["^SMONI: 3G,10564,296,-7.5,-79,262,02,8F1B,1A2B3C4,-5,28,-"],
    ),
    ("Cinterion on 2G", "Cinterion", "AT^SMONI", ["^SMONI: 2G,71,-61,262,02,8F1B,1A2B3C4,NOCONN"]),
    (
        "Fibocom",
        "Fibocom",
        "AT+GTCCINFO?",
        [
            "+GTCCINFO:",
            "1,4,250,1,8F1B,001A2B3C4,1721,223,103,50,6,62,62,18",
            "1,9,460,11,8F1B00,1A2B3C405,176190,524,505,75,6,57,57,73",
        ],
    ),
    (
        "Fibocom with headings",
        "Fibocom",
        "AT+GTCCINFO?",
        ["+GTCCINFO:", "LTE service cell:", "1,4,262,02,8F1B,1A2B3C4,189C,30,120,50,16,42,42,26"],
    ),
]


ADDRESSES = (
    '+CGPADDR: 1,"10.77.55.66"',
    '+CGPADDR: 1,"100.77.55.66"',
    '+CGPADDR: 1,"0.0.0.0"',
    '+CGPADDR: 1,"32.1.13.184.0.1.0.2.77.55.66.99.0.0.0.9"',
    '+CGPADDR: 1,"10.77.55.66","2A00:1FA0:82C2:7755:66:0:0:9"',
    '+CGPADDR: 1,"254.128.0.0.0.0.0.0.0.0.0.0.77.55.66.1"',
    '+CGPADDR: 1,"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"',
)


@pytest.mark.parametrize("line", ADDRESSES)
def test_a_recording_has_no_whole_address_and_tells_the_same_of_it(line: str) -> None:
    modem = Scripted("ACME", {"AT+CGPADDR": [line]})
    recorded = list(recording.record(modem))
    assert not any(part in "\n".join(recorded) for part in ("55", "66"))
    assert _said(Recorded("r", _answers(recorded), {})) == _said(modem)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_of_a_recording_gives_the_same_figures(name: str) -> None:
    modem = load(name)
    assert _said(Recorded("r", _answers(list(recording.record(modem))), {})) == _said(modem)


class Scripted:
    """A link to a modem that knows one answer; all else is an error."""

    def __init__(self, maker: str, answers: dict[str, list[str]]) -> None:
        self._answers = {"AT+CGMI": [maker], "AT+CGMM": ["M1"], "AT+CGMR": ["1"], **answers}

    def ask(self, command: str) -> Reply:
        lines = [*self._answers[command], "OK"] if command in self._answers else ["ERROR"]
        reply = Exchange(command).feed("".join(f"\r\n{line}\r\n" for line in lines).encode())
        assert reply is not None
        return reply


@pytest.mark.parametrize(
    ("maker", "command", "lines"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_recording_names_no_cell_and_gives_the_same_figures(
    maker: str, command: str, lines: list[str]
) -> None:
    modem = Scripted(maker, {command: lines})
    recorded = list(recording.record(modem))
    text = "\n".join(recorded).upper()
    assert [each for each in (_AREA, _CELL, _DECIMAL_AREA, _DECIMAL_CELL) if each in text] == []
    assert _said(Recorded("r", _answers(recorded), {})) == _said(modem)


def _answers(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    asked = ""
    for line in lines:
        if line.startswith("> "):
            found[(asked := line[2:])] = []
        else:
            found[asked].append(line.removeprefix("< "))
    return found


def _said(link: Any) -> dict[str, Any]:
    return dataclasses.asdict(read_link(link, "m").fields[0])


NAMED = {
    "1.3.6.1.2.1.1.1.0": b"Linux nurlan-home 5.4.1 #0 SMP armv7l",
    "1.3.6.1.2.1.2.2.1.2.9": b"<pppoe-nurlan>",
    "1.3.6.1.2.1.31.1.1.1.1.9": b"nurlan@school",
}


def test_a_recording_of_a_router_names_nobody_and_gives_the_same_figures() -> None:
    """Its host, who dials in, and its serial number."""
    plain = {each: told(item) for each, item in snmp_recording("openwrt_router").values.items()}
    named = plain | {oid(each): value for each, value in NAMED.items()}
    named |= {oid("1.3.6.1.2.1.2.2.1.3.9"): 23}
    _assert_nobody(named)
    plain = {each: told(item) for each, item in snmp_recording("teldat_m1").values.items()}
    _assert_nobody(plain | {oid("1.3.6.1.2.1.1.1.0"): b"Router M1L T+  S/N: nurlan/01144  Teldat"})
    plain = {each: told(item) for each, item in snmp_recording("mikrotik_chateau").values.items()}
    _assert_nobody(plain | {oid("1.3.6.1.2.1.1.1.0"): b"router-of-nurlan"})


@pytest.mark.parametrize("name", SNMP_NAMES)
def test_a_recording_of_a_recorded_agent_gives_the_same_figures(name: str) -> None:
    _assert_nobody({each: told(item) for each, item in snmp_recording(name).values.items()})


def _assert_nobody(values: dict[Oid, Value | None]) -> None:
    reader = SnmpReader(InMemory(values), "main", within_s=1e6)
    driver_of(identified(reader)).read(reader, "main", identified(reader))
    lines = list(lines_of(reader.seen, identified(reader)))
    assert "nurlan" not in "\n".join(lines)
    assert "nurlan" not in repr(read_values(values))
    replayed = {name: told(item) for name, item in map(line_of, lines)}
    assert by_record(read_values(replayed)) == by_record(read_values(values))
