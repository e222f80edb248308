# SPDX-License-Identifier: Apache-2.0
"""Does the collector accept the configuration that the compose file gives it?"""

from __future__ import annotations

import time
from pathlib import Path

from collector.authority.authority import create
from collector.config import load_config

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "collector"


def test_collector_accepts_its_file_when_secrets_are_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not a real one")
    text = (FOLDER / "collector.toml").read_text()
    create(tmp_path / "authority", ["mosquitto"], name="test", now_s=time.time())
    for path, here in (
        ("/var/lib/schoolpulse/authority", secret.parent / "authority"),
        ("/run/token/token", secret),
    ):
        assert path in text
        text = text.replace(path, str(here))
    file = tmp_path / "collector.toml"
    file.write_text(f'{text}\n[registry]\nfile = "{FOLDER / "registry.toml"}"\n')
    config = load_config(file, {})
    assert (config.broker.port, config.broker.password) == (8883, None)
    assert config.broker.tls is not None
    assert set(config.sinks) == {"store", "influxdb", "judge"}
    assert config.watches
