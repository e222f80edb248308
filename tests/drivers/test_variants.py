# SPDX-License-Identifier: Apache-2.0
"""Is each way in which makers, models and versions of firmware say the same thing understood?

Lines as documented by the makers or captured in public, numbers of cells changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from firmware_bridge.modem import read_link
from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.reading import DeviceReading

_QENG = 'AT+QENG="servingcell"'
_LTE = '"LTE","FDD",216,30,30600,256,1500,3,5,5,4BB,-82,-9,-52,19,15,-190,-'

CASES: list[tuple[str, str, str, dict[str, list[str]], dict[str, Any]]] = [
    (
        "a negative figure proves that SINR is no index",
        "Quectel",
        "EC25",
        {
            _QENG: [f'+QENG: "servingcell","LIMSRV",{_LTE.replace("19,15", "-5,0")}'],
            "AT+CREG?": ["+CREG: 0,2"],
        },
        {"rsrp_dbm": -82, "sinr_raw": -5, "sinr_db": None, "registered": False, "state": "searching"},
    ),
    (
        "a sentinel is no figure",
        "Quectel",
        "RM520N-GL",
        {
            _QENG: [
                '+QENG: "servingcell","LIMSRV","NR5G-SA","TDD",310,260,1,335,7,516270,41,12,-75,-11,-3276,1,-'
            ]
        },
        {"nr_rsrp_dbm": -75, "nr_rsrq_db": -11, "nr_sinr_db": None, "band": "n41"},
    ),
    (
        "Unisoc leaves a dash for the bandwidth",
        "Quectel",
        "RG200U-CN",
        {
            _QENG: [
                '+QENG: "servingcell","NOCONN","NR5G-SA","TDD",460,11,18,335,79,504990,41,-,-54,-10,16,-,-'
            ]
        },
        {"nr_rsrp_dbm": -54, "nr_rsrq_db": -10, "nr_sinr_db": 16, "channel": 504990},
    ),
    (
        "5G that is not attached is LTE",
        "Quectel",
        "RM502Q-AE",
        {_QENG: ['+QENG: "servingcell","NOCONN"', f"+QENG: {_LTE}", '+QENG:"NR5G-NSA"']},
        {"access_technology": "lte", "sinr_db": 18, "nr_rsrp_dbm": None},
    ),
    (
        "NSA has SINR before RSRQ, blanks or not",
        "Quectel",
        "RM502Q-AE",
        {
            _QENG: [
                '+QENG:"servingcell","CONNECT"',
                f"+QENG: {_LTE.replace(',', ', ')}",
                '+QENG: "NR5G-NSA",216,30,954,-91,14,-10,638784,78,12,1',
            ]
        },
        {"access_technology": "nr_nsa", "nr_sinr_db": 14, "nr_rsrq_db": -10, "rsrp_dbm": -82, "band": "n78"},
    ),
    (
        "UMTS",
        "Quectel",
        "EC25",
        {_QENG: ['+QENG: "servingcell","NOCONN","WCDMA",460,00,7D1E,1234,10663,128,1,-75,-6,-,-,-,-,-']},
        {"access_technology": "umts", "rscp_dbm": -75, "ecio_db": -6, "channel": 10663},
    ),
    (
        "nothing is heard",
        "Quectel",
        "EC25",
        {_QENG: ['+QENG: "servingcell","SEARCH"'], "AT+CSQ": ["+CSQ: 99,99"], "AT+CEREG?": ["+CEREG: 0,2"]},
        {"registered": False, "state": "no_signal", "meaning": "no_signal", "rssi_dbm": None},
    ),
    (
        "another scale of the same modem",
        "Quectel",
        "BG96",
        {"AT+QCSQ": ['+QCSQ: "CAT-M1",-91,-129,67,-20']},
        {"sinr_db": -6.6, "rsrp_dbm": -129, "rsrq_db": -20},
    ),
    ("three values of 5G", "Quectel", "RM500Q", {"AT+QCSQ": ['+QCSQ: "NR5G",-75,4,-11']}, {"nr_sinr_db": 4}),
    (
        "a power without its sign",
        "Quectel",
        "EG21-G",
        {"AT+QCSQ": ['+QCSQ: "LTE",77,-105,120,-12']},
        {"rssi_dbm": -77, "rsrp_dbm": -105, "sinr_db": 4},
    ),
    (
        "no service is no figure",
        "Quectel",
        "EG21-G",
        {"AT+QCSQ": ['+QCSQ: "NOSERVICE"'], "AT+QNWINFO": ["+QNWINFO: No Service"]},
        {"rsrp_dbm": None, "band": None, "operator": None},
    ),
    (
        "the hottest, not the sentinel",
        "Quectel",
        "RM500Q",
        {"AT+QTEMP": [f'+QTEMP:"s{at}","{c}"' for at, c in enumerate((43, -273, 47, 255, 0))]},
        {"temperature_c": 47},
    ),
    (
        "zeros in front, no blank",
        "ACME",
        "M1",
        {"AT+CREG?": ['+CREG:002,001,"0001","0010"'], "AT+CESQ": ["+CESQ:10,99,255,255,20,80"]},
        {"registered": True, "roaming": False, "rsrp_dbm": -61, "rsrq_db": -10},
    ),
    (
        "unquoted and spaced",
        "ACME",
        "M1",
        {"AT+CREG?": ["+CREG: 2,1,  0 5, 2715"], "AT+CESQ": ["+CESQ: 99,99,255,255,255,255,65,70,77"]},
        {"registered": True, "nr_rsrq_db": -11, "nr_rsrp_dbm": -87, "nr_sinr_db": 15, "rsrp_dbm": None},
    ),
    (
        "roaming, as circuit switched fallback says it",
        "Samsung",
        "M1",
        {"AT+CREG?": ["+CREG: 2,1,000B,2816, B, C2816"], "AT+CEREG?": ['+CEREG: 2,10,"8d83","671f98a",7']},
        {"registered": True, "roaming": True, "access_technology": "lte"},
    ),
    (
        "only the packet side tells, and it is not registered",
        "ACME",
        "M1",
        {"AT+CEREG?": ["+CEREG: 0,2"], "AT+CSQ": ["+CSQ: 12,99"]},
        {"registered": False, "state": "searching", "meaning": "not_registered", "rssi_dbm": -89},
    ),
    (
        "not on LTE but on 3G",
        "ACME",
        "M1",
        {"AT+CREG?": ["+CREG: 0,1"], "AT+CEREG?": ["+CEREG: 0,0"]},
        {"registered": True, "state": "ok"},
    ),
    (
        "a locked SIM",
        "ACME",
        "M1",
        {"AT+CPIN?": ['+CPIN: "SIM PIN"']},
        {"state": "sim_locked", "sim_ready": False},
    ),
    (
        "no SIM, in words",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CME ERROR: SIM not inserted"]},
        {"state": "sim_missing", "meaning": "sim_missing"},
    ),
    ("a SIM that cannot be read", "ACME", "M1", {"AT+CPIN?": ["+CME ERROR: 13"]}, {"state": "sim_missing"}),
    (
        "a SIM that is busy",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CME ERROR: 14"]},
        {"state": None, "sim_ready": None},
    ),
    (
        "an address of zeros is none",
        "ACME",
        "M1",
        {
            "AT+CGPADDR": ['+CGPADDR: 1,"0.0.0.0"', '+CGPADDR: 2, "0.0.0.0,0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"'],
            "AT+CREG?": ["+CREG: 0,1"],
        },
        {"ipv4": False, "ipv6": False, "meaning": "no_address"},
    ),
    (
        "both families, shared by the operator's NAT",
        "ACME",
        "M1",
        {"AT+CGPADDR": ['+CGPADDR: 1,"100.101.133.178","38.0.0.1.154.1.2.3.4.5.6.7.8.9.10.11"']},
        {"ipv4": True, "ipv6": True, "shared_address": True},
    ),
    ("at least -51", "ACME", "M1", {"AT+CSQ": ["+CSQ: 31, 99"]}, {"rssi_dbm": -51}),
    (
        "tenths",
        "SIMCOM INCORPORATED",
        "SIMCOM_SIM7600E-H",
        {"AT+CPSI?": ["+CPSI: LTE,Online,460-11,0x1,1,257,EUTRAN-BAND3,1850,5,5,-178,-1089,-742,8"]},
        {"rsrq_db": -17.8, "rsrp_dbm": -108.9, "rssi_dbm": -74.2, "band": "B3", "channel": 1850},
    ),
    (
        "whole dBm",
        "SIMCOM",
        "SIM7000G",
        {"AT+CPSI?": ["+CPSI: LTE CAT-M1,Online,460-00,0x1,1,257,EUTRAN-BAND3,1850,5,5,-20,-116,-82,6"]},
        {"rsrq_db": -20, "rsrp_dbm": -116, "rssi_dbm": -82, "access_technology": "lte_m"},
    ),
    (
        "numbers of steps",
        "SIMCOM",
        "SIM7100E",
        {"AT+CPSI?": ["+CPSI: LTE,Online,460-00,0x1,1,257,EUTRAN-BAND3,1850,5,5,21,67,255,19"]},
        {"rsrq_db": -9.5, "rsrp_dbm": -74, "rssi_dbm": None},
    ),
    (
        "5G of early firmware, in another order",
        "SIMCOM",
        "SIM8200EA",
        {
            "AT+CPSI?": [
                "+CPSI: LTE,Online,460-11,0x1,1,257,EUTRAN-BAND3,1850,5,5,-178,-1089,-742,8",
                "+CPSI: NR5G,58,643296,-12,-86,8.5",
            ]
        },
        {"access_technology": "nr_nsa", "nr_rsrp_dbm": -86, "nr_rsrq_db": -12, "nr_sinr_db": 8.5},
    ),
    (
        "no service",
        "SIMCOM",
        "SIM7600",
        {"AT+CPSI?": ["+CPSI: NO SERVICE,Online"]},
        {"rsrp_dbm": None, "access_technology": None},
    ),
    (
        "names without quotes",
        "huawei",
        "E303",
        {"AT^HCSQ?": ["^HCSQ: WCDMA,45,255,40"], "AT^SYSINFOEX": ["^SYSINFOEX:2,3,0,1,,3,WCDMA,41,WCDMA"]},
        {"rssi_dbm": -76, "rscp_dbm": None, "ecio_db": -12.5, "access_technology": "umts", "sim_ready": True},
    ),
    (
        "5G has no RSSI",
        "huawei",
        "MH5000",
        {"AT^HCSQ?": ['^HCSQ: "NR",61,150,23']},
        {"nr_rsrp_dbm": -80, "nr_sinr_db": 9.8, "nr_rsrq_db": -8.5},
    ),
    (
        "no SIM, no service",
        "huawei",
        "ME909",
        {"AT^HCSQ?": ['^HCSQ: "NOSERVICE"'], "AT^SYSINFOEX": ['^SYSINFOEX: 0,0,0,255,,0,"NO SERVICE",0,""']},
        {"sim_ready": False, "state": "sim_missing", "meaning": "sim_missing"},
    ),
    (
        "the IMSI in the middle is never told",
        "Telit",
        "LE910",
        {
            "AT#RFSTS": [
                '#RFSTS: "310 260",66786,-101,-68,-13,2D,255,,640,1,0,30,"310260000000000","T-Mobile",3,66'
            ]
        },
        {"rsrp_dbm": -101, "rssi_dbm": -68, "rsrq_db": -13, "operator": "T-Mobile", "band": "B66"},
    ),
    (
        "MediaTek: rows without prefix, some parts empty, counted from the end",
        "Fibocom Wireless Inc.",
        "FM350-GL",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO:",
                "1,9,460,00,7D,1D,504990,1F,,,40,83,83,64",
                "2,9,,,,,4EE9A,1F,,,,,80,60",
            ]
        },
        {"nr_rsrp_dbm": -74, "nr_rsrq_db": -11.5, "access_technology": "nr_sa", "channel": 504990},
    ),
    (
        "MediaTek on LTE",
        "Fibocom",
        "FM150-AE",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO:",
                "LTE service cell:",
                "1,4,310,260,79,1D,66786,31,166,100,20,47,47,20",
            ]
        },
        {"rsrp_dbm": -94, "rsrq_db": -10, "band": "B66", "access_technology": "lte"},
    ),
    (
        "a signed figure at the end",
        "Fibocom",
        "L850-GL",
        {"AT+XCESQ?": ["+XCESQ: 0,99,99,255,255,19,46,-8"]},
        {"rsrp_dbm": -95, "rsrq_db": -10.5, "sinr_db": -4},
    ),
    ("searching", "Cinterion", "ELS61", {"AT^SMONI": ["^SMONI: 4G,SEARCH"]}, {"rsrp_dbm": None}),
    (
        "dashes for what is not known",
        "Cinterion",
        "ELS61",
        {"AT^SMONI": ["^SMONI: 4G,6300,20,10,10,FDD,262,02,BF,03,--,--,-94,-7,NOCONN"]},
        {"rsrp_dbm": -94, "rsrq_db": -7, "band": "B20"},
    ),
    (
        "3G of the same family",
        "Cinterion",
        "EHS6",
        {"AT^SMONI": ["^SMONI: 3G,10564,296,-7.5,-79,262,02,01,02,-92,-78,NOCONN"]},
        {"rscp_dbm": -79, "ecio_db": -7.5, "access_technology": "umts", "channel": 10564},
    ),
    (
        "labels in any order, one value damaged",
        "Sierra Wireless, Incorporated",
        "EM7565",
        {
            "AT!GSTATUS?": [
                "!GSTATUS:",
                "Temperature: 3t 5",
                "System mode:   LTE              PS state:    Attached",
                "PCC RxM RSSI:  -60              PCC RxM RSRP:  -90",
                "RSRQ (dB):     -10.1            Cell ID:     00000000 (0)",
                "SINR (dB):      5.6",
            ]
        },
        {"temperature_c": None, "rssi_dbm": -60, "rsrp_dbm": -90, "rsrq_db": -10.1, "sinr_db": 5.6},
    ),
]


def read(maker: str, model: str, answers: Mapping[str, list[str]]) -> DeviceReading:
    told = {"AT+CGMI": [maker], "AT+CGMM": [model], "AT+CGMR": ["1.0"], **answers}
    return read_link(Told(told), "lte")


@dataclasses.dataclass
class Told:
    """A link with these answers; ERROR to all else."""

    answers: Mapping[str, list[str]]

    def ask(self, command: str) -> Reply:
        lines = self.answers.get(command, [])
        is_ended = not lines or "ERROR" in lines[-1]
        ended = [*lines, *([] if lines and is_ended else ["OK" if lines else "ERROR"])]
        reply = Exchange(command).feed("".join(f"\r\n{line}\r\n" for line in ended).encode())
        assert reply is not None
        return reply


@pytest.mark.parametrize(
    ("maker", "model", "answers", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_variant_is_understood(
    maker: str, model: str, answers: dict[str, list[str]], expected: dict[str, Any]
) -> None:
    reading = read(maker, model, answers)
    (fields,) = reading.fields
    found = dataclasses.asdict(fields)
    assert {name: found[name] for name in expected} == expected
    assert reading.refused == ()
    assert "310260000000000" not in repr(reading)
