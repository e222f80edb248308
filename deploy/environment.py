# SPDX-License-Identifier: Apache-2.0
"""How does a machine with only Python and a network get the virtual environment of this source tree?

Debian's python3 without python3-venv has no ensurepip, so pip itself is fetched from the package index,
compared with the SHA-256 that the index states, and run from its wheel. The index is the one pip would use:
PIP_INDEX_URL, else pip's configuration files, else the public one. An environment with the extras asked for,
made from the same setup.cfg by the same Python, is used as it is.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import html.parser
import importlib.util
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parent.parent
PUBLIC_INDEX = "https://pypi.org/simple"
OLDEST, NEWEST = (3, 11), (3, 13)
TIMEOUT_S = 60
WHEEL = re.compile(r"pip-(\d+(?:\.\d+)+)-py3-none-any\.whl$")
NEEDS = re.compile(r">=\s*(\d+)\.(\d+)")


class Refused(Exception):
    """The environment cannot be built; the sentence says what to do."""


def main() -> int:
    """Build or reuse the environment and return the exit code."""
    options = _options()
    try:
        _check_python()
        build(options.directory.resolve(), set(options.extras))
    except Refused as e:
        print(f"\nschoolpulse: {e}", file=sys.stderr)
        return 1
    return 0


def build(directory: Path, extras: set[str]) -> None:
    """Make `directory` an environment with the extras, unless it already is one."""
    stamp = directory / "schoolpulse.json"
    source = _source(directory)
    known = _read(stamp)
    is_current = known.get("source") == source
    installed = set(known.get("extras", ())) if is_current else set()
    if is_current and extras <= installed:
        return
    wanted = sorted(extras | installed)
    print(f"environment: building {directory} for {', '.join(wanted)}; takes a minute or two", flush=True)
    venv.EnvBuilder(with_pip=False, symlinks=True, clear=not is_current).create(directory)
    python = directory / "bin" / "python"
    _provide_pip(python)
    _pip(python, "--editable", f"{TREE}[{','.join(wanted)}]")
    stamp.write_text(json.dumps({"source": source, "extras": wanted}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the virtual environment of this source tree.")
    parser.add_argument("--directory", type=Path, default=TREE / ".venv", help="where (default: .venv)")
    parser.add_argument("extras", nargs="+", help="extras of setup.cfg to install")
    return parser.parse_args()


def _check_python() -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise Refused(
            f"needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, and {sys.executable} is {found}. Debian 12 and "
            "Raspberry Pi OS bookworm have 3.11. Another Python is named with: make PYTHON=/path/to/python3"
        )


def _source(directory: Path) -> str:
    """What the environment is made from, as one hash; another hash means to make it anew."""
    parts = [sys.version, str(TREE), str(directory)]
    parts += [(TREE / name).read_text() for name in ("setup.cfg", "pyproject.toml")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(stamp: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(stamp.read_text()))
    except (OSError, ValueError):
        return {}


def _provide_pip(python: Path) -> None:
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return
    if importlib.util.find_spec("ensurepip"):
        _run([python, "-m", "ensurepip", "--upgrade"])
        return
    index = _index()
    with tempfile.TemporaryDirectory() as scratch:
        wheel = _fetch_pip(index, Path(scratch))
        _run([python, wheel / "pip", "install", "--quiet", "--no-index", wheel])


def _pip(python: Path, *what: str) -> None:
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what])


def _run(command: list[Path | str]) -> None:
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ran.returncode != 0:
        raise Refused(
            f"the packages could not be installed:\n\n{ran.stdout}\nThe first run needs the package index "
            f"{_index()} once; pip's own settings are honoured, such as PIP_INDEX_URL and PIP_CERT"
        )


def _fetch_pip(index: str, directory: Path) -> Path:
    """Download the newest pip that this Python can run; the file is what the index says it is."""
    page_url = f"{index.rstrip('/')}/pip/"
    links = _Links()
    links.feed(_download(page_url, index).decode())
    if not links.wheels:
        raise Refused(f"{page_url} lists no pip for this Python")
    url, sha256 = max(links.wheels.items())[1]
    name = url.rpartition("/")[2]
    body = _download(urllib.parse.urljoin(page_url, url), index)
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Refused(f"{name} from {index} is not the file its index describes (SHA-256 differs)")
    (directory / name).write_bytes(body)
    return directory / name


class _Links(html.parser.HTMLParser):
    """Wheels of a project's page in the simple index (PEP 503, 592, 440), by version."""

    def __init__(self) -> None:
        super().__init__()
        self.wheels: dict[tuple[int, ...], tuple[str, str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        link = dict(attrs)
        url, _, fragment = (link.get("href") or "").partition("#sha256=")
        wheel = WHEEL.search(url)
        needs = NEEDS.search(link.get("data-requires-python") or "")
        is_runnable = needs is None or tuple(map(int, needs.groups())) <= sys.version_info[:2]
        if tag == "a" and wheel and fragment and is_runnable and "data-yanked" not in link:
            version = tuple(map(int, wheel.group(1).split(".")))
            self.wheels[version] = (url, fragment)


def _download(url: str, index: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": "text/html"})  # noqa: S310 - the user's own index
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=_trust()) as answer:  # noqa: S310
            return bytes(answer.read())
    except (OSError, ValueError) as e:
        reason = e.reason if isinstance(e, urllib.error.URLError) else e
        raise Refused(
            f"the package index {index} cannot be reached ({reason}). The first run needs the network once; "
            "PIP_INDEX_URL names another index, http_proxy and https_proxy a proxy"
        ) from e


def _index() -> str:
    return _pip_setting("index-url") or PUBLIC_INDEX


def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=_pip_setting("cert"))


def _pip_setting(name: str) -> str | None:
    """One of pip's settings, from where pip itself would read it; the most specific place wins."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if from_environment:
        return from_environment
    config = configparser.RawConfigParser()
    home = Path.home()
    places = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    places += [Path(p) for p in [os.environ.get("PIP_CONFIG_FILE")] if p]
    config.read(places)
    return config.get("global", name, fallback=None)


if __name__ == "__main__":
    sys.exit(main())
