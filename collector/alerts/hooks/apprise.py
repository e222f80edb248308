# SPDX-License-Identifier: Apache-2.0
"""Chats, text messages and a hundred other services, by Apprise (the extra `apprise`).

    [hooks.chat]
    kind = "apprise"
    urls_file = "/etc/schoolpulse/chat.urls"

One URL of Apprise a line; it tells only whether all went well, so a failure is always tried again. Apprise
follows redirects unless a URL says `?redirect=no`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.contract.option import option
from collector.alerts.event import AlertEvent
from collector.alerts.hooks.base import HookFailed
from collector.alerts.options import HookOptions
from collector.alerts.secret import secret_text
from collector.errors import ConfigError

_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


@dataclass(frozen=True, kw_only=True)
class AppriseOptions(HookOptions):
    """The table `[hooks.NAME]` with `kind = "apprise"`."""

    kind: str = option("apprise", "apprise")
    urls_file: str | None = option(
        "file with Apprise's URLs, one a line, or the name of a systemd credential",
        None,
        example="/etc/schoolpulse/chat.urls",
    )


class AppriseHook:
    """See the module."""

    OPTIONS: ClassVar = AppriseOptions
    refresh_s: ClassVar[float | None] = None

    def __init__(self, options: AppriseOptions) -> None:
        lines = secret_text("urls_file", options.urls_file).splitlines()
        try:
            library: Any = importlib.import_module("apprise")
        except ImportError:
            raise ConfigError("hooks", 'kind = "apprise" needs the extra `apprise`') from None
        self._all = library.Apprise()
        for number, line in enumerate(filter(None, map(str.strip, lines)), 1):
            if not self._all.add(line):
                raise ConfigError("hooks", f"line {number} of urls_file is not a URL that Apprise knows")

    def send(self, event: AlertEvent, sequence: int) -> None:
        """To all of them."""
        del sequence
        kind = "success" if event.state == "resolved" else _TYPES[event.severity]
        if not self._all.notify(title=f"[{event.state}] {event.rule}", body=event.summary, notify_type=kind):
            raise HookFailed("at least one of the services did not take it")

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """Chats remember."""
