# SPDX-License-Identifier: Apache-2.0
"""Is every setting that cannot work refused with its file, its key and what would be right?"""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.__main__ import main
from agent.config import TIMEOUTS_S, load_config
from agent.errors import ConfigError
from agent.probes import PROBES, load

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.toml"))
FILES = Path(__file__).parents[1] / "files"
GOOD = 'device = "kz-1"\n'


def _written(directory: Path, text: str) -> Path:
    file = directory / "agent.toml"
    file.write_text(text)
    return file


def test_there_is_one_file_for_each_rule() -> None:
    assert len(INVALID) == 38


@pytest.mark.parametrize("file", INVALID, ids=lambda p: p.stem)
def test_what_cannot_work_is_refused_with_its_sentence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES)
    sentence = file.read_text().splitlines()[0].removeprefix("# ")

    with pytest.raises(ConfigError) as refused:
        load_config(file, {})

    assert str(refused.value) == f"{file}: {sentence}"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a" * 10 + b"\x00"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "agent.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError):
        load_config(file, {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.toml", {})


def test_a_refused_file_ends_the_program_with_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(_written(tmp_path, "devise = 1"))]) == 78
    assert "devise: unknown key; did you mean 'device'?" in capsys.readouterr().err


def test_every_probe_runs_unless_it_is_switched_off(tmp_path: Path) -> None:
    config = load_config(_written(tmp_path, GOOD + "[probes.dns]\nenabled = false\n"), {})

    assert [p.kind for p in config.probes] == [
        kind for kind in PROBES if kind != "dns" and load(kind)().enabled
    ]


def test_a_password_comes_from_a_systemd_credential(tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").write_text("secret\n")
    text = GOOD + '[mqtt]\nusername = "kz-1"\npassword_file = "mqtt-password"\n'

    config = load_config(_written(tmp_path, text), {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert config.password == "secret"
    assert "secret" not in repr(config.options)


def test_tls_is_made_where_the_files_are_read(tmp_path: Path) -> None:
    text = f'{GOOD}[mqtt]\nca_file = "{FILES}/test.crt"\n'

    assert load_config(_written(tmp_path, text), {}).tls is not None
    assert load_config(_written(tmp_path, GOOD), {}).tls is None


@pytest.mark.parametrize(("report_every_s", "expected_s"), [(15, 300), (60, 360), (300, 1800), (900, 3600)])
def test_acknowledgements_are_asked_for_every_sixth_report(
    tmp_path: Path, report_every_s: int, expected_s: int
) -> None:
    config = load_config(_written(tmp_path, f"{GOOD}[mqtt]\nreport_every_s = {report_every_s}\n"), {})

    assert config.options.mqtt.asks_every_s == expected_s


@pytest.mark.parametrize(("technology", "timeout_s"), [("unknown", 5.0), *TIMEOUTS_S.items()])
def test_probes_wait_as_long_as_the_technology_asks_for(
    tmp_path: Path, technology: str, timeout_s: float
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f'device = "kz-1"\ntechnology = "{technology}"\n[probes.latency]\ntimeout_s = 1.5\n')

    waits = {p.kind: getattr(p, "timeout_s", None) for p in load_config(file, {}).probes}
    assert (waits["reach"], waits["latency"]) == (timeout_s, 1.5)


def test_an_unknown_technology_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('device = "kz-1"\ntechnology = "pigeon"\n')

    with pytest.raises(ConfigError, match="technology"):
        load_config(file, {})
