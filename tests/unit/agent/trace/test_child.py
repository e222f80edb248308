# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer
from agent.trace import child
from agent.trace.told import Order, Told, write

ORDER = Order(
    target="127.0.0.1",
    methods=("icmp",),
    hops_max=1,
    tries=1,
    timeout_s=0.1,
    budget_s=0.1,
    port=443,
    pings=0,
    mtu_max_bytes=0,
)


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import os, sys, time\n{code}")


def says(told: Told) -> tuple[str, ...]:
    return program(f"sys.stdout.write({write(told).decode()!r})")


async def test_what_the_child_says_is_handed_on() -> None:
    told = Told(method="icmp", reached=True)
    assert await child.find_out(ORDER, says(told)) == told


@pytest.mark.parametrize("word", [Reason.NOT_PERMITTED, Reason.NOT_PRESENT, Reason.NETWORK_DOWN])
async def test_what_the_child_could_not_do_is_the_reason(word: Reason) -> None:
    with pytest.raises(NoAnswer) as e:
        await child.find_out(ORDER, says(Told(failed=word, detail="why")))
    assert (e.value.reason, e.value.detail) == (word, "why")


@pytest.mark.parametrize(
    "code", ["", "sys.exit(3)", "print('{')", "print('x' * 200_000)", "os.kill(os.getpid(), 9)"]
)
async def test_child_that_says_nothing_sensible_is_our_bug(code: str) -> None:
    with pytest.raises(NoAnswer) as e:
        await child.find_out(ORDER, program(code))
    assert e.value.reason == Reason.INTERNAL


async def test_program_that_may_not_be_started_is_not_permitted(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer) as e:
        await child.find_out(ORDER, (str(tmp_path),))
    assert e.value.reason == Reason.NOT_PERMITTED


async def test_reason_from_another_version_is_internal() -> None:
    with pytest.raises(NoAnswer) as e:
        await child.find_out(ORDER, says(Told(failed="new_word")))
    assert e.value.reason == Reason.INTERNAL


async def test_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(child, "GRACE_S", 0.5)
    file = tmp_path / "pid"
    with pytest.raises(NoAnswer) as e:
        await child.find_out(
            ORDER, program(f"open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
        )
    assert e.value.reason == Reason.OVERRAN
    assert is_gone(file)


async def test_child_is_ended_when_the_round_is_cancelled(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    task = asyncio.create_task(child.find_out(ORDER, program(code)))
    while not (file.exists() and file.read_text()):  # noqa: ASYNC110 -- another process writes it
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_gone(file)


def is_gone(file: Path) -> bool:
    return not file.exists() or not Path("/proc", file.read_text()).exists()


async def test_real_child_says_what_it_may_not_do() -> None:
    command = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", *child.COMMAND)
    drop = command if os.geteuid() == 0 else child.COMMAND
    with pytest.raises(NoAnswer) as e:
        await child.find_out(ORDER, drop)
    assert e.value.reason == Reason.NOT_PERMITTED
    assert "CAP_NET_RAW" in e.value.detail


async def test_real_child_says_that_scapy_is_missing(tmp_path: Path) -> None:
    (tmp_path / "scapy.py").write_text("raise ImportError('no scapy here')")
    command = ("env", f"PYTHONPATH={tmp_path}{os.pathsep}{Path.cwd()}", *child.COMMAND)
    with pytest.raises(NoAnswer) as e:
        await child.find_out(ORDER, command)
    assert e.value.reason == Reason.NOT_PRESENT
    assert "extra `path`" in e.value.detail


def test_agent_never_imports_scapy() -> None:
    sources = [p for p in Path("agent").rglob("*.py") if "scapy" in p.read_text()]
    importing = {str(p) for p in sources if "from scapy" in p.read_text()}
    assert importing == {"agent/trace/packets.py"}
