# SPDX-License-Identifier: Apache-2.0
"""Is a spool one agent's alone, as long as its process lives and no longer?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import SpoolInUse
from agent.spool.alone import Alone

_HOLD = "import sys,time,pathlib; from agent.spool.alone import Alone; a = Alone([pathlib.Path(sys.argv[1])]); print(1, flush=True); time.sleep(60)"  # noqa: E501 -- one program


def test_a_folder_is_held_until_its_process_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(SpoolInUse, match="another school-agent is using this folder"):
            Alone([tmp_path])
        other.kill()

    Alone([tmp_path]).close()
    assert not list(tmp_path.iterdir())


def test_one_held_folder_of_two_leaves_the_other_free(tmp_path: Path) -> None:
    first = Alone([tmp_path / "a"])
    with pytest.raises(SpoolInUse):
        Alone([tmp_path / "b", tmp_path / "a"])

    Alone([tmp_path / "b"]).close()
    first.close()


def test_the_same_folder_under_two_names_is_held_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    alone = Alone([tmp_path / "a", tmp_path / "link", tmp_path / "a"])
    with pytest.raises(SpoolInUse):
        Alone([tmp_path / "link"])
    alone.close()


def test_a_folder_that_cannot_be_made_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    Alone([tmp_path / "file"]).close()
