# SPDX-License-Identifier: Apache-2.0
"""A school, its router and modem, an operator and the internet, each in a network namespace of its own.

Four hops, the second link of which can be narrow or mute; the kernel itself answers what expires on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.linkbed import namespace

TREE = Path(__file__).resolve().parents[2]
ROOMS = ("school", "router", "modem", "operator", "internet")
TARGET, TARGET_6 = "1.1.1.1", "2606:4700:4700::1111"
HOPS = ("192.168.77.1", "192.168.100.1", "100.64.0.1", TARGET)
WEB = "198.51.100.80"

_MEASURE = """
import asyncio, json, sys
from agent.contract.decoder import decode
from agent.contract.record import to_plain
from agent.probes import load
probe = decode(load(sys.argv[1]), json.loads(sys.argv[2]), strict=True)
print(json.dumps([[to_plain(f.fields), f.reason, f.detail] for f in asyncio.run(probe.measure())]))
"""

_INSIDE = {
    "school": """
addr add 192.168.77.10/24 dev out
addr add 2001:db8:77::10/64 dev out nodad
route add default via 192.168.77.1
route add ::/0 via 2001:db8:77::1
""",
    "router": """
addr add 192.168.77.1/24 dev in
addr add 192.168.100.2/24 dev out
addr add 2001:db8:77::1/64 dev in nodad
addr add 2001:db8:100::2/64 dev out nodad
route add default via 192.168.100.1
route add ::/0 via 2001:db8:100::1
""",
    "modem": """
addr add 192.168.100.1/24 dev in
addr add 100.64.0.2/30 dev out
addr add 2001:db8:100::1/64 dev in nodad
addr add 2001:db8:64::2/64 dev out nodad
route add default via 100.64.0.1
route add ::/0 via 2001:db8:64::1
route add 192.168.77.0/24 via 192.168.100.2
route add 2001:db8:77::/64 via 2001:db8:100::2
""",
    "operator": """
addr add 100.64.0.1/30 dev in
addr add 203.0.113.1/30 dev out
addr add 2001:db8:64::1/64 dev in nodad
addr add 2001:db8:113::1/64 dev out nodad
route add default via 203.0.113.2
route add ::/0 via 2001:db8:113::2
route add 192.168.0.0/16 via 100.64.0.2
route add 2001:db8:77::/64 via 2001:db8:64::2
route add 2001:db8:100::/64 via 2001:db8:64::2
""",
    "internet": f"""
addr add 203.0.113.2/30 dev in
addr add 2001:db8:113::2/64 dev in nodad
addr add {TARGET}/32 dev lo
addr add {WEB}/32 dev lo
addr add {TARGET_6}/128 dev lo nodad
route add default via 203.0.113.1
route add ::/0 via 2001:db8:113::1
""",
}

Found = list[tuple[dict[str, Any], str | None, str | None]]


class Row:
    """The five rooms."""

    def __init__(self) -> None:
        self.names = {room: f"{namespace.PREFIX}{os.getpid()}-eyes-{room}" for room in ROOMS}

    def build(self) -> None:
        """Make the rooms and what joins them."""
        for name in self.names.values():
            namespace.add(name)
            namespace.forward(name)
            with namespace.entered(name):
                Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
        for near, far in itertools.pairwise(ROOMS):
            joined = f"link add out netns {self.names[near]} type veth peer name in netns {self.names[far]}"
            namespace.ip(*joined.split())
        for room in ROOMS:
            ends = [
                end for end in ("in", "out") if (room, end) not in {("school", "in"), ("internet", "out")}
            ]
            up = "".join(f"link set {end} up\n" for end in (*ends, "lo"))
            namespace.ip("-n", self.names[room], "-batch", "-", commands=up + _INSIDE[room])
        namespace.write_resolvers(self.names["school"], (TARGET,))

    def clear(self) -> None:
        """Remove everything."""
        for name in self.names.values():
            namespace.remove(name)

    def narrow(self, mtu_bytes: int) -> None:
        """The link between modem and operator carries no more."""
        for room, end in (("modem", "out"), ("operator", "in")):
            namespace.ip("-n", self.names[room], "link", "set", end, "mtu", str(mtu_bytes))

    def ip(self, room: str, command: str) -> None:
        """ip(8) inside a room."""
        namespace.ip("-n", self.names[room], *command.split())

    def rule(self, room: str, hook: str, rule: str, *, table: str = "filter") -> None:
        """A rule of nft(8): `hook` is where, as input, output, forward or prerouting."""
        kind = "nat" if table == "nat" else "filter"
        chain = f"add chain inet {table} {hook} {{ type {kind} hook {hook} priority 0; }}"
        for line in (f"add table inet {table}", chain, f"add rule inet {table} {hook} {rule}"):
            subprocess.run(self.inside(room, ["nft", line]), check=True)

    def inside(self, room: str, command: Sequence[str]) -> list[str]:
        """The command as it is run in a room."""
        return ["ip", "netns", "exec", self.names[room], *command]

    def measure(self, kind: str, wrap: Sequence[str] = (), **options: Any) -> Found:
        """What a probe finds in the school, all its targets."""
        command = [*wrap, sys.executable, "-c", _MEASURE, kind, json.dumps(options)]
        made = subprocess.run(
            self.inside("school", command), cwd=TREE, capture_output=True, text=True, check=False, timeout=60
        )
        assert made.returncode == 0, made.stderr
        return [(fields, reason, detail) for fields, reason, detail in json.loads(made.stdout)]

    def one(self, kind: str, **options: Any) -> tuple[dict[str, Any], str | None]:
        """What a probe finds when it has one target."""
        ((fields, reason, _),) = self.measure(kind, **options)
        return fields, reason

    @contextlib.contextmanager
    def serving(self, room: str, serve: Callable[..., Any], *arguments: Any) -> Iterator[None]:
        """A server of this module, run in a room until the end of the block."""
        code = f"from tests.integration import eyes; eyes.{serve.__name__}(*{arguments!r})"
        command = self.inside(room, [sys.executable, "-c", code])
        with subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            try:
                yield
            finally:
                process.kill()

    @contextlib.contextmanager
    def running(self, room: str, command: Sequence[str], said: str) -> Iterator[None]:
        """A program in a room, once it has said this on stderr."""
        with subprocess.Popen(self.inside(room, command), stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            lines: list[str] = []
            while said not in "".join(lines[-1:]):
                lines.append(process.stderr.readline())
                assert lines[-1], f"it ended: {''.join(lines)}"
            try:
                yield
            finally:
                process.kill()


def answer_http(host: str, port: int, response: str) -> None:
    """Answer every request with these bytes until killed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(65536)
            writer.write(response.encode("latin-1"))
            await writer.drain()
        writer.close()

    asyncio.run(_until_killed(serve, host, port))


def proxy_http(host: str, port: int, web: str) -> None:
    """A proxy that only knows CONNECT, and one web host."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        far_reader, far_writer = await asyncio.open_connection(web, int(there.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    asyncio.run(_until_killed(serve, host, port))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _until_killed(serve: Callable[..., Any], host: str, port: int) -> None:
    server = await asyncio.start_server(serve, host, port)
    print("ready", flush=True)
    await server.serve_forever()
