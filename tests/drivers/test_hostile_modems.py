# SPDX-License-Identifier: Apache-2.0
"""Do modems that say less, more, something else or somebody's number give a wrong figure or a private one?

Lines as other makers' documents, other versions of firmware and public captures have them, numbers changed.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers.modem_manager import reading as managed_reading
from firmware_bridge.protocols.at import Exchange
from firmware_bridge.protocols.at_commands import READ_ONLY
from firmware_bridge.scrubbing import scrubbed
from tests.drivers.test_variants import read

_QENG = 'AT+QENG="servingcell"'
PRIVATE = (
    "250017000000123",
    "860123456789012",
    "8970199000000012345",
    "89701990000000123F",
    "+77012345678",
    "+7 701 234 56 78",
    "86-012345-678901-2",
    "001010123456789",
)

CASES: list[tuple[str, str, str, dict[str, list[str]], dict[str, Any]]] = [
    (
        "NB-IoT of a newer name",
        "Quectel",
        "BG95-M3",
        {_QENG: ['+QENG: "servingcell","NOCONN","NBIoT","FDD",216,30,1,256,3700,8,0,0,4B,-88,-9,-75,15,27']},
        {"access_technology": "nb_iot", "rsrp_dbm": -88, "band": "B8"},
    ),
    (
        "GSM has no more than its name",
        "Quectel",
        "EC25",
        {_QENG: ['+QENG: "servingcell","NOCONN","GSM",460,00,5504,2B,23,94,0,-61,255,255,0,38,38,1,-,-,-']},
        {"access_technology": "gsm", "rsrp_dbm": None, "rssi_dbm": None},
    ),
    (
        "nothing but sentinels",
        "Quectel",
        "RM520N-GL",
        {
            _QENG: [
                '+QENG: "servingcell","LIMSRV","LTE","FDD",,,,,,,,,,-32768,-32768,-32768,-32768,255,-32768,-'
            ]
        },
        {
            "rsrp_dbm": None,
            "rsrq_db": None,
            "rssi_dbm": None,
            "sinr_raw": None,
            "sinr_db": None,
            "band": None,
        },
    ),
    (
        "empty quotes",
        "Quectel",
        "RM502Q-AE",
        {
            _QENG: ['+QENG: "servingcell","NOCONN","LTE","","","","","","","","","","","","","",""'],
            "AT+QNWINFO": ['+QNWINFO: "","","",'],
        },
        {"rsrp_dbm": None, "band": None, "operator": None},
    ),
    (
        "a line cut off",
        "Quectel",
        "EC25",
        {
            _QENG: ['+QENG: "servingcell","NOCONN","LTE","FDD",216,30,1,256,1500,3,5,5,4BB,-82'],
            "AT+CSQ": ["+CSQ: 20,99"],
        },
        {"rsrp_dbm": None, "rsrq_db": None, "rssi_dbm": -73},
    ),
    (
        "two networks joined, by QNWINFO alone",
        "Quectel",
        "RM502Q-AE",
        {
            "AT+QNWINFO": [
                '+QNWINFO: "FDD LTE","51503","LTE BAND 1",150',
                '+QNWINFO: "TDD NR5G","51503","NR5G BAND 41",528030',
            ]
        },
        {"access_technology": "nr_nsa", "operator": "51503"},
    ),
    (
        "NSA in one word",
        "Quectel",
        "RM502Q-AE",
        {"AT+QNWINFO": ['+QNWINFO: "NR5G-NSA","51503","NR5G BAND 41",528030']},
        {"access_technology": "nr_nsa", "band": "n41"},
    ),
    (
        "LTE-M by its old name",
        "Quectel",
        "BG96",
        {"AT+QNWINFO": ['+QNWINFO: "CAT-M1","310410","LTE BAND 12",5110']},
        {"access_technology": "lte_m", "band": "B12"},
    ),
    (
        "QCSQ tells both of joined networks",
        "Quectel",
        "RM502Q-AE",
        {"AT+QCSQ": ['+QCSQ: "LTE",-60,-91,150,-11', '+QCSQ: "NR5G",-85,12,-11']},
        {"rsrp_dbm": -91, "nr_rsrp_dbm": -85, "nr_sinr_db": 12, "sinr_db": 10},
    ),
    (
        "QCSQ on 3G",
        "Quectel",
        "EC25",
        {"AT+QCSQ": ['+QCSQ: "WCDMA",-61,-63,-2']},
        {"rssi_dbm": -61, "rscp_dbm": -63, "ecio_db": -2},
    ),
    (
        "zeros are no powers",
        "SIMCOM",
        "SIM7600E",
        {"AT+CPSI?": ["+CPSI: LTE,Online,460-11,0x1,1,257,EUTRAN-BAND3,1850,5,5,0,0,0,0"]},
        {"rsrp_dbm": None, "rsrq_db": None, "rssi_dbm": None, "sinr_raw": None},
    ),
    (
        "5G in whole dBm",
        "SIMCOM",
        "SIM8262E",
        {"AT+CPSI?": ["+CPSI: NR5G_SA,Online,460-01,0x1,1,257,NR5G_BAND78,627264,-93,-11,12"]},
        {"nr_rsrp_dbm": -93, "nr_rsrq_db": -11, "nr_sinr_db": 12},
    ),
    (
        "joined networks in tenths",
        "SIMCOM",
        "SIM8200EA",
        {
            "AT+CPSI?": [
                "+CPSI: LTE,Online,460-11,0x1,1,257,EUTRAN-BAND3,1850,5,5,-178,-1089,-742,8",
                "+CPSI: NR5G_NSA,644,NR5G_BAND78,627264,-960,-110,125",
            ]
        },
        {
            "access_technology": "nr_nsa",
            "nr_rsrp_dbm": -96,
            "nr_rsrq_db": -11,
            "nr_sinr_db": 12.5,
            "rsrp_dbm": -108.9,
        },
    ),
    (
        "2G",
        "SIMCOM",
        "SIM7600E",
        {"AT+CPSI?": ["+CPSI: GSM,Online,460-01,0x1806,7,EGSM 900,-54,0,10-10"]},
        {"access_technology": "gsm", "rsrp_dbm": None},
    ),
    (
        "3G",
        "SIMCOM",
        "SIM7600E",
        {"AT+CPSI?": ["+CPSI: WCDMA,Online,460-01,0x1,1,WCDMA IMT 2000,279,10663,0,1.5,62,33,52,500"]},
        {"access_technology": "umts", "rscp_dbm": None},
    ),
    (
        "switched off radio",
        "SIMCOM",
        "SIM7600E",
        {"AT+CPSI?": ["+CPSI: NO SERVICE,Low Power Mode"]},
        {"access_technology": None},
    ),
    (
        "a Sierra of the older form",
        "Sierra Wireless, Incorporated",
        "MC7304",
        {
            "AT!GSTATUS?": [
                "!GSTATUS:",
                "Current Time:  57               Temperature: 33",
                "Bootup Time:   1                Mode:        ONLINE",
                "System mode:   LTE              PS state:    Attached",
                "LTE band:      B7               LTE bw:      20 MHz",
                "LTE Rx chan:   3350             LTE Tx chan: 21350",
                "EMM state:     Registered       Normal Service",
                "RRC state:     RRC Idle",
                "RSSI (dBm):    -61              Tx Power:    0",
                "RSRP (dBm):    -91              TAC:         0000 (0)",
                "RSRQ (dB):     -11              Cell ID:     00000000 (0)",
                "SINR (dB):     10.4",
            ]
        },
        {
            "rssi_dbm": -61,
            "rsrp_dbm": -91,
            "rsrq_db": -11,
            "sinr_db": 10.4,
            "band": "B7",
            "channel": 3350,
            "temperature_c": 33,
        },
    ),
    (
        "a Sierra with two carriers: the first counts",
        "Sierra Wireless, Incorporated",
        "EM7565",
        {
            "AT!GSTATUS?": [
                "Current Time:  7846\t\tTemperature: 46",
                "System mode:   LTE        \tPS state:    Attached     ",
                "LTE band:      B3     \t\tLTE bw:      20 MHz  ",
                "LTE Rx chan:   1300\t\tLTE Tx chan: 19300",
                "LTE SSC1 state:INACTIVE\t\tLTE SSC1 band: B7     ",
                "LTE SSC1 bw  : 20 MHz\t\tLTE SSC1 chan: 3350",
                "PCC RxM RSSI:  -62\t\tPCC RxM RSRP:  -91",
                "PCC RxD RSSI:  -64\t\tPCC RxD RSRP:  -94",
                "SCC1 RxM RSSI: -70\t\tSCC1 RxM RSRP:  -99",
                "Tx Power:      --\t\tTAC:         0000 (0)",
                "RSRQ (dB):     -9.9\t\tCell ID:     00000000 (0)",
                "SINR (dB):     12.2",
            ]
        },
        {
            "rssi_dbm": -62,
            "rsrp_dbm": -91,
            "rsrq_db": -9.9,
            "sinr_db": 12.2,
            "band": "B3",
            "channel": 1300,
            "temperature_c": 46,
        },
    ),
    (
        "a Sierra without signal",
        "Sierra Wireless, Incorporated",
        "EM7565",
        {
            "AT!GSTATUS?": [
                "Temperature: -5",
                "System mode:   LTE",
                "PCC RxM RSSI:  --  PCC RxM RSRP:  --",
                "RSRQ (dB):     --",
                "SINR (dB):     --",
            ]
        },
        {"rssi_dbm": None, "rsrp_dbm": None, "rsrq_db": None, "sinr_db": None, "temperature_c": -5},
    ),
    (
        "Huawei tells both of joined networks",
        "huawei",
        "MH5000-31",
        {"AT^HCSQ?": ['^HCSQ: "LTE",40,45,150,20', '^HCSQ: "NR",61,150,23']},
        {"access_technology": "nr_nsa", "rsrp_dbm": -96, "nr_rsrp_dbm": -80, "nr_sinr_db": 9.8},
    ),
    (
        "Huawei on 2G",
        "huawei",
        "E3372",
        {"AT^HCSQ?": ['^HCSQ:"GSM",36']},
        {"access_technology": "gsm", "rssi_dbm": -85},
    ),
    (
        "a SIM that the network takes for no data",
        "huawei",
        "ME909",
        {"AT^SYSINFOEX": ['^SYSINFOEX:1,0,0,3,,6,"LTE",101,"LTE"']},
        {"sim_ready": None, "access_technology": "lte", "state": None},
    ),
    (
        "Telit on 2G with as many parts as LTE has",
        "Telit",
        "LE910",
        {"AT#RFSTS": ['#RFSTS: "250 99",75,-76,2718,00,5,1,0,2,A1,"000000000000000","Beeline",3,4,1,1,0']},
        {"rsrp_dbm": None, "rsrq_db": None, "rssi_dbm": None},
    ),
    (
        "Telit on 3G",
        "Telit",
        "HE910",
        {
            "AT#RFSTS": [
                '#RFSTS: "262 25",1017,46,-4.5,-95,-91,01,01,,64,19,1,2,,A1,"000000000000000","O2",3,5'
            ]
        },
        {"rsrp_dbm": None, "rssi_dbm": None},
    ),
    (
        "MediaTek on joined networks",
        "Fibocom",
        "FM350-GL",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO:",
                "1,4,310,260,79,1D,66786,31,166,100,20,47,47,20",
                "1,9,310,260,79,1D,504990,1F,5041,40,40,83,83,64",
            ]
        },
        {"access_technology": "nr_nsa", "rsrp_dbm": -94, "nr_rsrp_dbm": -74},
    ),
    (
        "an unsolicited report with a short area",
        "ACME",
        "M1",
        {"AT+CREG?": ['+CREG: 5,"1","A1",7', "+CREG: 0,2"]},
        {"registered": False},
    ),
    (
        "an unsolicited report without quotes",
        "ACME",
        "M1",
        {"AT+CREG?": ["+CREG: 1,2,A13F", "+CREG: 0,1"]},
        {"registered": True},
    ),
    (
        "an unsolicited report behind the answer",
        "ACME",
        "M1",
        {"AT+CEREG?": ["+CEREG: 0,1", '+CEREG: 2,"12","13",7']},
        {"registered": True, "roaming": False},
    ),
    ("no such state", "ACME", "M1", {"AT+CREG?": ["+CREG: 0,12"]}, {"registered": None}),
    ("a state as no modem has", "ACME", "M1", {"AT+CREG?": ["+CREG: 9,1"]}, {"registered": None}),
    (
        "a long list of slices",
        "ACME",
        "M1",
        {"AT+C5GREG?": ['+C5GREG: 2,1,"114000","100072000",11,49,"01.010101:02.020202:03.030303"']},
        {"registered": True, "access_technology": "nr_sa"},
    ),
    (
        "a cause behind",
        "ACME",
        "M1",
        {"AT+CEREG?": ['+CEREG: 3,3,"FFFE","FFFFFFF",7,0,15']},
        {"registered": False, "state": "denied"},
    ),
    (
        "PIN2 locks no data",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CPIN: SIM PIN2"], "AT+CREG?": ["+CREG: 0,1"]},
        {"sim_ready": True, "state": "ok"},
    ),
    (
        "a SIM that is starting",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CPIN: NOT READY"]},
        {"sim_ready": None, "state": None},
    ),
    (
        "no SIM, as a state",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CPIN: NOT INSERTED"]},
        {"sim_ready": False, "state": "sim_missing"},
    ),
    (
        "a report in front of the answer",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CPIN: NOT READY", "+CPIN: READY"]},
        {"sim_ready": True},
    ),
    ("PUK, in words", "ACME", "M1", {"AT+CPIN?": ["+CME ERROR: SIM PUK required"]}, {"state": "sim_locked"}),
    (
        "a lock of the network, as a number",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CME ERROR: 40"]},
        {"state": "sim_locked"},
    ),
    (
        "no SIM, shouted",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CME ERROR: SIM NOT INSERTED"]},
        {"state": "sim_missing"},
    ),
    (
        "no SIM, of the other kind of error",
        "ACME",
        "M1",
        {"AT+CPIN?": ["+CMS ERROR: 310"]},
        {"state": "sim_missing"},
    ),
    ("PIN2 as an error", "ACME", "M1", {"AT+CPIN?": ["+CME ERROR: 17"]}, {"state": None}),
    ("blanks before the number", "ACME", "M1", {"AT+CPIN?": ["+CME ERROR:   10"]}, {"state": "sim_missing"}),
    (
        "all unknown",
        "ACME",
        "M1",
        {"AT+CSQ": ["+CSQ: 99,99"], "AT+CESQ": ["+CESQ: 99,99,255,255,255,255,255,255,255"]},
        {"rssi_dbm": None, "rsrp_dbm": None, "nr_rsrp_dbm": None, "nr_sinr_db": None},
    ),
    ("TD-SCDMA unknown", "ACME", "M1", {"AT+CSQ": ["+CSQ: 199,99"]}, {"rssi_dbm": None}),
    (
        "figures out of every range",
        "ACME",
        "M1",
        {"AT+CSQ": ["+CSQ: 55,99"], "AT+CESQ": ["+CESQ: 99,99,97,50,35,98,127,127,128"]},
        {"rssi_dbm": None, "rsrp_dbm": None, "nr_rsrp_dbm": None, "rscp_dbm": None},
    ),
    (
        "only a link-local address",
        "ACME",
        "M1",
        {"AT+CGPADDR": ['+CGPADDR: 1,"254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1"']},
        {"ipv6": False, "ipv4": False},
    ),
    (
        "a number where bytes are",
        "Quectel",
        "EC25",
        {"AT+QGDCNT?": ["+QGDCNT: 001010123456789,250017000000123"]},
        {"tx_bytes": None, "rx_bytes": None},
    ),
]


CASES += [
    (
        "Qualcomm's headings mean that channels are hexadecimal",
        "Fibocom",
        "FM150-AE",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO:",
                "LTE service cell:",
                "1,4,262,02,1,1,1194,30,120,50,16,43,43,26",
                "LTE neighbor cell:",
                "2,4,,,,,64,EA,,12,12,10",
            ]
        },
        {"channel": None, "band": "B20", "rsrp_dbm": -98, "rsrq_db": -7, "access_technology": "lte"},
    ),
    (
        "MediaTek on joined networks has band and channel of 5G together",
        "Fibocom",
        "FM350-GL",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO:",
                "1,4,250,1,1,1,1725,223,103,50,6,61,61,18",
                "1,9,,,FFFFFFF,00FFFFFFF,723330,143,5079,500,13,67,67,80",
            ]
        },
        {"band": "n79", "channel": 723330, "rsrp_dbm": -80, "nr_rsrp_dbm": -90, "nr_rsrq_db": -3.5},
    ),
    (
        "MediaTek on 5G alone",
        "Fibocom",
        "FM350-GL",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO: ",
                "1,9,460,11,1,1,176200,524,505,75,6,58,58,73",
                "2,9,,,FFFFFFF,1,627264,420,,396,396,60",
            ]
        },
        {"band": "n5", "channel": 176200, "nr_rsrp_dbm": -99, "nr_rsrq_db": -7},
    ),
    (
        "Telit with a part less before the IMSI",
        "Telit",
        "LE910C4-EU",
        {
            "AT#RFSTS": [
                '#RFSTS: "286 01",1795,-101,-67,-15,22,,128,3,1,0B,"000000000000000","Turkcell",3,3,108'
            ]
        },
        {"rsrp_dbm": -101, "rssi_dbm": -67, "rsrq_db": -15, "operator": "Turkcell", "band": "B3"},
    ),
    (
        "Telit on 2G, as captured",
        "Telit",
        "HE910",
        {"AT#RFSTS": ['#RFSTS: "204 04",1001,-80,00DE,01,5,19,10,2,98,"000000000000000","vodafone NL",1,2']},
        {"rsrp_dbm": None, "band": None, "operator": None},
    ),
    (
        "Telit without a network",
        "Telit",
        "HE910",
        {"AT#RFSTS": ['#RFSTS: ,1001,-77,00DE,01,5,19,10,2,98,"000000000000000","",0,2']},
        {"rsrp_dbm": None, "operator": None},
    ),
    (
        "5G with its mode in full",
        "Quectel",
        "RM520N-GL",
        {"AT+QCSQ": ['+QCSQ: "NR5G-SA",-83,18,-11']},
        {"nr_rsrp_dbm": -83, "nr_sinr_db": 18, "nr_rsrq_db": -11},
    ),
    (
        "5G with an RSSI in front",
        "Quectel",
        "RG650E-EU",
        {
            "AT+QCSQ": ['+QCSQ: "NR5G-SA",-51,-80,2,-11'],
            "AT+QNWINFO": ['+QNWINFO: "NR5G-SA","310260","NR5G BAND 41",516270'],
        },
        {"nr_rsrp_dbm": -80, "nr_sinr_db": 2, "nr_rsrq_db": -11, "access_technology": "nr_sa"},
    ),
    (
        "5G with a fourth figure that nobody knows",
        "Quectel",
        "RM500Q-GL",
        {"AT+QCSQ": ['+QCSQ: "NR5G",-85,-12,30,-']},
        {"nr_rsrp_dbm": None, "nr_sinr_db": None},
    ),
    (
        "NB-IoT by satellite",
        "Quectel",
        "CC660D-LS",
        {
            _QENG: [
                '+QENG: "servingcell","LIMSRV","NTN NBIoT","FDD",901,98,1,9,768,23,0,0,7D,-123,-14,-108,85,17'
            ]
        },
        {"access_technology": "nb_iot", "rsrp_dbm": -123, "rsrq_db": -14, "meaning": "weak_signal"},
    ),
    (
        "more parts behind on 5G alone",
        "Quectel",
        "RG200U-CN",
        {
            _QENG: [
                '+QENG: "servingcell","LIMSRV","NR5G-SA","TDD",460,00,3,35,16,504990,41,100,-84,-2,8,0,35,1'
            ]
        },
        {"nr_rsrp_dbm": -84, "nr_rsrq_db": -2, "nr_sinr_db": 8, "band": "n41", "channel": 504990},
    ),
    (
        "3G of limited service",
        "Quectel",
        "EC20",
        {_QENG: ['+QENG: "servingcell","LIMSRV","WCDMA",460,01,A5,1E,10763,60,2,-106,-13,-,-,-,-,-']},
        {"rscp_dbm": -106, "ecio_db": -13, "channel": 10763, "access_technology": "umts"},
    ),
    (
        "joined networks of early firmware",
        "SIMCOM",
        "SIM8200EA",
        {
            "AT+CPSI?": [
                "+CPSI: LTE,Online,460-11,0x1,1,257,EUTRAN-BAND3,1850,5,5,-94,-850,-545,15",
                "+CPSI: NR5G_NSA,58,643296,-12,-86,8.5",
            ]
        },
        {"access_technology": "nr_nsa", "nr_rsrp_dbm": -86, "nr_rsrq_db": -12, "rsrp_dbm": -85, "band": "B3"},
    ),
    (
        "a Sierra on 5G alone",
        "Sierra Wireless, Incorporated",
        "EM9191",
        {
            "AT!GSTATUS?": [
                "Current Time:  423212         Temperature: 36",
                "System mode:   NR5G           PS state:    Not attached",
                "NR5G TAC:        000000       NR5G Cell ID:    000000000 (0)",
                "NR5G band:       n41          NR5G Carrier ID: 0",
                "NR5G Rx chan:    521232",
                "NR5G RSRP (dBm): -104        NR5G RSRQ (dB):  -15",
                "NR5G SINR (dB):   0.5",
            ]
        },
        {"access_technology": "nr_sa", "nr_rsrp_dbm": -104, "nr_rsrq_db": -15, "nr_sinr_db": 0.5}
        | {"band": "n41", "channel": 521232, "rsrp_dbm": None, "rsrq_db": None},
    ),
    (
        "a Sierra that could join 5G and has not",
        "Sierra Wireless, Incorporated",
        "EM9191",
        {
            "AT!GSTATUS?": [
                "Current Time:  675              Temperature: 32",
                "System mode:   LTE              PS state:    Attached",
                "LTE band:      B7               LTE bw:      20 MHz",
                "LTE Rx chan:   3350             LTE Tx chan: 21350",
                "PCC RxM RSSI:  -46              PCC RxM RSRP:  -72",
                "PCC RxM1 RSSI:  -67             PCC RxM1 RSRP:  -101",
                "RSRQ (dB):     -6.0             Cell ID:     00000000 (0)",
                "SINR (dB):     25.4",
                "NR5G band:       ---            NR5G bw:         ---",
                "NR5G Rx chan:    ---            NR5G Tx chan:    ---",
                "NR5G RSRP (dBm): ---            NR5G RSRQ (dB):  ---",
                "NR5G SINR (dB):  ---",
            ]
        },
        {"access_technology": "lte", "rsrp_dbm": -72, "rssi_dbm": -46, "rsrq_db": -6, "sinr_db": 25.4}
        | {"nr_rsrp_dbm": None, "nr_sinr_db": None, "band": "B7", "channel": 3350},
    ),
    (
        "Cinterion with a half of a dB",
        "Cinterion",
        "PLS62-W",
        {"AT^SMONI": ["^SMONI: 4G,3725,8,5,5,FDD,525,01,02,B5,396,37,-82,-12.5,NOCONN"]},
        {"rsrp_dbm": -82, "rsrq_db": -12.5, "band": "B8"},
    ),
    (
        "Cinterion on 3G with dashes",
        "Cinterion",
        "PHS8-P",
        {"AT^SMONI": ["^SMONI: 3G,10737,131,-5,-93,260,01,7D,C8,--,--,----,---,-,-5,-93,0,01,06"]},
        {"rscp_dbm": -93, "ecio_db": -5},
    ),
    (
        "Cinterion on 2G",
        "Cinterion",
        "EHS6",
        {"AT^SMONI": ["^SMONI: 2G,71,-61,262,02,0143,83BA,33,33,3,6,G,NOCONN"]},
        {"rscp_dbm": None, "rsrp_dbm": None},
    ),
    (
        "MediaTek without a band",
        "Fibocom Wireless Inc.",
        "FM350-GL",
        {
            "AT+GTCCINFO?": [
                "+GTCCINFO:",
                "1,4,262,2,1A,12,100,42,,,-7,29,29,4",
                "2,4,,,FFFF,00FFFFFFF,9460,71,,43,43,10",
            ],
            "AT+CESQ": ["+CESQ: 17,99,255,255,4,29,75,52,57"],
        },
        {
            "rsrp_dbm": -112,
            "rsrq_db": -18,
            "band": None,
            "channel": 100,
            "nr_rsrp_dbm": -105,
            "nr_sinr_db": 5,
        },
    ),
    (
        "a Cinterion that is called Telit now",
        "Telit Cinterion",
        "PLS63-W",
        {"AT^SMONI": ["^SMONI: 4G,3725,8,5,5,FDD,525,01,02,B5,396,37,-82,-12.5,NOCONN"]},
        {"driver": "telit_at", "rsrp_dbm": -82, "rsrq_db": -12.5, "band": "B8"},
    ),
    (
        "an EC200 whose other sensors are none",
        "Quectel",
        "EC200T",
        {"AT+QTEMP": ["+QTEMP: 38,255,255"]},
        {"temperature_c": 38},
    ),
    (
        "Huawei's many sensors",
        "huawei",
        "MT5700M",
        {"AT^CHIPTEMP?": ["^CHIPTEMP: 432,445,451,398,401,407,441,442,449,0,65535,448"]},
        {"temperature_c": 45.1},
    ),
]


@pytest.mark.parametrize(
    ("maker", "model", "answers", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_strange_answer_gives_only_what_is_sure(
    maker: str, model: str, answers: dict[str, list[str]], expected: dict[str, Any]
) -> None:
    (fields,) = read(maker, model, answers).fields
    found = dataclasses.asdict(fields)
    assert {name: found[name] for name in expected} == expected


def prefix_of(command: str) -> str:
    return command.removeprefix("AT").partition("=")[0].rstrip("?")


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize(
    "maker", ["Quectel", "SIMCOM", "Sierra", "huawei", "Telit", "Fibocom", "Cinterion", "ACME"]
)
def test_no_private_number_gets_through_whatever_answer_holds_it(maker: str, private: str) -> None:
    """Alone, as every part of the answer of every command, and as maker, model or firmware."""
    digits = re.sub(r"\D", "", private)
    for command in sorted(READ_ONLY):
        p = prefix_of(command)
        for line in (private, f"{p}: {private}", f'{p}: "{private}"', f"{p}: {','.join([private] * 20)}"):
            for mode in ('"LTE",', '"servingcell","NOCONN","LTE","FDD",'):
                lines = [line, line.replace(f"{p}: ", f"{p}: {mode}")]
                told = repr(read(maker, "RM500Q", {command: lines}))
                assert private not in told, (command, line)
                assert digits not in re.sub(r"[ -]", "", told), (command, line)


@pytest.mark.parametrize("private", PRIVATE)
def test_no_private_number_is_in_a_recording(private: str) -> None:
    for line in (
        private,
        f'"{private}"',
        f"1,{private},2",
        f"IMEI: {private}",
        f"SN:{private}",
        f"x {private} y",
    ):
        kept = scrubbed(line)
        assert private not in kept
        assert re.sub(r"\D", "", private) not in re.sub(r"[ -]", "", kept)


CELLS = [
    (
        "+CPSI: LTE,Online,460-11,0x5A1E,187214780,257,EUTRAN-BAND3,1850,5,5,-178,-1089,-742,8",
        ("5A1E", "187214780"),
    ),
    (
        "+CPSI: NR5G_SA,Online,460-01,0x5A1E,46187214,257,NR5G_BAND78,627264,-930,-110,120",
        ("5A1E", "46187214"),
    ),
    ("^SMONI: 4G,6300,20,10,10,FDD,262,02,BF75,0345103,350,33,-94,-7,NOCONN", ("BF75", "0345103")),
    (
        '#RFSTS: "310 260",66786,-101,-68,-13,2D18,255,,640,1,0,3089F02,"0","T-Mobile",3,66',
        ("2D18", "3089F02"),
    ),
    ("1,4,310,260,7914,1D2E3F,66786,31,166,100,20,47,47,20", ("7914", "1D2E3F")),
    (
        '+QENG: "servingcell","NOCONN","LTE","FDD",216,30,C0FFEE1,256,1500,3,5,5,4BBD,-82,-9,-52,19,15',
        ("C0FFEE1", "4BBD"),
    ),
    (
        '+QENG: "servingcell","NOCONN","NR5G-SA","TDD",310,260,18666712F,335,794E00,516270,41,12,-75,-11,5,1',
        ("18666712F", "794E00"),
    ),
    ('+QENG: "servingcell","NOCONN","WCDMA",460,00,7D1E,12A34,10663,128,1,-75,-6', ("7D1E", "12A34")),
    ('+C5GREG: 2,1,"114000","100072000",11,4,"01.010101"', ("114000", "100072000")),
]


@pytest.mark.parametrize(("line", "places"), CELLS)
def test_no_cell_is_in_a_recording_and_its_powers_are(line: str, places: tuple[str, ...]) -> None:
    kept = scrubbed(line)
    assert not any(place in kept for place in places), kept
    assert line[-12:] == kept[-12:] or "C5GREG" in line


def test_modem_manager_tells_no_private_number() -> None:
    for private in PRIVATE:
        told = {
            "generic": {"manufacturer": private, "model": private, "revision": private},
            "3gpp": {"operator-name": private, "imei": private, "registration-state": private},
            "signal": {"lte": {"rsrp": private, "snr": private}},
        }
        found = repr(managed_reading(json.loads(json.dumps(told)), "lte"))
        assert private not in found
        assert re.sub(r"\D", "", private) not in re.sub(r"[ -]", "", found)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("home-csfb-not-preferred", (True, False, "connected")),
        ("roaming-csfb-not-preferred", (True, True, "connected")),
        ("home-sms-only", (True, False, "connected")),
        ("emergency-only", (False, None, "no_signal")),
        ("unknown", (None, None, None)),
    ],
)
def test_a_registration_of_modem_manager_is_understood(said: str, expected: tuple[Any, ...]) -> None:
    (fields,) = managed_reading({"3gpp": {"registration-state": said}}, "lte").fields
    assert tuple(getattr(fields, name) for name in ("registered", "roaming", "meaning")) == expected


def test_a_lock_of_the_network_is_a_lock_for_modem_manager() -> None:
    reading = managed_reading({"generic": {"unlock-required": "ph-net-pin"}}, "lte")
    assert reading.meanings == ("sim_locked",)


@pytest.mark.parametrize(
    "urc",
    [
        "APP RDY",
        "SMS Ready",
        "_OSIGQ: 3,0",
        "UNDER-VOLTAGE WARNNING",
        "^MODE:5,4",
        "+ZUSIMR:2",
        "*ATREADY: 1",
        "POWERED DOWN",
        "Call Ready",
    ],
)
def test_what_nobody_asked_is_no_name(urc: str) -> None:
    reply = Exchange("AT+CGMM").feed(f"\r\n{urc}\r\n\r\nEC25\r\n\r\nOK\r\n".encode())
    assert reply is not None
    assert reply.lines == ("EC25",)


def test_a_number_in_front_of_a_name_costs_not_the_name() -> None:
    (fields,) = read("Quectel", "EC25", {"AT+CGMI": [PRIVATE[0], "Quectel"]}).fields
    assert getattr(fields, "driver", None) == "quectel_at"


REPORTS = ["RING", "+CREG: 1", '+CREG: 2,"00C3","A13F",7', "^RSSI:18", '^HCSQ:"LTE",1,2,3,4', "RDY", ""]
REPORTS += ["+QIND: SMS DONE", '+CMTI: "ME",3']


@given(st.lists(st.sampled_from(REPORTS), max_size=5), st.integers(1, 9))
def test_reports_between_change_no_answer(between: list[str], size: int) -> None:
    said = "".join(f"\r\n{line}\r\n" for line in [*between, "+CREG: 0,1", "OK"]).encode()
    exchange, reply = Exchange("AT+CREG?"), None
    for at in range(0, len(said), size):
        reply = exchange.feed(said[at : at + size]) or reply
    assert reply is not None
    answer = [f"+CREG: {line}" for line in reply.lines]
    (fields,) = read("ACME", "M1", {"AT+CREG?": answer}).fields
    assert getattr(fields, "registered", None) is True
