# SPDX-License-Identifier: Apache-2.0
"""How does a newcomer see the whole of it? Starts broker, collector and agent here and says where to look.

The broker is mosquitto where it is installed, else amqtt from PyPI, which serves to try things out and no
more. Every file is below one folder; started again, everything goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READY_S = 120
_PR_SET_PDEATHSIG = 1
_STOP_S = 10
_BROKER_PORT = 18830
_PAGE_PORT = 8080
_CONNECTED = "schoolpulse_mqtt_connected "
_STORED = 'schoolpulse_sink_written_records_total{sink="store"} '
_ACKNOWLEDGED = "publisher.acknowledged"

_MOSQUITTO = """\
user {user}
listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest stderr
"""
_AMQTT = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""
_COLLECTOR = """\
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
[journal]
directory = "{directory}/journal"
[registry]
file = "{directory}/registry.toml"
[dead_letters]
directory = "{directory}/dead-letters"
[sinks.store]
path = "{directory}/store.sqlite"
[sinks.judge]
enabled = true
path = "{directory}/verdicts.sqlite"
[web]
port = {page_port}
refresh_every_s = 5
"""
_REGISTRY = """\
[[school]]
id = "here"
name = "This machine"
[[device]]
id = "demo"
school = "here"
"""
_AGENT = """\
device = "demo"
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
report_every_s = 15
ack_every_s = 15
[spool]
directory = "{directory}/spool"
[probes.reach]
every_s = 20
deadline_s = 18
watch_s = 10
anchor_every_s = 1
timeout_s = 3
[probes.latency]
every_s = 60
"""


@dataclass
class Child:
    """One of the three programs."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class DemoFailed(Exception):
    """One of the three did not come up, or died; the message says which and shows the end of its log."""


def run(directory: Path, agent_config: Path | None = None, broker: str = "auto") -> int:
    """Run broker, collector and agent until Ctrl-C.

    Args:
        directory: where all files go.
        agent_config: more of agent.toml, for tables that the demo does not set itself.
        broker: `mosquitto`, `amqtt`, or `auto` for mosquitto where it is installed.

    Returns:
        0 when all three ended cleanly.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    children: list[Child] = []
    try:
        with _alone(directory) as lock:
            page = _start_all(directory, children, agent_config, broker)
            lock.write_text(page)
            print(f"\nThe first record is stored and acknowledged. Look at\n\n    {page}\n", flush=True)
            print("Ctrl-C ends all three.", flush=True)
            while True:
                time.sleep(0.5)
                _check_alive(children)
    except KeyboardInterrupt:
        return _stop_all(children)
    except DemoFailed as e:
        print(f"school-collector demo: {e}", file=sys.stderr)
        _stop_all(children)
        return 1


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[Path]:
    """Only one demo per folder; the lock file tells a second one where to look."""
    path = directory / "lock"
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            page = path.read_text() or "its page, once it is up"
            raise DemoFailed(f"it runs already in {directory}: look at {page}") from e
        lock.truncate(0)
        yield path


def _start_all(directory: Path, children: list[Child], agent_config: Path | None, wanted: str) -> str:
    """Start the three in order; the address of the page once the first record has made its way."""
    port, page_port = _free_port(_BROKER_PORT), _free_port(_PAGE_PORT)
    values = {"directory": directory, "port": port, "page_port": page_port, "user": getpass.getuser()}
    broker, values["protocol"] = _broker(wanted, directory, values)
    for name, text in (("collector", _COLLECTOR), ("registry", _REGISTRY)):
        (directory / f"{name}.toml").write_text(text.format_map(values))
    agent = _AGENT.format_map(values) + (agent_config.read_text() if agent_config else "")
    (directory / "agent.toml").write_text(agent)
    children.append(_start("broker", broker, directory))
    _wait(children, lambda: _listens(port))
    page = f"http://127.0.0.1:{page_port}/"
    for name, sign in (("collector", _CONNECTED), ("agent", _STORED)):
        command = [sys.executable, "-m", name, "run", "--config", str(directory / f"{name}.toml")]
        children.append(_start(name, command, directory))
        _wait(children, functools.partial(_shows, page, sign))
    agent_log = children[-1].log
    _wait(children, lambda: _ACKNOWLEDGED in agent_log.read_text(errors="replace"))
    _tell_warnings(children[-1].log)
    return page


def _broker(wanted: str, directory: Path, values: dict[str, Any]) -> tuple[list[str], str]:
    """The broker's command line, and which MQTT versions to try with it."""
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if mosquitto and wanted != "amqtt":
        print("broker: mosquitto", flush=True)
        (directory / "mosquitto.conf").write_text(_MOSQUITTO.format_map(values))
        return [mosquitto, "-c", str(directory / "mosquitto.conf")], "auto"
    amqtt = Path(sys.executable).parent / "amqtt"
    if wanted == "mosquitto" or not amqtt.exists():
        raise DemoFailed(
            "no broker: install mosquitto (apt install mosquitto) or amqtt (pip install schoolpulse[demo])"
        )
    print("broker: amqtt, for trying out only; install mosquitto for real use", flush=True)
    (directory / "amqtt.yaml").write_text(_AMQTT.format_map(values))
    return [str(amqtt), "-c", str(directory / "amqtt.yaml")], "3.1.1"


def _start(name: str, command: list[str], directory: Path) -> Child:
    log = directory / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 -- no threads run here
        )
    print(f"{name}: pid {process.pid}, log {log}", flush=True)
    return Child(name, process, log)


def _end_with_parent() -> None:
    """In the child: SIGTERM when the demo dies without a word (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait(children: list[Child], condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _READY_S
    while not condition():
        _check_alive(children)
        if time.monotonic() > end_s:
            raise DemoFailed(f"nothing was stored and acknowledged within {_READY_S} s{_tail(children[-1])}")
        time.sleep(0.1)


def _check_alive(children: list[Child]) -> None:
    for child in children:
        code = child.process.poll()
        if code is not None:
            raise DemoFailed(f"the {child.name} ended with code {code}{_tail(child)}")


def _tail(child: Child) -> str:
    lines = child.log.read_text(errors="replace").splitlines()[-8:]
    return "; the end of its log:\n    " + "\n    ".join(lines)


def _stop_all(children: list[Child]) -> int:
    """Ask each to end, the agent first; 0 when all did so cleanly. A second Ctrl-C changes nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # the terminal may be gone
        print("\nstopping", flush=True)
    ends = [_stop(child) for child in reversed(children)]
    return 0 if all(ends) else 1


def _stop(child: Child) -> bool:
    """Whether it ended as asked; a program still starting ends by the signal itself."""
    child.process.terminate()
    try:
        code = child.process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
        code = child.process.wait()
    is_clean = code in (0, -signal.SIGTERM)
    with contextlib.suppress(OSError):
        print(f"{child.name}: {'ended' if is_clean else f'ended with code {code}'}", flush=True)
    return is_clean


def _shows(page: str, sign: str) -> bool:
    """Whether a figure among the collector's own is there and not 0."""
    return any(line.startswith(sign) and not line.endswith(" 0.0") for line in _metrics(page))


def _metrics(page: str) -> list[str]:
    try:
        with urllib.request.urlopen(page + "metrics", timeout=2) as answer:  # noqa: S310 -- our own address
            return str(answer.read().decode()).splitlines()
    except OSError:
        return []


def _tell_warnings(log: Path) -> None:
    """What the agent warned of (ICMP not permitted) concerns whoever tries it out."""
    for line in log.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if said["level"] == "WARNING":
                print(f"agent: {said['message']}", flush=True)


def _listens(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def _free_port(wanted: int) -> int:
    """The wanted port, or any free one where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(s.getsockname()[1])
    raise DemoFailed("no free TCP port on 127.0.0.1")
