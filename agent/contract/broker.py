# SPDX-License-Identifier: Apache-2.0
"""Which broker, and with which credentials? What the tables `[mqtt]` of both programs have in common."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.option import option
from agent.contract.secret import read_secret
from agent.contract.tls import show_certificate, trusting


@dataclass(frozen=True, kw_only=True)
class BrokerOptions:
    """Keys that the table `[mqtt]` of every program has."""

    host: str = option("name or address of the broker", "localhost")
    port: int | None = option(
        "its port; unset: 8883 with `ca_file`, else 1883", None, low=1, high=65535, example=1883
    )
    protocol: Literal["auto", "5", "3.1.1"] = option(
        "MQTT version; `auto` tries 5 and falls back to 3.1.1", "auto"
    )
    username: str | None = option("user name, where the broker wants one", None)
    password_file: str | None = option(
        "file with the password, or the name of a systemd credential; never the password itself",
        None,
        example="mqtt-password",
    )
    ca_file: str | None = option(
        "certificates the broker's is checked against; setting it turns TLS on",
        None,
        example="/etc/schoolpulse/ca.crt",
    )
    cert_file: str | None = option(
        "this program's own certificate", None, example="/etc/schoolpulse/mqtt.crt"
    )
    key_file: str | None = option("its private key", None, example="/etc/schoolpulse/mqtt.key")

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if getattr(self, f.name) == "":
                raise DecodeError(f.name, "must not be empty")
        if "@" in self.host:
            raise DecodeError("host", "must be a name or an address alone; set username and password_file")
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: set both or neither")
        if self.cert_file and not self.ca_file:
            raise ValueError("cert_file needs ca_file: without it TLS is off")
        if self.password_file and not self.username:
            raise ValueError("password_file needs username")


def read_password(options: BrokerOptions, environment: Mapping[str, str]) -> str | None:
    """The password, None where none is named.

    Raises:
        DecodeError: its file cannot be used.
    """
    if options.password_file is None:
        return None
    return read_secret("mqtt.password_file", options.password_file, environment)


def make_tls(options: BrokerOptions) -> ssl.SSLContext | None:
    """TLS as the options ask for it, None where they do not.

    Raises:
        DecodeError: one of the files cannot be used.
    """
    if options.ca_file is None:
        return None
    context = trusting("mqtt.ca_file", options.ca_file)
    if options.cert_file is not None and options.key_file is not None:
        show_certificate(context, "mqtt", options.cert_file, options.key_file)
    return context
