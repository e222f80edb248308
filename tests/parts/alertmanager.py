# SPDX-License-Identifier: Apache-2.0
"""Prometheus' Alertmanager, alone, that posts what it groups to a receiver."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.parts.program import Program, find

CONFIG = """\
route:
  receiver: noc
  group_by: [alertname, operator]
  group_wait: 300ms
  group_interval: 500ms
  repeat_interval: 1h
inhibit_rules:
  - source_matchers: ['alertname = "operator_outage"']
    target_matchers: ['alertname = "outage"']
    equal: [operator]
receivers:
  - name: noc
    webhook_configs:
      - url: {receiver}
        send_resolved: true
"""


class Alertmanager(Program):
    """Listens on 127.0.0.1; keeps nothing over a restart but silences."""

    name = "alertmanager"

    def __init__(self, directory: Path, receiver: str) -> None:
        super().__init__(directory)
        self._receiver = receiver

    def command(self) -> list[str]:
        """One foreground process."""
        config = self.directory / "alertmanager.yml"
        config.write_text(CONFIG.format(receiver=self._receiver))
        return [
            find("prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """All that it knows to fire."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found
