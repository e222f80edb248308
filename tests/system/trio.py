# SPDX-License-Identifier: Apache-2.0
"""Agent, broker and collector as the real programs, to be killed and started at will.

The device signs and tags as an enrolled one does; only the connection is without TLS, so that tests can stand
in its way.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.contract.kinds import KINDS
from agent.identity.signing import SigningKey
from collector.authority import tagging
from collector.authority.authority import create
from collector.authority.ledger import Ledger
from collector.sinks.base import SinkUnavailable
from collector.sinks.reader import StoreReader
from collector.sinks.stored import Stored
from collector.verify import Verdict, verify
from tests.parts.mosquitto import Mosquitto
from tests.parts.program import free_port
from tests.system.witness import KEYS

_COLLECTOR = """\
[mqtt]
host = "127.0.0.1"
port = {port}
[authority]
directory = "{directory}/authority"
[journal]
directory = "{directory}/journal"
{journal}
[registry]
file = "{directory}/registry.toml"
[dead_letters]
directory = "{directory}/dead-letters"
[sinks.store]
path = "{directory}/store.sqlite"
{sinks}
[web]
port = {web_port}
refresh_every_s = 1
"""
_REGISTRY = """\
[[school]]
id = "kz-school"
[[device]]
id = "kz-1"
school = "kz-school"
"""
_AGENT = """\
device = "kz-1"
[mqtt]
host = "127.0.0.1"
port = {port}
report_every_s = 1
ack_every_s = 2
ack_timeout_s = 2
backlog_bps = {backlog_bps}
[spool]
directory = "{directory}/spool"
commit_every_s = 0.5
segment_bytes = 16384
max_bytes = {spool_bytes}
[outage]
enabled = true
anchors = ["127.0.0.1", "127.0.0.2"]
dns_name = ""
[probes.host]
enabled = true
every_s = 1
deadline_s = 1
[probes.interface]
enabled = true
every_s = 1
deadline_s = 1
interfaces = ["lo"]
[probes.reach]
enabled = true
anchors = ["127.0.0.1", "127.0.0.2"]
every_s = 2
watch_s = 0.5
timeout_s = 0.5
deadline_s = 1.9
dns_name = ""
[probes.latency]
enabled = true
every_s = 2
count = 2
spacing_s = 0.05
timeout_s = 0.4
deadline_s = 1.9
targets = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
[probes.dns]
enabled = false
[probes.http]
enabled = false
[probes.portal]
enabled = false
[probes.ipv6]
enabled = false
"""


class Trio:
    """One device, one broker, one collector.

    Attributes:
        environment: what the agent finds in its environment beside ours.
    """

    def __init__(
        self,
        directory: Path,
        *,
        agent_port: int | None = None,
        sinks: str = "",
        journal: str = "",
        backlog_bps: int = 10_000_000,
        spool_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """Write the configurations; `agent_port` where the agent's way to the broker is not the broker's."""
        self.directory = directory
        self.oracle = directory / "oracle"
        self.web_port = free_port()
        self.environment: dict[str, str] = {KEYS: self._make_known()}
        self.broker = Mosquitto(directory / "broker")
        values = {
            "directory": directory,
            "sinks": sinks,
            "journal": journal,
            "web_port": self.web_port,
            "backlog_bps": backlog_bps,
            "spool_bytes": spool_bytes,
        }
        ports = {"agent": agent_port or self.broker.port}
        for name, text in (("collector", _COLLECTOR), ("registry", _REGISTRY), ("agent", _AGENT)):
            port = ports.get(name, self.broker.port)
            (directory / f"{name}.toml").write_text(text.format_map({**values, "port": port}))
        self.programs: dict[str, subprocess.Popen[bytes]] = {}

    def _make_known(self) -> str:
        """An authority that knows the device; what the device signs and tags with."""
        create(self.directory / "authority", ["127.0.0.1"], name="test", now_s=time.time())
        ledger, key = Ledger(self.directory / "authority/ledger.sqlite"), SigningKey(bytes(range(32)))
        with contextlib.closing(ledger), ledger.changing():
            ledger.set_signing_key("kz-1", key.public, 0)
        return f"{key.seed.hex()} {tagging.load(self.directory / 'authority').public.hex()}"

    def verdict(self) -> Verdict:
        """What `verify` says of the journal."""
        keys = {"kz-1": [SigningKey(bytes(range(32))).public]}
        return verify(self.directory / "journal", device_keys=keys)

    def metrics(self) -> dict[str, float]:
        """The collector's figures by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def healthz(self) -> dict[str, Any]:
        """What the collector says of itself, well or not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/healthz", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as e:
            with e:
                found = json.load(e)
        return found

    def start(self, name: str) -> None:
        """Start one of `agent`, `broker`, `collector`."""
        if name == "broker":
            self.broker.start()
            return
        module = ["tests.system.witness", str(self.oracle)] if name == "agent" else ["collector"]
        command = [sys.executable, "-m", *module, "run", "--config", str(self.directory / f"{name}.toml")]
        with (self.directory / f"{name}.log").open("ab") as log:
            environment = {**os.environ, **(self.environment if name == "agent" else {})}
            self.programs[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill(self, name: str) -> None:
        """SIGKILL one."""
        if name == "broker":
            self.broker.kill9()
            return
        self.programs[name].kill()
        self.programs[name].wait()

    def stop(self, name: str) -> int:
        """Ask a program to end; its exit code."""
        self.programs[name].send_signal(signal.SIGTERM)
        return self.programs[name].wait(20)

    def close(self) -> None:
        """Leave nothing behind."""
        for program in self.programs.values():
            program.kill()
            program.wait()
        self.broker.stop()

    def log(self, name: str) -> str:
        """What a program said."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def stored(self) -> list[Stored]:
        """Every record in the embedded store."""
        reader = StoreReader(self.directory / "store.sqlite")
        try:
            return [s for k in KINDS for s in reader.records("kz-school", k, start_ms=0, end_ms=2**52)]
        except SinkUnavailable:
            return []

    def noted(self, word: str) -> list[list[str]]:
        """Lines of the oracle that begin with a word, split."""
        lines = self.oracle.read_text().splitlines() if self.oracle.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(word)]


def wait_until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait for a condition, and fail when it does not come."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {within_s} s: {what}"
        time.sleep(0.2)
