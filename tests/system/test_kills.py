# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed and whenever: is what the probes made in the store, equal, and each once?"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.system.ledger import settle
from tests.system.trio import Trio, wait_until
from tests.system.witness import digest

KILLS = int(os.environ.get("SCHOOLPULSE_TEST_KILLS", "60"))
SEED = int(os.environ.get("SCHOOLPULSE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)


@pytest.mark.timeout(600)
@pytest.mark.parts
def test_what_was_made_is_stored_once_after_sixty_kills(tmp_path: Path) -> None:
    trio = Trio(tmp_path)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(trio.close)
        for name in ("broker", "collector", "agent"):
            trio.start(name)
        wait_until(lambda: bool(trio.stored()), 30, "a first record in the store")
        killed = _kill_at_random(trio, KILLS)
        before = len(trio.noted("made"))
        wait_until(lambda: len(trio.noted("made")) > before, 20, "the agent measures again")
        settle(trio, 90)
        assert trio.stop("collector") == 0
        _compare(trio, killed)


def _kill_at_random(trio: Trio, kills: int) -> Counter[str]:
    dice = random.Random(SEED)
    killed: Counter[str] = Counter()
    for _ in range(kills):
        time.sleep(dice.uniform(0.1, 2.0))
        name = dice.choice(["agent", "agent", "collector", "collector", "broker"])
        trio.kill(name)
        killed[name] += 1
        time.sleep(dice.choice([0.0, 0.0, 0.3]))
        trio.start(name)
    return killed


def _compare(trio: Trio, killed: Counter[str]) -> None:
    stored = Counter((r.session, str(r.seq)) for r in trio.stored())
    contents = {(r.session, str(r.seq)): digest(r.record) for r in trio.stored()}
    made = {(session, seq): content for session, seq, _, content in trio.noted("made")}
    tried = {(session, seq) for session, seq in trio.noted("try")}
    print(f"\nseed {SEED}: {dict(killed)}; made {len(made)}, stored {len(stored)}")

    assert set(stored.values()) == {1}
    late = {identity for identity in made if identity not in stored}
    assert not late, f"made after the last look and not stored: {sorted(late)[:5]}"
    assert set(stored) - set(made) <= tried - set(made)
    assert {i: c for i, c in contents.items() if i in made} == made
    assert sum(killed.values()) == KILLS
    assert not (trio.directory / "dead-letters").exists() or not list(
        (trio.directory / "dead-letters").iterdir()
    )
