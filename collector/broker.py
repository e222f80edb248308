# SPDX-License-Identifier: Apache-2.0
"""Which broker, and with which credentials? The table `[mqtt]`, and its secrets read."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from agent.contract.broker import BrokerOptions, make_tls, read_password
from agent.contract.option import option


@dataclass(frozen=True, kw_only=True)
class MqttOptions(BrokerOptions):
    """The table `[mqtt]`."""

    client_id: str | None = option(
        "name at the broker; unset: a random one", None, example="school-collector"
    )
    keepalive_s: int = option("seconds of silence before a ping", 60, low=5, high=65535)


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
    return Broker(options=options, password=read_password(options, environment), tls=make_tls(options))
