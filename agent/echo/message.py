# SPDX-License-Identifier: Apache-2.0
"""How is a DNS question written and its answer read (RFC 1035 §4)?

Ninety lines instead of dnspython, whose message classes alone cost 6 MB of memory. Everything read comes from
strangers: lengths are checked, compression pointers may only point backwards, a name has at most 255 octets.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

NOERROR = 0
FORMERR = 1
SERVFAIL = 2
NXDOMAIN = 3
REFUSED = 5

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\.?$)(?:{_LABEL}\.)*{_LABEL}\.?", re.IGNORECASE)
"""Labels of 1 to 63 letters, digits, hyphens and underscores, 253 characters at most (RFC 1035 §2.3.4)."""

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!HHIH")
_IS_ANSWER = 0x8000
_IS_TRUNCATED = 0x0200
_RECURSION_DESIRED = 0x0100
_RCODE = 0x000F
_CLASS_IN = 1
_POINTER = 0xC0
_MAX_NAME = 255
_CNAME = 5

Name = tuple[bytes, ...]
"""Labels, the last one first to be delegated: `(b"www", b"example", b"org")`."""


class RecordType(IntEnum):
    """What is asked for."""

    A = 1
    AAAA = 28


_FAMILY = {RecordType.A: socket.AF_INET, RecordType.AAAA: socket.AF_INET6}
_LENGTH = {RecordType.A: 4, RecordType.AAAA: 16}


class BadMessage(ValueError):
    """These bytes are no answer to our question."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What a resolver answered.

    Attributes:
        answers: records in the answer section, as the header counts them.
        addresses: those of them that are addresses of the type asked for.
        truncated: it did not fit a datagram, so its addresses are not read.
    """

    rcode: int
    answers: int
    addresses: tuple[str, ...]
    truncated: bool = False


def is_host_name(name: str) -> bool:
    """Whether a resolver can be asked for this name."""
    return _HOST_NAME.fullmatch(name) is not None


def write_question(name: str, *, ident: int, kind: RecordType = RecordType.A) -> bytes:
    """One question in one datagram, recursion desired."""
    labels = name.rstrip(".").encode("ascii").split(b".")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(ident, _RECURSION_DESIRED, 1, 0, 0, 0) + encoded + _QUESTION.pack(kind, _CLASS_IN)


def read_answer(data: bytes, *, question: bytes, kind: RecordType = RecordType.A) -> DnsAnswer:
    """Read the answer to a question.

    Raises:
        BadMessage: malformed, or the answer to something else.
    """
    try:
        return _read(data, question, kind)
    except (struct.error, IndexError) as e:
        raise BadMessage("the message is cut short") from e


def _read(data: bytes, question: bytes, kind: RecordType) -> DnsAnswer:
    ident, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    if ident != _HEADER.unpack_from(question)[0] or not flags & _IS_ANSWER:
        raise BadMessage("not an answer to this question")
    at, rcode = _HEADER.size, flags & _RCODE
    if questions or rcode == NOERROR:
        at = _skip_question(data, question, questions)
    truncated = bool(flags & _IS_TRUNCATED)
    addresses = () if truncated else _addresses(data, question, at, answers, kind)
    return DnsAnswer(rcode, answers, addresses, truncated)


def _skip_question(data: bytes, question: bytes, questions: int) -> int:
    """An answer repeats the question, if need be in another case; only some errors leave it out."""
    if questions != 1 or data[_HEADER.size : len(question)].lower() != question[_HEADER.size :].lower():
        raise BadMessage("the answer is to another question")
    return len(question)


def _addresses(data: bytes, question: bytes, at: int, answers: int, kind: RecordType) -> tuple[str, ...]:
    """Those of the name asked for, or of what it is an alias of; of any other name nobody asked."""
    found: list[tuple[Name, str]] = []
    aliases: dict[Name, Name] = {}
    for _ in range(answers):
        owner, at = _name(data, at)
        rtype, rclass, _, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        value = data[at : at + length]
        if len(value) != length:
            raise BadMessage("a record is cut short")
        if (rtype, rclass) == (_CNAME, _CLASS_IN):
            aliases.setdefault(owner, _name(data, at)[0])
        elif (rtype, rclass, length) == (kind, _CLASS_IN, _LENGTH[kind]):
            found.append((owner, socket.inet_ntop(_FAMILY[kind], value)))
        at += length
    meant = _meant(_name(question, _HEADER.size)[0], aliases)
    return tuple(host for owner, host in found if owner in meant)


def _meant(name: Name, aliases: Mapping[Name, Name]) -> set[Name]:
    """The name and all that it is an alias of, in however long a chain; one in a circle ends."""
    meant = {name}
    while (name := aliases.get(name, name)) not in meant:
        meant.add(name)
    return meant


def _name(data: bytes, at: int) -> tuple[Name, int]:
    """The name's labels in small letters, and the position after it."""
    after, octets, before = None, 0, at
    labels: list[bytes] = []
    while length := data[at]:
        if length & _POINTER == _POINTER:
            after = at + 2 if after is None else after
            at = ((length & ~_POINTER) << 8) | data[at + 1]
            if not _HEADER.size <= at < before:
                raise BadMessage("a compression pointer does not point backwards")
            before = at
            continue
        octets += length + 1
        if length & _POINTER or octets >= _MAX_NAME:
            raise BadMessage("a name is too long")
        labels.append(data[at + 1 : at + 1 + length].lower())
        at += length + 1
    return tuple(labels), at + 1 if after is None else after
