# SPDX-License-Identifier: Apache-2.0
"""Does `make run` get its environment on a machine that has neither pip nor ensurepip?"""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


class Index:
    """A package index on this machine with one project; what it lists is what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links: list[str] = []
        (folder / "pip").mkdir()

    def offer(self, name: str, *, sha256: str = "", attributes: str = "") -> Path:
        """A wheel that installs nothing but can be told apart."""
        file = self.folder / name
        with zipfile.ZipFile(file, "w") as wheel:
            wheel.writestr("pip/__init__.py", f"NAME = {name!r}")
        sha256 = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
        self.links.append(f'<a href="../{name}#sha256={sha256}" {attributes}>{name}</a><br/>')
        (self.folder / "pip" / "index.html").write_text("\n".join(self.links))
        return file


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Index]]:
    folder = tmp_path / "index"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Index(folder)
        server.shutdown()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DEPLOY))
    return __import__("environment")


def test_newest_pip_that_runs_here_is_fetched(
    environment: ModuleType, index: tuple[str, Index], tmp_path: Path
) -> None:
    url, project = index
    project.offer("pip-9.0.3-py3-none-any.whl")
    project.offer("pip-26.3-py3-none-any.whl", attributes='data-requires-python="&gt;=3.9"')
    project.offer("pip-26.4-py3-none-any.whl", attributes='data-yanked="broken"')
    project.offer("pip-99.0-py3-none-any.whl", attributes='data-requires-python="&gt;=3.99"')
    assert environment._fetch_pip(url, tmp_path).name == "pip-26.3-py3-none-any.whl"


def test_file_is_refused_when_it_is_not_what_the_index_describes(
    environment: ModuleType, index: tuple[str, Index], tmp_path: Path
) -> None:
    url, project = index
    project.offer("pip-26.3-py3-none-any.whl", sha256="0" * 64)
    with pytest.raises(environment.Refused, match="SHA-256 differs"):
        environment._fetch_pip(url, tmp_path)
    assert not list(tmp_path.glob("*.whl"))


def test_index_without_pip_is_named(
    environment: ModuleType, index: tuple[str, Index], tmp_path: Path
) -> None:
    url, project = index
    project.offer("pip-99.0-py3-none-any.whl", attributes='data-requires-python="&gt;=3.99"')
    with pytest.raises(environment.Refused, match="lists no pip for this Python"):
        environment._fetch_pip(url, tmp_path)


def test_missing_network_is_said_with_what_to_do(environment: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(environment.Refused, match="needs the network once; PIP_INDEX_URL names another"):
        environment._fetch_pip("http://127.0.0.1:9", tmp_path)


def test_python_too_old_is_said_before_anything_else(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(environment.Refused, match=r"needs Python 3\.11 to 3\.13, and .* is 3\.9\.2"):
        environment._check_python()


def test_script_can_be_read_by_a_python_that_is_too_old() -> None:
    """Or else it would end in a syntax error instead of its sentence."""
    compile((DEPLOY / "environment.py").read_text(), "environment.py", "exec", _feature_version=7)


def test_settings_of_pip_are_honoured(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://mirror.invalid/simple\n")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert environment._index() == "https://mirror.invalid/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.invalid/simple")
    assert environment._index() == "https://other.invalid/simple"


def test_environment_is_used_as_it_is_when_nothing_changed(environment: ModuleType, tmp_path: Path) -> None:
    stamp = {"source": environment._source(tmp_path), "extras": ["agent", "collector"]}
    (tmp_path / "schoolpulse.json").write_text(environment.json.dumps(stamp))
    environment.build(tmp_path, {"agent"})
    assert [path.name for path in tmp_path.iterdir()] == ["schoolpulse.json"]


def test_make_names_the_doors() -> None:
    told = subprocess.run(["make", "-C", DEPLOY.parent], capture_output=True, text=True, check=True).stdout
    doors = [word for word in ("run", "test", "bench", "lint", "docs", "clean") if f"make {word} " in told]
    assert len(doors) == 6


def test_make_says_which_python_is_missing() -> None:
    command = ["make", "-C", str(DEPLOY.parent), "venv", "PYTHON=python-that-is-not-there"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert told.returncode != 0
    assert "needs Python 3.11 to 3.13, there is no python-that-is-not-there" in told.stdout


def test_tests_run_in_an_environment_made_like_that() -> None:
    assert Path(sys.prefix, "pyvenv.cfg").exists()
