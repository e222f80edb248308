# SPDX-License-Identifier: Apache-2.0
"""Is collector.toml read as written, and is everything else refused with a sentence that helps?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from collector.config import CollectorOptions, load_config
from collector.errors import ConfigError

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.toml"))
FILES = Path(__file__).parents[1] / "files"


@pytest.fixture
def registry(tmp_path: Path) -> str:
    file = tmp_path / "registry.toml"
    file.write_text('[[school]]\nid = "s"\n[[device]]\nid = "d"\nschool = "s"\n')
    return f'[registry]\nfile = "{file}"\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "collector.toml"
    file.write_text(text)
    return file


def _checked(file: Path) -> None:
    """As `school-collector check` does."""
    config = load_config(file, {})
    for kind in config.sinks:
        config.make_sink(kind)


def test_there_is_a_file_for_every_rule() -> None:
    assert len(INVALID) == 51


@pytest.mark.parametrize("file", INVALID, ids=lambda f: f.stem)
def test_a_file_that_breaks_a_rule_is_refused_with_its_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES)
    sentence = file.read_text().splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigError) as raised:
        _checked(file)

    assert sentence in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_what_is_left_out_has_its_default(tmp_path: Path, registry: str) -> None:
    config = load_config(write(tmp_path, registry), {})

    assert config.options == dataclasses.replace(CollectorOptions(), registry=config.options.registry)
    assert list(config.sinks) == ["store"]
    assert config.registry.devices() == ("d",)


def test_a_registry_may_be_two_csv_files(tmp_path: Path) -> None:
    (tmp_path / "schools.csv").write_text("id\ns\n")
    (tmp_path / "devices.csv").write_text("id,school\nd,s\n")
    text = f'[registry]\nschools_file = "{tmp_path}/schools.csv"\ndevices_file = "{tmp_path}/devices.csv"\n'

    assert load_config(write(tmp_path, text), {}).registry.devices() == ("d",)


def test_sinks_that_are_enabled_are_made(tmp_path: Path, registry: str) -> None:
    text = registry + '[sinks.influxdb]\nenabled = true\ntoken_file = "token"\n[sinks.store]\npath = "s.db"\n'
    config = load_config(write(tmp_path, text), {})

    assert list(config.sinks) == ["store", "influxdb"]
    assert config.make_sink("store").name == "store"
    with pytest.raises(ConfigError, match=r"sinks\.influxdb\.token_file: token cannot be read"):
        config.make_sink("influxdb")


def test_a_collector_without_page_and_store_is_possible(tmp_path: Path, registry: str) -> None:
    text = registry + "[sinks.store]\nenabled = false\n[web]\nenabled = false\n"

    assert load_config(write(tmp_path, text), {}).sinks == {}


def test_every_key_has_its_sentence() -> None:
    tables = [
        f.default_factory() for f in dataclasses.fields(CollectorOptions) if callable(f.default_factory)
    ]
    keys = [f for table in tables if dataclasses.is_dataclass(table) for f in dataclasses.fields(table)]

    assert len(keys) >= 25
    assert [f.name for f in keys if not f.metadata.get("doc")] == []
