# SPDX-License-Identifier: Apache-2.0
"""Do the documents say what the program does?"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest

from agent.config import AgentOptions, build_probes, load_config
from agent.contract import kinds
from agent.contract.decoder import decode
from agent.contract.record import record_from_plain
from agent.probes import PROBES
from agent.probes.base import ProbeFailed
from docs import generate, options
from firmware_bridge.protocols.snmp import SnmpReader, oid
from firmware_bridge.reading import Identity
from tests.drivers.snmp_recording import InMemory

ROOT = generate.ROOT
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_TABLE = re.compile(r"^\[(.+)\]$")


def test_generated_parts_are_what_the_program_says() -> None:
    made = generate.made()
    stale = [name for name, text in made.items() if (ROOT / name).read_text() != text]

    assert len(made) == 12
    assert not stale, f"run `make docs`: {stale}"


def test_every_link_leads_somewhere() -> None:
    links = [(d, t) for d in DOCUMENTS for t in re.findall(r"\]\(([^)#]+)", d.read_text()) if "://" not in t]

    assert len(links) >= 10
    assert [f"{d.name}: {t}" for d, t in links if not (d.parent / t).exists()] == []


def test_every_file_named_in_the_documents_exists() -> None:
    named = [
        (d, n)
        for d in DOCUMENTS
        for n in re.findall(
            r"`((?:agent|collector|firmware_bridge|deploy|systemd|tests|docs)/[\w./-]+)`", d.read_text()
        )
    ]

    assert len(named) >= 20
    assert [f"{d.name}: {n}" for d, n in named if not (ROOT / n).exists()] == []


def test_the_readmes_transcript_is_a_record() -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith('{"seq"')]

    assert [record_from_plain(json.loads(line)).kind for line in lines] == ["dns"]


def test_the_agents_example_is_its_defaults(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "agent.example.toml").read_text()
    plain = tomllib.loads(text)

    assert plain.keys() == {"device", "mqtt", "spool", "identity", "outage", "plan", "probes"}
    assert decode(AgentOptions, plain, strict=True) == AgentOptions(device="kz-0001", probes=plain["probes"])
    assert list(plain["probes"]) == list(PROBES)
    runs = {p.table for p in build_probes(plain["probes"])}
    assert runs == {probe.table for probe in build_probes({})}
    assert load_config(ROOT / "deploy" / "agent.example.toml", {}).options.device == "kz-0001"


@pytest.mark.parametrize(
    ("file", "tables", "least"),
    [
        ("agent", generate.AGENT_TABLES, 15),
        ("collector", generate.COLLECTOR_TABLES, 15),
        ("reflector", generate.REFLECTOR_TABLES, 10),
    ],
)
def test_every_default_in_an_example_is_the_real_one(
    file: str, tables: list[tuple[str, Any]], least: int
) -> None:
    """Uncommented, a default changes nothing; what has no default only shows a form."""
    text = (ROOT / "deploy" / f"{file}.example.toml").read_text()
    shown = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    checked = 0
    for name, cls in tables:
        table = shown
        for part in name.split("."):
            table = table[part] if part else table
        for f in options.keys(cls):
            default = options.default_of(f)
            if default is not None and f.name in table and default is not dataclasses.MISSING:
                assert table[f.name] == default, f"{name}.{f.name}"
                checked += 1

    assert checked >= least


async def test_the_probe_of_the_documents_works_as_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "adding-a-probe.md").read_text()
    kind, probe = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = types.ModuleType("pressure")
    monkeypatch.setitem(sys.modules, "pressure", module)
    exec(kind, vars(module))  # noqa: S102 -- it is our own document
    monkeypatch.setattr(kinds, "Pressure", vars(module)["Pressure"], raising=False)
    exec(probe, vars(module))  # noqa: S102
    counted = tmp_path / "cpu"
    counted.write_text("some avg10=12.50 avg60=0.00 avg300=0.00 total=1\n")

    (finding,) = await vars(module)["PressureProbe"](file=str(counted)).measure()

    assert finding.fields.cpu_some_ratio == 0.125
    with pytest.raises(ProbeFailed):
        await vars(module)["PressureProbe"](file="/nowhere").measure()


def _drivers_of_the_guide() -> list[Any]:
    text = (ROOT / "docs" / "adding-a-driver.md").read_text()
    found = []
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        module = types.ModuleType("example")
        exec(code, vars(module))  # noqa: S102 -- it is our own document
        found.append(vars(module)["DRIVER"])
    return found


def test_the_drivers_of_the_guide_read_an_answer() -> None:
    driver, device = _drivers_of_the_guide()
    reader = SnmpReader(
        InMemory({oid("1.3.6.1.4.1.99999.2.1.3.7"): -98, oid("1.3.6.1.4.1.99999.2.1.4.7"): -115}),
        "main",
        within_s=9,
    )
    (_, modem) = device.read(reader, "main", Identity()).fields
    assert (modem.port, modem.rsrp_dbm, modem.rsrq_db) == ("main/modem7", -98, -11.5)
    assert device.recognises(Identity(object_id="1.3.6.1.4.1.99999.5"))
    assert not device.recognises(Identity(object_id="1.3.6.1.4.1.999990"))
    values = driver.questions[-1].parse(['"LTE",50,41,90,20'], Identity())

    assert values == {"access_technology": "lte", "rsrp_dbm": -100}
    assert driver.recognises(Identity(maker="Example Inc"))
    assert not driver.recognises(Identity(maker="Other"))
