# SPDX-License-Identifier: Apache-2.0
"""Does a closed month say of every minute what the running judge says of it?"""

from __future__ import annotations

import json
from pathlib import Path

from collector.config import load_config
from collector.evidence.difference import expand
from collector.judge.file import FileBook
from collector.judge.schema import open_for_reading
from collector.playback import START
from collector.replay import replay
from tests.unit.collector.evidence.test_commands import CONFIG
from tests.unit.collector.evidence.world import MONTH, SCHOOLS, november

SINKS = '\n[sinks.judge]\nenabled = true\npath = "{0}/verdicts.db"\n\n[sinks.store]\npath = "{0}/store.db"\n'


async def test_every_minute_of_a_closed_month_is_as_the_running_judge_has_it(tmp_path: Path) -> None:
    world = november(tmp_path)
    world.tell("kz-3", 1, delay_ms=86_400_000)
    closed = world.close()
    file = tmp_path / "collector.toml"
    file.write_text((CONFIG + SINKS).format(tmp_path))
    config = load_config(file)
    await replay(config, "judge", START)

    slots = json.loads((closed.folder / "slots.json").read_bytes())
    first, end = MONTH.slots(config.contracts.of("kz-1")[0].stretches[0].promise.calendar.zone).spans[0]
    db = open_for_reading(tmp_path / "verdicts.db", busy_s=1)
    try:
        lived = {school: FileBook(db).verdicts(school, first, end - 1).classes for school in SCHOOLS}
    finally:
        db.close()
    assert sum(map(len, lived.values())) == 4 * 30 * 1440
    assert {school: expand(slots[school]["runs"]) for school in SCHOOLS} == lived
