# SPDX-License-Identifier: Apache-2.0
"""How do tests get a real VictoriaMetrics, and how do they ask it what it has stored?"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

from tests.parts.program import Program, find


class VictoriaMetrics(Program):
    """A single node that takes `/api/v2/write`; keeps milliseconds, and loses its last seconds by `kill9`."""

    name = "victoria-metrics"

    def command(self) -> list[str]:
        """The foreground server."""
        return [
            find("victoria-metrics"),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.directory}/data",
            "-retentionPeriod=100y",
            "-dedup.minScrapeInterval=1ms",
        ]

    def series(self, selector: str) -> list[dict[str, Any]]:
        """Every sample of the matching series: `metric` (labels), `values`, `timestamps` (Unix ms)."""
        urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=10).close()
        query = urllib.parse.urlencode({"match[]": selector})
        with urllib.request.urlopen(f"{self.url}/api/v1/export?{query}", timeout=10) as answer:
            return [json.loads(line) for line in answer]
