# SPDX-License-Identifier: Apache-2.0
"""Is the answer to a command told from all else that comes, in pieces of any size?"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.protocols.at_commands import READ_ONLY, NotAllowed, encoded
from tests.drivers.transcript import NAMES, load

_NEVER = re.compile(
    r"CFUN|COPS=|CGDCONT|QCFG|QPOWD|RESET|CPIN=|CLCK|&|CIMI|CGSN|CCID|CNUM|DIAL|D\d|ENTERCND|QGDCNT="
)
_NOISE = (b"\r\nRING\r\n", b"\r\n+CREG: 1\r\n", b"\r\n^RSSI:18\r\n", b"\r\n\xff\x80\r\n", b"\r\n\r\n")


def fed(command: str, data: bytes, size: int) -> Reply | None:
    exchange = Exchange(command)
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return next((reply for piece in pieces if (reply := exchange.feed(piece))), None)


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_is_the_same_in_pieces_of_any_size(name: str) -> None:
    recorded = load(name)
    for command in recorded.answers:
        data = recorded.bytes_of(command)
        assert fed(command, data, 1) == fed(command, data, 7) == recorded.ask(command)


@pytest.mark.parametrize("name", NAMES)
def test_echo_and_unsolicited_lines_change_no_answer(name: str) -> None:
    recorded = load(name)
    for command in recorded.answers:
        if command in {"AT+CREG?", "AT^HCSQ?"}:
            continue  # Those come unsolicited in the same form: the driver tells them apart.
        noise = b"".join(_NOISE)
        data = command.encode() + b"\r" + noise + recorded.bytes_of(command)
        told, clean = fed(command, data, 3), recorded.ask(command)
        assert told is not None
        assert (told.lines, told.error) == (clean.lines, clean.error)
        assert told.unsolicited >= 3
        assert told.damaged == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\r\nOK\r\n", None),
        (b"\r\nERROR\r\n", "ERROR"),
        (b"\r\n+CME ERROR: 10\r\n", "10"),
        (b"\r\n+CME ERROR: SIM not inserted\r\n", "SIM not inserted"),
        (b"\r\nCOMMAND NOT SUPPORT\r\n", "COMMAND NOT SUPPORT"),
        (b"AT+CSQ\r\r\n+CSQ: 1,99\r\n\r\nOK\r\n\r\nRING\r\n", None),
    ],
)
def test_how_a_command_ended(data: bytes, error: str | None) -> None:
    reply = fed("AT+CSQ", data, 100)
    assert reply is not None
    assert reply.error == error


@pytest.mark.parametrize("data", [b"", b"\r\nO", b"\r\n+CME ERROR:\r\n", b"\r\nRING\r\n", b"OK"])
def test_what_is_no_end_is_waited_for(data: bytes) -> None:
    assert fed("AT+CSQ", data, 100) is None


def test_a_prompt_for_text_asks_to_be_left() -> None:
    exchange = Exchange("AT+CSQ")
    assert exchange.feed(b"\r\n> ") is None
    assert exchange.wants_escape


def test_a_line_without_end_takes_no_memory() -> None:
    exchange = Exchange("AT+CSQ")
    for _ in range(1000):
        assert exchange.feed(b"x" * 1000) is None
    reply = exchange.feed(b"\r\n+CSQ: 7,99\r\nOK\r\n")
    assert reply is not None
    assert reply.lines == ("7,99",)
    assert reply.damaged > 0


@given(
    st.lists(st.sampled_from([b"\r\n", b"OK", b"+CSQ: 1,99", b"\x00", b"ERROR", b"A", b": "]), max_size=30)
)
def test_any_bytes_give_the_same_whole_and_one_by_one(words: list[bytes]) -> None:
    data = b"".join(words)
    assert fed("AT+CSQ", data, 1) == fed("AT+CSQ", data, len(data) or 1)


def test_nothing_that_changes_a_setting_or_asks_for_a_number_is_on_the_list() -> None:
    print(f"\n{len(READ_ONLY)} commands may be sent")
    assert [command for command in READ_ONLY if _NEVER.search(command)] == []
    assert all(command.isascii() and command.startswith("AT") for command in READ_ONLY)
    assert {c for c in READ_ONLY if "=" in c} == {"AT+CMEE=1", 'AT+QENG="servingcell"'}


@pytest.mark.parametrize(
    "command", ["AT+CFUN=1,1", "AT+CIMI", "AT+CSQ;+CFUN=0", "at+csq", "AT+CSQ\r", "ATI", ""]
)
def test_anything_else_cannot_be_sent(command: str) -> None:
    with pytest.raises(NotAllowed, match="not on the list"):
        encoded(command)
