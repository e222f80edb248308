# SPDX-License-Identifier: Apache-2.0
"""Do the reflector's commands do what their help says?"""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from collector.__main__ import main
from collector.errors import ConfigError
from collector.reflector import token
from collector.reflector.gate import Gate
from collector.reflector.listening import listening_for_datagrams, listening_for_streams
from collector.reflector.options import (
    CapacityOptions,
    GateOptions,
    HttpOptions,
    Ndt7Options,
    ReflectorOptions,
    TcpOptions,
    load,
)
from collector.reflector.service import serve


def test_a_token_holds_with_the_public_key_that_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = str(tmp_path / "reflector.key")
    assert main(["reflector-token", "--public", "--key", key, "--json"]) == 0
    public = bytes.fromhex(json.loads(capsys.readouterr().out)["public_key"])
    for words, device, site in ((["kz-0001"], "kz-0001", None), (["kz-2", "--site", "s7"], "kz-2", "s7")):
        assert main(["reflector-token", *words, "--key", key]) == 0
        text = capsys.readouterr().out.strip()
        read = token.read(Ed25519PublicKey.from_public_bytes(public), text, now_s=0)
        assert (read.device, read.site) == (device, site)


@pytest.mark.parametrize(
    ("words", "problem"),
    [(["KZ 1"], "no id of a device"), (["kz-1", "--site", "School 7"], "no name of a site")],
)
def test_what_is_no_device_and_no_site_gets_no_token(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reflector-token", *words, "--key", str(tmp_path / "key")]) == 78
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gate]\ntoken_public_key = 'ab'", "64 hexadecimal"),
        ("[capacity]\nhost = 'a b'", "capacity.host"),
        ("[gate]\ntest = 1", "did you mean"),
        ("[", "reflector.toml: "),
    ],
)
def test_what_does_not_hold_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "reflector.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        load(file)


def everywhere_a_free_port() -> ReflectorOptions:
    return ReflectorOptions(
        capacity=CapacityOptions(port=0),
        tcp=TcpOptions(port=0),
        ndt7=Ndt7Options(enabled=True, port=0),
        http=HttpOptions(enabled=True, port=0),
    )


async def test_services_end_when_told() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(10):
        await serve(everywhere_a_free_port(), stop)


async def test_a_machine_without_ipv6_is_served_by_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    gate = Gate(GateOptions())
    async with (
        listening_for_datagrams(CapacityOptions(port=0), gate) as udp_port,
        listening_for_streams(TcpOptions(port=0), gate) as port,
    ):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
            pytest.raises(OSError, match="in use"),
        ):
            other.bind(("127.0.0.1", udp_port))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.abort()


class Broken(Exception):
    """A fault of the program's own."""


@pytest.mark.parametrize(
    "part",
    [
        "udp.CapacityServer._turn",
        "stream.StreamServer.serve",
        "ndt7.Ndt7Server.serve",
        "pages.PageServer.serve",
    ],
)
async def test_a_service_that_fails_ends_the_program_to_be_started_anew(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Broken(part)

    async def fail_later(*_: object) -> None:
        fail()

    monkeypatch.setattr(f"collector.reflector.{part}", fail if "Capacity" in part else fail_later)
    with pytest.raises(Broken):
        async with asyncio.timeout(10):
            await serve(everywhere_a_free_port(), asyncio.Event())


@pytest.mark.parametrize(
    ("table", "kind"),
    [("capacity", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM), ("http", socket.SOCK_STREAM)],
)
def test_a_port_that_another_program_has_is_said_with_its_table(
    table: str, kind: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET6, kind) as other:
        other.bind(("::", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        ports = {"capacity": 0, "tcp": 0, "http": 0, table: other.getsockname()[1]}
        lines = [f"{name} = {{ enabled = true, port = {port} }}" for name, port in ports.items()]
        (tmp_path / "reflector.toml").write_text("\n".join(lines))
        assert main(["reflector", "--config", str(tmp_path / "reflector.toml")]) == 78
    assert f"reflector.toml: {table}: cannot listen" in capsys.readouterr().err
