# SPDX-License-Identifier: Apache-2.0
"""How do tests get a real InfluxDB (1.6), and how do they ask it what it has stored?"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.parts.program import Program, find, free_port

CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{directory}/meta"
[data]
dir = "{directory}/data"
wal-dir = "{directory}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
{http}
"""


class InfluxDB(Program):
    """InfluxDB 1.6 with one database; what it acknowledged survives `kill9`.

    `http` is added to the `[http]` section of its configuration.
    """

    name = "influxdb"

    def __init__(
        self, directory: Path, *, database: str = "schoolpulse", http: str = "", port: int | None = None
    ) -> None:
        super().__init__(directory, port=port)
        self.database = database
        self._http = http
        self._rpc_port = free_port()

    def command(self) -> list[str]:
        """The foreground server."""
        config = self.directory / "influxdb.conf"
        config.write_text(
            CONFIG.format(port=self.port, rpc_port=self._rpc_port, directory=self.directory, http=self._http)
        )
        return [find("influxd"), "-config", str(config)]

    def is_ready(self) -> bool:
        """Whether it answers queries and has the database."""
        try:
            self.query(f'CREATE DATABASE "{self.database}"')
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def query(self, influxql: str) -> list[dict[str, Any]]:
        """Rows of one InfluxQL statement, tags of a GROUP BY included; times in Unix nanoseconds."""
        form = urllib.parse.urlencode({"q": influxql, "db": self.database, "epoch": "ns"}).encode()
        with urllib.request.urlopen(f"{self.url}/query", form, timeout=10) as answer:
            (result,) = json.load(answer)["results"]
        if "error" in result:
            raise ValueError(result["error"])
        return [
            series.get("tags", {}) | dict(zip(series["columns"], values, strict=True))
            for series in result.get("series", [])
            for values in series["values"]
        ]
