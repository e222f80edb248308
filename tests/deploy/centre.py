# SPDX-License-Identifier: Apache-2.0
"""How does a test run the centre of deploy/compose.yaml where there is no docker?

The same scripts and files, started in the same order; a path inside a container stands for what the compose
file mounts there, a named volume for a folder. Names of services and ports are of this host.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from collector.config import load_config
from collector.playback import Playback
from tests.parts.centre import school_collector
from tests.parts.program import Program, find, free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_DEFAULTS = """
[registry]
file = "/etc/schoolpulse/registry.toml"
[journal]
directory = "/var/lib/schoolpulse/journal"
[dead_letters]
directory = "/var/lib/schoolpulse/dead-letters"
[sinks.store]
path = "/var/lib/schoolpulse/store.db"
[contracts]
exclusions_file = "/var/lib/schoolpulse/exclusions.jsonl"
[reports]
directory = "/var/lib/schoolpulse/reports"
"""
"""Where the container's programs look for what their files do not name."""
_DEFAULT_OF = {
    "sinks.judge": 'path = "/var/lib/schoolpulse/verdicts.db"',
    "alerts": 'directory = "/var/lib/schoolpulse/alerts"',
}
"""The same, of tables the file has."""


class Service(Program):
    """A service of the compose file."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        super().__init__(root)
        service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"][name]
        self.mounts = dict(_mount(root, entry) for entry in service["volumes"])

    def __exit__(self, *_: object) -> None:
        """As docker ends it."""
        self.stop()

    def mounted(self, path: str, **changes: str) -> Path:
        """A copy of the file that is mounted there, with this host's paths in it."""
        text = self.mounts[path].read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return self.write(path, text)

    def write(self, path: str, text: str) -> Path:
        """Put a text where the container has it, with this host's paths."""
        inside = "|".join(re.escape(p) for p in sorted(self.mounts, key=len, reverse=True))
        text = re.sub(rf"(?<![\w./-])({inside})(?![\w.-])", lambda m: str(self.mounts[m[1]]), text)
        self.mounts[path] = self.directory / Path(path).name
        self.mounts[path].write_text(text)
        return self.mounts[path]


class BrokerFiles(Service):
    """Who gives the broker its files; ready when the compose file's healthcheck says so."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "broker-files")
        self.volume = self.mounts["/etc/mosquitto/schoolpulse"]

    def command(self) -> list[str]:
        return ["/bin/sh", str(self.mounted("/files.sh", **{"sleep 5": "sleep 0.2"}))]

    def is_ready(self) -> bool:
        return (self.volume / "crl.pem").is_file()


class Broker(Service):
    """mosquitto; as root it stays root, so that it can read the test's directory."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "mosquitto")

    def command(self) -> list[str]:
        here = f"user root\nlistener {self.port} 127.0.0.1"
        self.mounted("/mosquitto/config/mosquitto.conf", **{"listener 8883": here})
        changes = {"sleep 5": "sleep 0.2", "\nmosquitto -c": f"\n{find('mosquitto')} -c"}
        return ["/bin/sh", str(self.mounted("/start.sh", **changes))]


class Collector(Service):
    """The collector."""

    def __init__(self, root: Path, broker: Broker) -> None:
        super().__init__(root, "collector")
        self.enrol_port = free_port()
        (self.directory / "token").write_text("not a real one")
        self.mounts["/run/token"] = self.directory
        changes = {
            'host = "mosquitto"': f'host = "127.0.0.1"\nport = {broker.port}',
            "enrol_port = 8443": f"enrol_port = {self.enrol_port}",
            'host = "0.0.0.0"': f"port = {self.port}",
            "http://influxdb:8086": f"http://127.0.0.1:{free_port()}",
            **{f"[{table}]": f"[{table}]\n{line}" for table, line in _DEFAULT_OF.items()},
        }
        file = self.mounted("/etc/schoolpulse/collector.toml", **changes)
        self.config = self.write("/etc/schoolpulse/collector.toml", file.read_text() + _DEFAULTS)
        told = repr(load_config(self.config, {}, with_broker=False))
        assert "/var/lib/schoolpulse" not in told, f"would write to this host's own: {told}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "collector", "run", "--config", str(self.config)]

    def enrol(self, *words: str | Path) -> Any:
        """`school-collector enrol …`."""
        told = school_collector("enrol", *words, "--config", self.config, "--json")
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    def payloads(self) -> list[bytes]:
        """What its journal holds."""
        journal = self.mounts["/var/lib/schoolpulse"] / "journal"
        return [e.payload for e in Playback(journal).read(at_most=10**6).entries]


class Centre:
    """Whom a device speaks to, and what is needed for that."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files, self.broker = BrokerFiles(root), Broker(root)
        self.collector = Collector(root, self.broker)
        self.authority = self.collector.mounts["/var/lib/schoolpulse/authority"]

    def invite(self, device: str, to: Path) -> None:
        """What the technician gets."""
        ports = "--port", str(self.broker.port), "--enrol-port", str(self.collector.enrol_port)
        self.collector.enrol("device", device, "--host", "127.0.0.1", *ports, "--out", to)


@contextlib.contextmanager
def centre(root: Path) -> Iterator[Centre]:
    """Up, in the order of quickstart.md."""
    made = Centre(root)
    made.collector.enrol("init", "--host", "mosquitto", "--host", "127.0.0.1")
    with made.files, made.broker, made.collector:
        yield made


def _mount(root: Path, entry: str) -> tuple[str, Path]:
    source, path = entry.split(":")[:2]
    if source.startswith("./"):
        return path, DEPLOY / source
    (root / "volumes" / source).mkdir(parents=True, exist_ok=True)
    return path, root / "volumes" / source
