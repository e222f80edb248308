# SPDX-License-Identifier: Apache-2.0
"""A receiver of our own form: a CloudEvent, signed as Standard Webhooks says.

    [hooks.noc]
    kind = "webhook"
    url = "https://noc.example.org/schoolpulse"
    secret_file = "/etc/schoolpulse/noc.secret"

The receiver takes an id once (it may come twice), checks `webhook-signature` over `id.timestamp.body` and
answers 2xx. `school-collector hooks secret` makes the secret.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.option import option
from collector.alerts.event import AlertEvent, cloud_event
from collector.alerts.options import HookOptions
from collector.alerts.post import Target, post
from collector.alerts.secret import secret_text
from collector.alerts.signature import headers, read_secrets

_TYPE = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class UrlOptions(HookOptions):
    """Keys of every hook that posts to a URL."""

    url: str = option("where to", "")
    ca_file: str | None = option("certificates to trust instead of the system's", None)
    allow_http: bool = option("whether it may go unencrypted", default=False)
    allow_private: bool = option("whether the address may be one that is not public", default=False)
    within_s: float = option("longest that one try may take", 20.0, low=1, high=120)

    def __post_init__(self) -> None:
        """Refuse a URL that cannot be meant."""
        self.target()

    def target(self, path: str = "") -> Target:
        """The URL, or one below it."""
        return Target(
            url=self.url.rstrip("/") + path if path else self.url,
            ca_file=self.ca_file,
            allow_http=self.allow_http,
            allow_private=self.allow_private,
            within_s=self.within_s,
        )


@dataclass(frozen=True, kw_only=True)
class WebhookOptions(UrlOptions):
    """The table `[hooks.NAME]` with `kind = "webhook"`."""

    secret_file: str | None = option(
        "file with the secret, or two lines while it changes; or the name of a systemd credential",
        None,
        example="/etc/schoolpulse/noc.secret",
    )
    source: str = option("who we are: `source` of the CloudEvents", "/schoolpulse/collector")


class WebhookHook:
    """See the module."""

    OPTIONS: ClassVar = WebhookOptions
    refresh_s: ClassVar[float | None] = None

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._keys = read_secrets(secret_text("secret_file", options.secret_file))

    def send(self, event: AlertEvent, sequence: int) -> None:
        """Post it."""
        told = cloud_event(event, source=self._options.source, sequence=sequence)
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        signed = headers(event.id, int(time.time()), body, self._keys)
        post(self._options.target(), body, {"Content-Type": _TYPE, **signed})

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """Receivers remember."""
