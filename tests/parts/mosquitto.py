# SPDX-License-Identifier: Apache-2.0
"""How do tests get a real MQTT broker (mosquitto 2)?"""

from __future__ import annotations

from pathlib import Path

import paho.mqtt.client as mqtt

from tests.parts.program import Program, find

CONFIG = """\
per_listener_settings false
listener {port} 127.0.0.1
persistence true
persistence_location {directory}/
max_queued_messages 0
log_dest stderr
log_type all
connection_messages true
{anonymous}
{user}
{extra}
"""


class Mosquitto(Program):
    """A broker on 127.0.0.1 that keeps its sessions over `stop` and `start` (after `kill9` it may not).

    `extra` is added to mosquitto.conf; anonymous clients are let in unless it says otherwise.
    """

    name = "mosquitto"

    def __init__(self, directory: Path, *, extra: str = "", port: int | None = None) -> None:
        super().__init__(directory, port=port)
        self.extra = extra

    def command(self) -> list[str]:
        """The foreground broker; as root it stays root, so that it can read the test's directory."""
        config = self.directory / "mosquitto.conf"
        config.write_text(
            CONFIG.format(
                port=self.port,
                directory=self.directory,
                anonymous="" if self._sets("allow_anonymous") else "allow_anonymous true",
                user="" if self._sets("user") else "user root",
                extra=self.extra,
            )
        )
        return [find("mosquitto"), "-c", str(config)]

    def _sets(self, option: str) -> bool:
        return any(line.split()[:1] == [option] for line in self.extra.splitlines())


def hang_up(client: mqtt.Client) -> None:
    """Leave, and let go of what the client calls: a ring would hold its sockets until some collection."""
    client.disconnect()
    client.loop_stop()
    client.on_connect = client.on_message = client.on_publish = client.on_subscribe = None
