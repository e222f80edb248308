# SPDX-License-Identifier: Apache-2.0
"""Which AT commands may ever be sent? These, to the letter, and nothing else.

Each of them only asks, but for three that choose how answers look and are forgotten with the next start of
the modem (no echo, words, numeric errors). Commands that ask for a person's or a device's number (CIMI, CGSN,
CCID, CNUM) are not among them.
"""

from __future__ import annotations

READ_ONLY: frozenset[str] = frozenset(
    {
        "AT",
        "ATE0",
        "ATV1",
        "AT+CMEE=1",
        # 3GPP TS 27.007
        "AT+CGMI",
        "AT+CGMM",
        "AT+CGMR",
        "AT+CPIN?",
        "AT+CSQ",
        "AT+CESQ",
        "AT+CREG?",
        "AT+CGREG?",
        "AT+CEREG?",
        "AT+C5GREG?",
        "AT+COPS?",
        "AT+CGATT?",
        "AT+CGPADDR",
        # Quectel
        'AT+QENG="servingcell"',
        "AT+QCSQ",
        "AT+QNWINFO",
        "AT+QTEMP",
        "AT+QGDCNT?",
        # SIMCom
        "AT+CPSI?",
        "AT+CPMUTEMP",
        # Sierra Wireless
        "AT!GSTATUS?",
        # Huawei
        "AT^HCSQ?",
        "AT^SYSINFOEX",
        "AT^CHIPTEMP?",
        # Telit
        "AT#RFSTS",
        "AT#QSS?",
        # Fibocom and others on MediaTek, Intel XMM, Cinterion
        "AT+GTCCINFO?",
        "AT+XCESQ?",
        "AT^SMONI",
    }
)

WAKE = b"\r"
"""Ends what half a line may have been left by somebody else."""
ESCAPE = b"\x1b"
"""Leaves a prompt for text without sending any."""


class NotAllowed(ValueError):
    """Somebody wanted to send what might change a setting."""


def encoded(command: str) -> bytes:
    """The bytes of a command.

    Raises:
        NotAllowed: it is not on the list.
    """
    if command not in READ_ONLY:
        raise NotAllowed(f"{command!r} is not on the list of commands that only ask")
    return command.encode("ascii") + b"\r"
