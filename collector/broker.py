# SPDX-License-Identifier: Apache-2.0
"""Which broker, and with which credentials? The table `[mqtt]`, and its secrets read."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.contract.decoder import DecodeError
from collector.option import option


@dataclass(frozen=True, kw_only=True)
class MqttOptions:
    """The table `[mqtt]`."""

    host: str = option("name or address of the broker", "localhost")
    port: int | None = option(
        "its port; unset: 8883 with `ca_file`, else 1883", None, low=1, high=65535, example="1883"
    )
    protocol: Literal["auto", "5", "3.1.1"] = option(
        "MQTT version; `auto` tries 5 and falls back to 3.1.1", "auto"
    )
    client_id: str | None = option(
        "name at the broker; unset: a random one", None, example='"school-collector"'
    )
    username: str | None = option("user name, where the broker wants one", None, example='"collector"')
    password_file: str | None = option(
        "file with the password, or the name of a systemd credential; never the password itself",
        None,
        example='"mqtt-password"',
    )
    ca_file: str | None = option(
        "certificates the broker's is checked against; setting it turns TLS on",
        None,
        example='"/etc/schoolpulse/ca.crt"',
    )
    cert_file: str | None = option("the collector's certificate", None, example='"collector.crt"')
    key_file: str | None = option("the collector's private key", None, example='"collector.key"')
    keepalive_s: int = option("seconds of silence before a ping", 60, low=5, high=65535)

    def __post_init__(self) -> None:
        if not self.host:
            raise DecodeError("host", "must not be empty")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: set both or neither")
        if self.cert_file and not self.ca_file:
            raise ValueError("cert_file needs ca_file: without it TLS is off")
        if self.password_file and not self.username:
            raise ValueError("password_file needs username")


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Everything a connection needs."""

    options: MqttOptions
    password: str | None = None
    tls: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        """Where the broker listens."""
        return self.options.port or (8883 if self.tls is not None else 1883)


def read_broker(options: MqttOptions, environment: Mapping[str, str] = os.environ) -> Broker:
    """Read the password and the certificates; makes no connection.

    Raises:
        DecodeError: one of the files cannot be used.
    """
    return Broker(options=options, password=_password(options, environment), tls=_tls(options))


def _password(options: MqttOptions, environment: Mapping[str, str]) -> str | None:
    if options.password_file is None:
        return None
    path = Path(environment.get("CREDENTIALS_DIRECTORY", "")) / options.password_file
    try:
        password = path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise DecodeError("mqtt.password_file", f"{path} cannot be read: {e}") from e
    if not password:
        raise DecodeError("mqtt.password_file", f"{path} is empty")
    return password


def _tls(options: MqttOptions) -> ssl.SSLContext | None:
    if options.ca_file is None:
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ValueError) as e:
        raise DecodeError("mqtt.ca_file", f"{options.ca_file} cannot be used: {e}") from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.cert_file and options.key_file:
        try:
            context.load_cert_chain(options.cert_file, options.key_file)
        except (OSError, ValueError) as e:
            raise DecodeError("mqtt.cert_file", f"{options.cert_file} cannot be used: {e}") from e
    return context
