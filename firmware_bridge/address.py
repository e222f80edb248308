# SPDX-License-Identifier: Apache-2.0
"""Where and how is a device asked? `scheme:/dev/…` for a port, `scheme://host[:port][/name]` for a host.

vedirect:/dev/serial/by-id/usb-VictronEnergy_…   nut://127.0.0.1/ups   starlink://192.168.100.1
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_MOST_PORT = 65_535
_PORT = re.compile(r"/dev/[\x21-\x7e]{1,200}")
_HOST = re.compile(
    r"//(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[\w.-]{1,253}))(?::(?P<port>\d{1,5}))?(?:/(?P<rest>[\w.-]{0,64}))?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One device.

    Attributes:
        scheme: how it is asked.
        path: of its serial port; empty for one behind a network.
        host: name or IP address; empty for one at a port.
        port: None for the scheme's own.
        name: of one device of several behind the host; may be empty.
    """

    scheme: str
    path: str = ""
    host: str = ""
    port: int | None = None
    name: str = ""


def parse_address(text: str, schemes: Collection[str]) -> Address:
    """An address.

    Raises:
        ValueError: it is none, or of another scheme; says which there are.
    """
    scheme, _, rest = text.partition(":")
    if scheme not in schemes:
        raise ValueError(f"{text!r} does not begin with one of {', '.join(f'{s}:' for s in sorted(schemes))}")
    if _PORT.fullmatch(rest):
        return Address(scheme, path=rest)
    found = _HOST.fullmatch(rest)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 0 < port <= _MOST_PORT):
        raise ValueError(f"{text!r} is neither `{scheme}:/dev/…` nor `{scheme}://host[:port][/name]`")
    return Address(scheme, host=found["six"] or found["host"], port=port, name=found["rest"] or "")


def parse_named(text: str, schemes: Collection[str]) -> tuple[str, Address]:
    """`name=address`, as in a probe's table.

    Raises:
        ValueError: it is not that.
    """
    name, parted, address = text.partition("=")
    if not parted or not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not `name=address` with a name of a-z, 0-9, - and _")
    return name, parse_address(address, schemes)
