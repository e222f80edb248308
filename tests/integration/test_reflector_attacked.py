# SPDX-License-Identifier: Apache-2.0
"""Does the whole reflector serve schools while others are at its doors, and afterwards?"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import public_key
from collector.reflector import token
from tests.parts.program import Program, accepts, free_port

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TOKEN = token.make(KEY, "kz-0001", expires_s=2**33)
HOST = "127.0.0.1"
FEW_FILES = 160
OPENSSL = ("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=x")


SERVICES = ("tcp", "ndt7", "http")


class Reflector(Program):
    """`python -m collector reflector`, which may open few files.

    Attributes:
        ports: of each service.
    """

    name = "reflector"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.ports = {"tcp": self.port, "ndt7": free_port(), "http": free_port()}

    def command(self) -> list[str]:
        files = ("-keyout", self.directory / "key.pem", "-out", self.directory / "certificate.pem")
        subprocess.run([*OPENSSL, *files], check=True, capture_output=True)
        tables = [f"{service} = {self._table(service)}" for service in SERVICES]
        gate = f'gate = {{ token_public_key = "{public_key(KEY)}", device_tests_per_hour = 10_000 }}'
        file = self.directory / "reflector.toml"
        file.write_text("\n".join([gate, "capacity = { enabled = false }", *tables]))
        program = [sys.executable, "-m", "collector", "reflector", "--config", str(file)]
        return ["prlimit", f"--nofile={FEW_FILES}", *program]

    def is_ready(self) -> bool:
        return all(accepts(port) for port in self.ports.values())

    def _table(self, service: str) -> str:
        keys = f'enabled = true, host = "{HOST}", port = {self.ports[service]}'
        if service == "ndt7":
            folder = self.directory
            keys += f', certificate_file = "{folder}/certificate.pem", key_file = "{folder}/key.pem"'
        return f"{{ {keys} }}"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    reflector = Reflector(tmp_path_factory.mktemp("attacked")).start()
    yield reflector.ports
    print(reflector.log)
    reflector.stop()


def connected(port: int, source: str = HOST) -> socket.socket:
    return socket.create_connection((HOST, port), 5, (source, 0))


def opened(port: int) -> bool:
    """Whether a school gets a session."""
    with connected(port) as sock:
        sock.sendall(json.dumps({"open": TOKEN, "bytes": 1000}).encode() + b"\n")
        with contextlib.suppress(OSError):
            return "session" in json.loads(sock.recv(1000) or b"{}")
    return False


def page(port: int) -> bool:
    with connected(port) as sock, contextlib.suppress(OSError):
        sock.sendall(b"GET /success.txt HTTP/1.1\r\n\r\n")
        return sock.recv(1000).startswith(b"HTTP/1.1 200")
    return False


def measures(port: int) -> bool:
    """Whether an NDT7 client with a school's token, shown as M-Lab's clients show it, is upgraded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head = (
        f"GET /ndt/v7/download?access_token={TOKEN} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: net.measurementlab.ndt.v7\r\n\r\n"
    )
    with contextlib.suppress(OSError), context.wrap_socket(connected(port)) as sock:
        sock.sendall(head.encode())
        return sock.recv(1000).startswith(b"HTTP/1.1 101")
    return False


def within(seconds: float, serves: Callable[[int], bool], port: int) -> bool:
    ends_s = time.monotonic() + seconds
    while not (served := serves(port)) and time.monotonic() < ends_s:
        time.sleep(0.1)
    return served


SERVES = {"tcp": opened, "ndt7": measures, "http": page}


def test_when_no_files_are_left_it_serves_again_as_soon_as_there_are(ports: dict[str, int]) -> None:
    """Silent strangers at all doors, from many addresses: more than the program may open files."""
    held = []
    for service in SERVICES:
        for i in range(FEW_FILES // 2):
            with contextlib.suppress(OSError):
                held.append(connected(ports[service], f"127.0.{1 + i // 20}.1"))
    assert len(held) > FEW_FILES
    time.sleep(0.5)
    for sock in held:
        sock.close()
    for service, serves in SERVES.items():
        assert within(10, serves, ports[service]), service


@pytest.mark.parametrize("service", SERVES)
def test_silent_strangers_of_one_place_leave_the_door_open_to_others(
    ports: dict[str, int], service: str
) -> None:
    port = ports[service]
    with contextlib.ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(connected(port, "127.0.9.1"))
        assert within(1, SERVES[service], port)


@pytest.mark.parametrize("service", SERVES)
@pytest.mark.parametrize(
    "said",
    [b"", b"\x16\x03\x01\xff\xff" + b"\xff" * 600, b"\x00" * 70_000, b'{"open":' * 500, b"GET " * 9000],
)
def test_rubbish_ends_no_service(ports: dict[str, int], service: str, said: bytes) -> None:
    port = ports[service]
    for reset in (True, False):
        with connected(port) as sock, contextlib.suppress(OSError):
            sock.sendall(said)
            if not reset:
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1000)
    assert within(10, SERVES[service], port)


def test_clients_that_hang_up_are_charged_what_they_were_sent(ports: dict[str, int]) -> None:
    """One test may have 400 MB, a device 2 GB a day."""
    for _ in range(8):
        assert within(5, measures, ports["ndt7"])


def test_a_session_takes_no_end_of_streams(ports: dict[str, int]) -> None:
    """The reflector looks at each stream there ever was for every report."""
    with connected(ports["tcp"]) as control:
        control.sendall(json.dumps({"open": TOKEN, "bytes": 1_000_000}).encode() + b"\n")
        session = json.loads(control.recv(1000))["session"]
        join = json.dumps({"join": session, "direction": "up"}).encode() + b"\n"
        said = [answer(ports["tcp"], join) for _ in range(300)]
    assert said[0]["ok"]
    assert said[-1] == {"ok": False, "detail": "too many streams"}
    assert within(5, opened, ports["tcp"])


def answer(port: int, line: bytes) -> dict[str, Any]:
    with connected(port) as sock:
        sock.sendall(line)
        said: dict[str, Any] = json.loads(sock.recv(1000))
        return said
