# SPDX-License-Identifier: Apache-2.0
"""Does the agent speak TLS with a real broker, as its settings say?"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from agent.config import AgentConfig, load_config
from agent.publisher.link import Link
from tests.parts.mosquitto import Mosquitto

TLS = "allow_anonymous true\ncertfile {0}/broker.crt\nkeyfile {0}/broker.key\n"


@pytest.fixture
def broker(tmp_path: Path) -> Mosquitto:
    _certify(tmp_path)
    return Mosquitto(tmp_path, extra=TLS.format(tmp_path))


def _certify(folder: Path) -> None:
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=broker"]
    usage = ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", "broker.crt", "-keyout", "broker.key"]
    command = ["openssl", "req", "-x509", *kind, *usage, *names, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def configured(folder: Path, port: int) -> AgentConfig:
    mqtt = f'host = "127.0.0.1"\nport = {port}\nprotocol = "5"\nca_file = "{folder}/broker.crt"\n'
    (folder / "agent.toml").write_text(f'device = "kz-1"\n[mqtt]\n{mqtt}')
    return load_config(folder / "agent.toml", {})


async def test_a_broker_whose_certificate_is_trusted_is_spoken_to(tmp_path: Path, broker: Mosquitto) -> None:
    with broker:
        config = configured(tmp_path, broker.port)
        link = Link("kz-1", "0badcafe", config.options.mqtt, config.password, config.tls)
        task = asyncio.create_task(link.run())
        async with asyncio.timeout(20):
            await link.connected.wait()
        task.cancel()
        await asyncio.wait([task])


async def test_a_broker_nobody_vouches_for_costs_no_files_and_is_named_once(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agent.publisher.link._FIRST_RECONNECT_S", 0)
    monkeypatch.setattr("agent.publisher.link._MAX_RECONNECT_S", 0)
    with broker:
        _certify(tmp_path)
        config = configured(tmp_path, broker.port)
        link = Link("kz-1", "0badcafe", config.options.mqtt, config.password, config.tls)
        task = asyncio.create_task(link.run())
        await _connections(broker, 20)
        before = _open_files()
        await _connections(broker, 1000)
        after = _open_files()
        task.cancel()
        await asyncio.wait([task])
    print(f"\nlink: {before} open files after 20 failed handshakes, {after} after 1,000")

    assert after < before + 10
    assert caplog.text.count("link.untrusted") == 1
    assert (
        f"link.untrusted host=127.0.0.1 port={broker.port} problem=certificate verify failed" in caplog.text
    )


async def _connections(broker: Mosquitto, n: int) -> None:
    async with asyncio.timeout(60):
        while broker.log.count("New connection") < n:  # noqa: ASYNC110  # a log rings no bell
            await asyncio.sleep(0.05)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
