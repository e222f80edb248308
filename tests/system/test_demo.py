# SPDX-License-Identifier: Apache-2.0
"""Does `make run` show a newcomer the whole of it, and end cleanly?"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.trio import wait_until

pytestmark = [pytest.mark.root, pytest.mark.parts, pytest.mark.timeout(180)]


@pytest.fixture
def namespace() -> Iterator[list[str]]:
    """A network of its own, in which the anchors' addresses are this machine."""
    name = f"spt-{secrets.token_hex(4)}"
    ip = ["ip", "-n", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run([*ip, "link", "set", "lo", "up"], check=True)
    for anchor in ("1.1.1.1", "8.8.8.8", "9.9.9.9"):
        subprocess.run([*ip, "addr", "add", f"{anchor}/32", "dev", "lo"], check=True)
    yield ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "del", name], check=True)


def _output_until(program: subprocess.Popen[str], sign: str) -> str:
    assert program.stdout is not None
    seen = ""
    for line in program.stdout:
        seen += line
        if sign in line:
            return seen
    raise AssertionError(f"it ended without {sign!r}:\n{seen}")


def _page(namespace: list[str], address: str) -> str:
    code = (
        "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"
    )
    answer = subprocess.run(
        [*namespace, sys.executable, "-c", code, address], capture_output=True, text=True, check=True
    )
    return answer.stdout


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_the_demo_shows_its_page_and_ends_cleanly(tmp_path: Path, namespace: list[str], broker: str) -> None:
    demo = ["-m", "collector", "demo", "--broker", broker, "--directory", str(tmp_path)]
    command = [*namespace, sys.executable, *demo]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        seen = _output_until(program, "Ctrl-C ends all three")
        address = next(word for word in seen.split() if word.startswith("http://"))
        assert "This machine" in _page(namespace, address)
        assert f"broker: {broker}" in seen
        program.send_signal(signal.SIGINT)
        rest = program.communicate(timeout=40)[0]
    finally:
        program.kill()
    assert [f"{name}: ended" in rest for name in ("agent", "collector", "broker")] == [True] * 3
    assert program.returncode == 0


def _alive(seen: str) -> list[str]:
    """Which of the three still run."""
    pids = [line.split("pid ")[1].split(",")[0] for line in seen.splitlines() if ": pid " in line]
    assert len(pids) == 3
    return [
        pid
        for pid in pids
        if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


@pytest.mark.parametrize("end", [signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_when_the_terminal_or_the_demo_goes(
    tmp_path: Path, namespace: list[str], end: signal.Signals
) -> None:
    command = [*namespace, sys.executable, "-m", "collector", "demo", "--directory", str(tmp_path)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = _output_until(program, "Ctrl-C ends all three")
    program.send_signal(end)
    program.communicate(timeout=40)

    wait_until(lambda: not _alive(seen), 20, "all three have ended")


def test_a_second_demo_says_where_to_look_and_touches_nothing(tmp_path: Path, namespace: list[str]) -> None:
    command = [*namespace, sys.executable, "-m", "collector", "demo", "--directory", str(tmp_path)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = _output_until(program, "Ctrl-C ends all three")
    before = (tmp_path / "agent.toml").read_text()
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=40)

    assert second.returncode == 1
    assert "look at http://127.0.0.1:" in second.stderr
    assert (tmp_path / "agent.toml").read_text() == before
    assert len(_alive(seen)) == 0
