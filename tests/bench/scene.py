# SPDX-License-Identifier: Apache-2.0
"""Schools and a centre in network namespaces: a broker with mutual TLS, a collector, links that count every
byte."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CENTRE = "spb-centre"
ANCHORS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
_ETHERNET_BYTES = 14

_MOSQUITTO = """\
listener 8883
cafile {directory}/ca.crt
certfile {directory}/broker.crt
keyfile {directory}/broker.key
require_certificate true
use_identity_as_username true
user root
log_dest stderr
"""
_COLLECTOR = """\
[mqtt]
host = "127.0.0.1"
port = 8883
ca_file = "{directory}/ca.crt"
cert_file = "{directory}/collector.crt"
key_file = "{directory}/collector.key"
[journal]
directory = "{directory}/journal"
[registry]
file = "{directory}/registry.toml"
[dead_letters]
directory = "{directory}/dead-letters"
[sinks.store]
path = "{directory}/store.sqlite"
[web]
enabled = false
"""


@dataclass(frozen=True)
class School:
    """One school's namespace and its link to the centre."""

    device: str
    number: int

    @property
    def namespace(self) -> str:
        """Name of its network namespace."""
        return f"spb-school{self.number}"

    @property
    def gateway(self) -> str:
        """The centre's address on this school's link."""
        return f"10.77.{self.number}.1"

    def ip_bytes(self) -> int:
        """Bytes of IP packets that crossed the link since it was made, both directions."""
        total = 0
        for way in ("rx", "tx"):
            frames = int(self._counter(f"{way}_packets"))
            total += int(self._counter(f"{way}_bytes")) - frames * _ETHERNET_BYTES
        return total

    def _counter(self, name: str) -> str:
        return run("ip", "netns", "exec", self.namespace, "cat", f"/sys/class/net/wan/statistics/{name}")


@contextlib.contextmanager
def scene(directory: Path, devices: list[str]) -> Iterator[list[School]]:
    """Everything up; the centre is every school's gateway and holds the anchors' addresses."""
    schools = [School(device, i + 1) for i, device in enumerate(devices)]
    programs: list[subprocess.Popen[bytes]] = []
    try:
        _make_network(schools)
        _make_certificates(directory, ["broker", "collector", *devices])
        programs = _start_centre(directory, devices)
        yield schools
    finally:
        for program in programs:
            program.kill()
            program.wait()
        _remove_network(schools)


def run(*command: str) -> str:
    """Run a command that must succeed; its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _make_network(schools: list[School]) -> None:
    _remove_network(schools)
    run("ip", "netns", "add", CENTRE)
    run("ip", "-n", CENTRE, "link", "set", "lo", "up")
    for anchor in ANCHORS:
        run("ip", "-n", CENTRE, "addr", "add", f"{anchor}/32", "dev", "lo")
    for school in schools:
        peer = ("peer", "name", f"to{school.number}", "netns", CENTRE)
        run("ip", "netns", "add", school.namespace)
        run("ip", "link", "add", "wan", "netns", school.namespace, "type", "veth", *peer)
        run("ip", "-n", CENTRE, "addr", "add", f"{school.gateway}/24", "dev", f"to{school.number}")
        run("ip", "-n", CENTRE, "link", "set", f"to{school.number}", "up")
        run("ip", "-n", school.namespace, "addr", "add", f"10.77.{school.number}.10/24", "dev", "wan")
        for link in ("lo", "wan"):
            run("ip", "-n", school.namespace, "link", "set", link, "up")
        run("ip", "-n", school.namespace, "route", "add", "default", "via", school.gateway)


def _remove_network(schools: list[School]) -> None:
    for name in [CENTRE, *(s.namespace for s in schools)]:
        subprocess.run(("ip", "netns", "del", name), capture_output=True, check=False)


def _make_certificates(directory: Path, names: list[str]) -> None:
    """A throw-away CA and one P-256 certificate for each name."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    files = ("-keyout", f"{directory}/ca.key", "-out", f"{directory}/ca.crt")
    run("openssl", "req", "-x509", *curve, "-subj", "/CN=bench", *files)
    for name in names:
        request, key = f"{directory}/{name}.csr", f"{directory}/{name}.key"
        run("openssl", "req", *curve, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        addresses = ",".join(f"IP:{a}" for a in ("127.0.0.1", *(f"10.77.{i}.1" for i in range(1, 10))))
        (directory / "san").write_text(f"subjectAltName={addresses}\n")
        authority = ("-CA", f"{directory}/ca.crt", "-CAkey", f"{directory}/ca.key", "-CAcreateserial")
        out = ("-out", f"{directory}/{name}.crt", "-days", "2", "-extfile", f"{directory}/san")
        run("openssl", "x509", "-req", "-in", request, *authority, *out)


def _start_centre(directory: Path, devices: list[str]) -> list[subprocess.Popen[bytes]]:
    schools = "".join(
        f'[[school]]\nid = "s-{d}"\n[[device]]\nid = "{d}"\nschool = "s-{d}"\n' for d in devices
    )
    (directory / "registry.toml").write_text(schools)
    (directory / "mosquitto.conf").write_text(_MOSQUITTO.format(directory=directory))
    (directory / "collector.toml").write_text(_COLLECTOR.format(directory=directory))
    broker = ["/usr/sbin/mosquitto", "-c", f"{directory}/mosquitto.conf"]
    collector = [sys.executable, "-m", "collector", "run", "--config", f"{directory}/collector.toml"]
    programs = []
    for name, command in (("broker", broker), ("collector", collector)):
        with (directory / f"{name}.log").open("wb") as log:
            inside = ["ip", "netns", "exec", CENTRE, *command]
            programs.append(subprocess.Popen(inside, stdout=log, stderr=log))
        time.sleep(2)
    return programs
