# SPDX-License-Identifier: Apache-2.0
"""How do tests get a broker that speaks MQTT 3.1.1 only (amqtt, from PyPI)?"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.parts.program import Program

CONFIG = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""


class Amqtt(Program):
    """The broker that serves to try things out where mosquitto is not installed."""

    name = "amqtt"

    def command(self) -> list[str]:
        """The broker installed beside this Python."""
        config = self.directory / "amqtt.yaml"
        config.write_text(CONFIG.format(port=self.port))
        return [str(Path(sys.executable).with_name("amqtt")), "-c", str(config)]
