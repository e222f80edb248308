# SPDX-License-Identifier: Apache-2.0
"""Which parts of the documents are made from the program? `make docs` writes them anew; a test compares."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import re
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent import __main__ as agent_program
from agent.config import AgentOptions, IdentityOptions, MqttOptions, SpoolOptions
from agent.contract import schema
from agent.contract.kinds import KINDS
from agent.contract.reason import Reason
from agent.outage.options import OutageOptions
from agent.plan.options import PlanOptions
from agent.probes import PROBES, load
from collector import __main__ as collector_program
from collector.alerts.hooks import HOOKS, hook_class
from collector.alerts.rule import RULES, Rule
from collector.alerts.sign import FIGURES
from collector.config import CollectorOptions
from collector.reflector.options import ReflectorOptions
from collector.sinks import SINKS, sink_class
from collector.sla.cause import SENTENCES
from collector.sla.parameters import STANDARD
from collector.sla.rule import RULES as SLOT_RULES
from docs import contracts, devices, profiles
from docs.options import example, table
from firmware_bridge import __main__ as bridge_program

ROOT = Path(__file__).resolve().parent.parent

AGENT_TABLES: list[tuple[str, Any]] = [
    ("", AgentOptions),
    ("mqtt", MqttOptions),
    ("spool", SpoolOptions),
    ("identity", IdentityOptions),
    ("outage", OutageOptions),
    ("plan", PlanOptions),
    *((f"probes.{kind}", load(kind)) for kind in PROBES),
]
COLLECTOR_TABLES: list[tuple[str, Any]] = [
    *(
        (f.name, f.default_factory)
        for f in dataclasses.fields(CollectorOptions)
        if f.type != "dict[str, Any]"
    ),
    *((f"sinks.{kind}", sink_class(kind).OPTIONS) for kind in SINKS),
]
HOOK_TABLES: list[tuple[str, Any]] = [
    (f'hooks.NAME` with `kind = "{kind}"', hook_class(kind).OPTIONS) for kind in HOOKS
]
REFLECTOR_TABLES: list[tuple[str, Any]] = [
    (f.name, f.default_factory) for f in dataclasses.fields(ReflectorOptions)
]


def agent_example() -> str:
    """deploy/agent.example.toml."""
    opening = "The agent's settings, usually /etc/schoolpulse/agent.toml.\nOnly `device` must be set."
    return example(AGENT_TABLES, opening)


def collector_example() -> str:
    """deploy/collector.example.toml."""
    return example(COLLECTOR_TABLES, "The collector's settings, usually /etc/schoolpulse/collector.toml.")


def reflector_example() -> str:
    """deploy/reflector.example.toml."""
    return example(REFLECTOR_TABLES, "The reflector's settings, usually /etc/schoolpulse/reflector.toml.")


def configuration() -> str:
    """The tables of docs/configuration.md."""
    parts = []
    files = {
        "agent.toml": AGENT_TABLES,
        "collector.toml": COLLECTOR_TABLES + HOOK_TABLES,
        "reflector.toml": REFLECTOR_TABLES,
    }
    for file, tables in files.items():
        parts.append(f"## {file}\n")
        for name, cls in tables:
            heading = f"### `[{name}]`\n" if name else "### the top\n"
            parts.append(f"{heading}\n{table(cls)}")
    return "\n".join(parts)


def kinds() -> str:
    """The tables of docs/contract.md."""
    parts = []
    for number, (name, kind) in enumerate(KINDS.items()):
        doc = (kind.__doc__ or "").strip().splitlines()[0]
        rows = [
            f"### `{name}` (number {number})\n",
            doc + "\n",
            "| field | type | meaning |",
            "|---|---|---|",
        ]
        rows += [
            f"| `{f.name}` | {_field_type(kind, f)} | {f.metadata['doc']} |" for f in dataclasses.fields(kind)
        ]
        parts.append("\n".join(rows) + "\n")
    reasons = ", ".join(f"`{r}`" for r in Reason)
    return "\n".join(parts) + f"\n### Reasons\n\nWhy a record has no figure: {reasons}.\n"


def _field_type(kind: Any, f: dataclasses.Field[Any]) -> str:
    if f.metadata.get("key"):
        return "key"
    hint = str(typing.get_type_hints(kind)[f.name]).removesuffix(" | None")
    words = {"<class 'str'>": "text", "str": "text", "bool": "flag", "int": "int", "float": "float"}
    return words.get(hint, "histogram")


def commands() -> str:
    """The body of docs/commands.md."""
    programs: list[Callable[[], argparse.ArgumentParser]] = [
        agent_program.make_parser,
        collector_program.make_parser,
        bridge_program.parser,
    ]
    return "\n".join(_program(make()) for make in programs)


def _program(parser: argparse.ArgumentParser) -> str:
    parts = [f"## {parser.prog}\n\n{parser.description}\n"]
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    for action in actions:
        parts += [_command(sub) for sub in action.choices.values()]
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser) -> str:
    """A command, and those below it."""
    parts = [f"### {parser.prog}\n\n```\n{_help(parser)}\n```\n"]
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            parts += [_command(sub) for sub in action.choices.values()]
    return "\n".join(parts)


class _Wide(argparse.HelpFormatter):
    """The same width on every terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


def _help(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = _Wide
    return parser.format_help().strip()


def schema_json() -> str:
    """agent/contract/schema.json."""
    return json.dumps(schema.build(), indent=2, ensure_ascii=False) + "\n"


def alerts() -> str:
    """The tables of docs/alerts.md."""
    figures = ["| figure | what it is |", "|---|---|"]
    figures += [f"| `{name}` | {doc} |" for name, doc in FIGURES.items()]
    head = "| rule | says | for a | looks at | fires at | over at | after | severity |"
    rows = [f"| `{name}` | {_rule(rule)} |" for name, rule in RULES.items()]
    return "\n".join(
        ["### Rules\n", head, "|---|---|---|---|---|---|---|---|", *rows, "", "### Figures\n", *figures, ""]
    )


def verdicts() -> str:
    """The tables of docs/verdicts.md."""
    head = ["| rule | class | cause | confidence | when |", "|---|---|---|---|---|"]
    rows = [
        f"| `{r.name}` | `{r.class_by(STANDARD).name.lower()}`{'' if r.slot_class is not None else ' *'}"
        f" | {r.cause or '–'} | {r.confidence or '–'} | {r.sentence} |"
        for r in SLOT_RULES
    ]
    causes = [f"| `{cause}` | {sentence} |" for cause, sentence in SENTENCES.items()]
    return "\n".join(
        ["### Rules\n", *head, *rows, "\n### Causes\n", "| cause | what it means |", "|---|---|", *causes, ""]
    )


def _rule(rule: Rule) -> str:
    says = re.sub(r"\{value[^}]*\}", "…", rule.sentence)
    silent = f"silent for {rule.silent_s} s" if rule.silent_s is not None else ""
    raised = f"{rule.raise_at:g}" if rule.raise_at is not None else silent or "1"
    cleared = f"{rule.clear_at:g}" if rule.clear_at is not None else "0"
    counts = f"{rule.open_after} / {rule.close_after}"
    many = f"schools of `{rule.children}`"
    cells = [says, rule.of, f"`{rule.figure}`" if rule.figure else many]
    cells += [raised, cleared, counts] if rule.figure else ["–", "–", "–"]
    return " | ".join([*cells, rule.severity + (", any hour" if rule.always else "")])


WHOLE: dict[str, Callable[[], str]] = {
    "agent/contract/schema.json": schema_json,
    "deploy/agent.example.toml": agent_example,
    "deploy/collector.example.toml": collector_example,
    "deploy/reflector.example.toml": reflector_example,
}
"""Files made as a whole."""

PARTS: dict[str, Callable[[], str]] = {
    "docs/configuration.md": configuration,
    "docs/contract.md": kinds,
    "docs/commands.md": commands,
    "docs/data-plan.md": profiles.page,
    "docs/devices.md": devices.page,
    "docs/alerts.md": alerts,
    "docs/contracts.md": contracts.page,
    "docs/verdicts.md": verdicts,
}
"""Files with one part between `<!-- generated -->` and `<!-- end -->`."""

_PART = re.compile(r"(<!-- generated[^>]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


def made() -> dict[str, str]:
    """Every file with what it should hold.

    Raises:
        ValueError: a file lacks the place for its generated part.
    """
    files = {name: make() for name, make in WHOLE.items()}
    for name, make in PARTS.items():
        text, count = _PART.subn(functools.partial(_filled, make()), (ROOT / name).read_text())
        if count != 1:
            raise ValueError(f"{name}: {count} places between <!-- generated --> and <!-- end -->, not one")
        files[name] = text
    return files


def _filled(part: str, place: re.Match[str]) -> str:
    return f"{place[1]}\n{part}\n{place[3]}"


def main() -> int:
    """Write what differs."""
    for name, text in made().items():
        path = ROOT / name
        changed = not path.exists() or path.read_text() != text
        if changed:
            path.write_text(text)
        print(f"{'written' if changed else 'same   '} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
