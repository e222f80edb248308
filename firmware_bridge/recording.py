# SPDX-License-Identifier: Apache-2.0
"""How does a contributor record what a device answers, so that a driver can be tested without it?

Each in the form that the tests read (`tests/drivers/fixtures/`), with nothing that names a person, a SIM, a
device or a place. A modem: `> AT+CSQ` begins an exchange, each `< …` is a line of the answer; every command
of the list is asked once. Others: as their own tools show it, only what a driver may read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from firmware_bridge.drivers import apcupsd, nut, starlink
from firmware_bridge.drivers.at_modem import AtLink
from firmware_bridge.drivers.vedirect import LABELS
from firmware_bridge.protocols.at_commands import READ_ONLY
from firmware_bridge.protocols.nmea import Sentence, Sentences, checksum
from firmware_bridge.protocols.protobuf import Message
from firmware_bridge.protocols.vedirect import Block, Blocks
from firmware_bridge.reading import DeviceFailed, Unanswered
from firmware_bridge.scrubbing import scrubbed

_PLACES: Mapping[str, tuple[int, ...]] = {"RMC": (3, 5), "GGA": (2, 4), "GSA": (), "ZDA": ()}
"""Fields with degrees, by the types of sentences that are kept."""
_HEIGHTS: Mapping[str, tuple[int, ...]] = {"GGA": (9, 11)}
_NUT_KEPT = re.compile(
    r"(?:battery|input|output)\.[a-z.]+|ups\.(?:status|load|realpower|power|alarm|temperature|firmware|mfr|model)"
    r"|device\.(?:mfr|model|type)|driver\.(?:name|version)"
)
_ROUNDS = 3


def record(link: AtLink) -> Iterator[str]:
    """Lines of a modem's recording; a question that is not answered stands there without an answer.

    Raises:
        DeviceFailed: the port went away.
    """
    for command in sorted(READ_ONLY):
        yield f"> {command}"
        try:
            reply = link.ask(command)
        except Unanswered:
            continue
        prefix = _prefix(command)
        # What stands before a line says where in it a cell is.
        yield from (f"< {scrubbed(prefix + line)}" for line in reply.lines)
        yield f"< {_end(reply.error)}"


def record_vedirect(pieces: Iterable[bytes]) -> Iterator[str]:
    """Blocks as lines, an empty line between two, until one begins as an earlier one did."""
    blocks, heads = Blocks(), set[str]()
    for piece in pieces:
        for block in blocks.feed(piece):
            head = next(iter(block))
            if head in heads:
                return
            if heads:
                yield ""
            heads.add(head)
            yield from _block_lines(block)


def _block_lines(block: Block) -> Iterator[str]:
    for label, value in block.items():
        yield f"{label}\t{scrubbed(value)}" if label in LABELS else f"{label}\t---"


def record_nmea(pieces: Iterable[bytes]) -> Iterator[str]:
    """Sentences of the types that are read, their positions zeros, for a few rounds."""
    sentences, rounds = Sentences(), 0
    for piece in pieces:
        for sentence in sentences.feed(piece):
            if sentence.type in _PLACES:
                yield _placeless(sentence)
            rounds += sentence.type == "RMC"
        if rounds >= _ROUNDS:
            return


def _placeless(sentence: Sentence) -> str:
    fields = list(sentence.fields)
    for at in (*_PLACES[sentence.type], *_HEIGHTS.get(sentence.type, ())):
        if at <= len(fields):
            fields[at - 1] = re.sub(r"\d", "0", fields[at - 1]).replace("-", "")
        if at in _PLACES[sentence.type] and at < len(fields):
            fields[at] = {"S": "N", "W": "E"}.get(fields[at], fields[at])
    body = ",".join([sentence.talker + sentence.type, *fields])
    return f"${body}*{checksum(body.encode()):02X}"


def record_nut(link: nut.Stream, ups: str) -> Iterator[str]:
    """Variables as `upsc` prints them, but for those that name a device or place.

    Raises:
        DeviceFailed: no answer.
    """
    for name, value in sorted(nut.variables(link, ups).items()):
        if _NUT_KEPT.fullmatch(name) and "serial" not in name:
            yield f"{name}: {scrubbed(value)}"


def record_apcupsd(link: nut.Stream) -> Iterator[str]:
    """Lines as `apcaccess` prints them; those that name a device or host are zeros.

    Raises:
        DeviceFailed: no answer.
    """
    for name, value in apcupsd.status(link).items():
        yield f"{name:<9}: {scrubbed(value) if name in apcupsd.LINES else re.sub(r'[A-Za-z0-9]', '0', value)}"


def record_starlink(link: starlink.Calls) -> Iterator[str]:
    """Fields by their path of numbers, only those that are read; a request without response is left out.

    Raises:
        DeviceFailed: no status.
    """
    yield "> get_status"
    yield from _fields(starlink.response(link, starlink.GET_STATUS, starlink.STATUS), starlink.STATUS_FIELDS)
    try:
        history = starlink.response(link, starlink.GET_HISTORY, starlink.HISTORY)
    except DeviceFailed:
        return
    yield "> get_history"
    yield from _fields(history, starlink.HISTORY_FIELDS)


def _fields(message: Message, known: Mapping[str, str]) -> Iterator[str]:
    for path, kind in known.items():
        _, *above, last = (int(number) for number in path.split("."))
        at: Message | None = message
        for number in above:
            at = None if at is None else at.message(number)
        value = None if at is None or last not in at else _value(at, last, kind)
        if value is not None:
            yield f"{path} {kind} {value}"


def _value(message: Message, number: int, kind: str) -> str | None:
    if kind == "reals":
        return " ".join(f"{real:g}" for real in message.reals(number) or ()) or None
    if kind == "text":
        return scrubbed(message.text(number) or "") or None
    value = message.whole(number) if kind == "whole" else message.real(number)
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _prefix(command: str) -> str:
    """As the modem writes it; bare answers have none."""
    if command in {"AT+CGMI", "AT+CGMM", "AT+CGMR", "AT!GSTATUS?", "AT+GTCCINFO?"}:
        return ""
    return command.removeprefix("AT").partition("=")[0].rstrip("?") + ": "


def _end(error: str | None) -> str:
    if error is None:
        return "OK"
    return error if error.isalpha() and error.isupper() else f"+CME ERROR: {scrubbed(error)}"
