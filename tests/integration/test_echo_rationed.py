# SPDX-License-Identifier: Apache-2.0
"""Does a router that lets one echo in 5 s through make a school look degraded? The agent as it runs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc", "nft"), pytest.mark.timeout(150)]

CONFIG = """
device = "pi-0001"
[spool]
directory = "{folder}/spool"
[mqtt]
host = "127.0.0.1"
[probes.reach]
every_s = 10
deadline_s = 9
watch_s = 5
timeout_s = 2
anchor_every_s = 1
gateway_every_s = 1
dns_name = ""
[probes.latency]
every_s = 10
deadline_s = 9
targets = ["gateway", "1.1.1.1"]
count = 5
timeout_s = 1
"""

RUN = """
import dataclasses, json, sys
from agent.__main__ import main
from agent.spool.spool import Spool
keep = Spool.append
def append(self, **told):
    fields = dataclasses.asdict(told["fields"])
    print(json.dumps({"kind": told["kind"], **fields}), flush=True)
    return keep(self, **told)
Spool.append = append
sys.exit(main(["run", "--config", sys.argv[1]]))
"""
"""The agent as it is; what it keeps is seen as well."""

RATION = """
table inet ration {
  chain forward {
    type filter hook forward priority 0;
    oifname "wan" icmp type echo-request limit rate over 12/minute burst 5 packets drop
  }
}
"""


def kept(agent: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Records as they are made."""
    assert agent.stdout is not None
    for line in agent.stdout:
        yield json.loads(line)


def test_rationed_echoes_are_told_as_no_loss_once_the_watch_has_found_them(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    with Bed() as bed:
        bed.apply(Link(rtt_ms=20, rate_bps=5e6))
        bed.wait_for_way("school", place.ANCHORS[0])
        (tmp_path / "ration.nft").write_text(RATION)
        bed.run("router", ["nft", "-f", str(tmp_path / "ration.nft")])
        agent = bed.start("school", [sys.executable, "-c", RUN, str(config)], stdout=subprocess.PIPE)
        give_up = threading.Timer(90, agent.kill)
        give_up.start()
        before: list[dict[str, Any]] = []
        after: list[dict[str, Any]] = []
        has_found = False
        for record in kept(agent):
            has_found = has_found or record.get("event") == "anchors_by_connection"
            (after if has_found else before).append(record)
            kinds = Counter(r["kind"] for r in after)
            if kinds["latency"] >= 6 and kinds["reach"] >= 3:
                break
        give_up.cancel()
    assert has_found, before
    assert not [r for r in before + after if r["kind"] == "outage"]
    # A round that was under way goes on as it began.
    reach = [r for r in after if r["kind"] == "reach"][1:]
    assert [(r["method"], r["hint"], r["anchor_answered"]) for r in reach] == [("tcp", "up", 5)] * len(reach)
    assert reach
    latency = [r for r in after if r["kind"] == "latency"][2:]
    assert {(r["target"], r["method"], r["loss_ratio"]) for r in latency} == {
        ("gateway", "icmp", 0.0),
        ("1.1.1.1", "tcp", 0.0),
    }
