# SPDX-License-Identifier: Apache-2.0
"""How do a batch and an acknowledgement become bytes, and bytes become them again?

A payload is JSON when it begins with `{`, or the packed form (`agent.contract.packed`) when it begins with
byte 1; either may be in a signed envelope (`agent.contract.envelope`), which is not verified here. Both lead
to the same plain data and through the same checks. Nothing a stranger sends can make decoding use more than
`MAX_PLAIN_BYTES` of decompressed payload, as much text once repeated words are written out, or recurse deeper
than a batch is deep.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

from agent.contract import packed
from agent.contract.ack import pack_ack, unpack_ack
from agent.contract.decoder import DecodeError, decode
from agent.contract.envelope import inner_of
from agent.contract.record import Ack, Batch, ClockState, Record, Refused, record_from_plain, to_plain

MAX_PLAIN_BYTES = 4 * 1024 * 1024
OWN_ERROR = "an error of this program"
"""How the problem of a refused record begins that nobody foresaw."""
Form = Literal["packed", "json"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch, and those of its records that could not be understood."""

    batch: Batch
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """A batch without its records, which are read one by one."""

    device: str
    session: str
    first_seq: int
    last_seq: int
    clock: ClockState
    want_ack: bool = True
    backlog: bool = False


_HEADER_NAMES = tuple(f.name for f in dataclasses.fields(_Header))


def encode(batch: Batch, form: Form = "packed") -> bytes:
    """One `up` payload."""
    plain = to_plain(batch)
    plain.setdefault("records", [])
    if form == "packed":
        return packed.pack(plain)
    return _json_bytes({"v": 1, **plain})


def decode_batch(payload: bytes, *, max_records: int = packed.MAX_ROWS) -> Decoded:
    """Read one `up` payload in either form, signed or not.

    Raises:
        DecodeError: the message as a whole makes no sense, or has more than `max_records`; single records
            that make none come back as `refused`.
    """
    plain = _plain(inner_of(payload), max_records)
    items = plain.pop("records", [])
    if not isinstance(items, list):
        raise DecodeError("records", "expected a list")
    if len(items) > max_records:
        raise DecodeError("records", f"more than {max_records} records")
    header = decode(_Header, plain)
    good, refused = _records(items)
    batch = Batch(**{name: getattr(header, name) for name in _HEADER_NAMES}, records=tuple(good))
    return Decoded(batch, refused)


def encode_ack(ack: Ack, form: Form = "json") -> bytes:
    """One `ack` payload; packed only for who is known to read that."""
    return pack_ack(ack) if form == "packed" else _json_bytes(to_plain(ack))


def decode_ack(payload: bytes) -> Ack:
    """Read one `ack` payload.

    Raises:
        DecodeError: it is not an acknowledgement.
    """
    if payload[:1] == bytes([packed.FORMAT]):
        return unpack_ack(payload)
    return decode(Ack, _parse_json(payload))


def _plain(payload: bytes, max_records: int) -> dict[str, Any]:
    if len(payload) > MAX_PLAIN_BYTES:
        raise DecodeError("", f"{len(payload)} bytes are more than the {MAX_PLAIN_BYTES} allowed")
    if payload[:1] == b"{":
        plain = _parse_json(payload)
        if plain.pop("v", None) != 1:
            raise DecodeError("v", "is required and must be 1")
        return plain
    if payload[:1] == bytes([packed.FORMAT]):
        return packed.unpack(payload, MAX_PLAIN_BYTES, max_records)
    raise DecodeError("", f"a payload begins with '{{' or byte 1, not {payload[:1]!r}")


def _parse_json(payload: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(payload)
    except (ValueError, RecursionError) as e:
        raise DecodeError("", f"not JSON: {str(e)[:80]}") from e
    if not isinstance(plain, dict):
        raise DecodeError("", "expected a table")
    return plain


def _records(items: list[Any]) -> tuple[list[Record], tuple[Refused, ...]]:
    good: list[Record] = []
    refused: list[Refused] = []
    for item in items:
        try:
            good.append(record_from_plain(item))
        except DecodeError as e:
            refused.append(_refused(item, str(e)))
        except Exception as e:  # noqa: BLE001  # of ours, in one record: not to hold up all that come after it
            refused.append(_refused(item, f"{OWN_ERROR}: {e!r}"))
    return good, tuple(refused)


def _refused(item: Any, problem: str) -> Refused:
    seq = item.get("seq") if isinstance(item, dict) else None
    return Refused(seq=seq if type(seq) is int else 0, problem=problem, plain=item)


def _json_bytes(plain: Any) -> bytes:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
