# SPDX-License-Identifier: Apache-2.0
"""Which kinds of hook are there? One dict; a hook's module is imported only when it is used."""

from __future__ import annotations

import importlib
from typing import Any

HOOKS: dict[str, str] = {
    "webhook": "collector.alerts.hooks.webhook:WebhookHook",
    "alertmanager": "collector.alerts.hooks.alertmanager:AlertmanagerHook",
    "alertmanager_webhook": "collector.alerts.hooks.alertmanager:AlertmanagerWebhookHook",
    "pagerduty": "collector.alerts.hooks.pagerduty:PagerDutyHook",
    "smtp": "collector.alerts.hooks.smtp:SmtpHook",
    "apprise": "collector.alerts.hooks.apprise:AppriseHook",
}
"""Kind, as in the key `kind` of `[hooks.NAME]` → `module:Class`."""


def hook_class(kind: str) -> Any:
    """The class of one kind.

    Raises:
        KeyError: there is none.
    """
    module, _, name = HOOKS[kind].partition(":")
    return getattr(importlib.import_module(module), name)
