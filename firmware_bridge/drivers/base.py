# SPDX-License-Identifier: Apache-2.0
"""What is a driver? A table of questions and pure parsers; it never opens a port."""

from __future__ import annotations

from typing import ClassVar, Protocol, TypeVar

from firmware_bridge.reading import DeviceReading

Link_contra = TypeVar("Link_contra", contravariant=True)


class Driver(Protocol[Link_contra]):
    """One family of devices behind one kind of link.

    Attributes:
        name: in configuration, records and fixtures.
        scheme: how it is asked: `serial` for AT commands at a port, `snmp`, `vedirect`, `nmea` …
    """

    name: ClassVar[str]
    scheme: ClassVar[str]

    def read(self, link: Link_contra, device: str) -> DeviceReading:
        """Ask everything once.

        Raises:
            DeviceFailed: nothing was told that may be believed.
        """
        ...
