# SPDX-License-Identifier: Apache-2.0
"""school-collector report: what can be done with a month?"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import time
import zoneinfo
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from collector.checkpoint import load_key
from collector.config import DEFAULT_FILE, Config, load_config
from collector.errors import ConfigError
from collector.reports.change import Change
from collector.shelf import Shelf
from collector.sla.period import Month
from collector.sla.slot import SLOT_MS

_MOST_SAID = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `report`."""
    words = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    closing = words.add_parser(
        "close", help="freeze a month as its next revision, signed; nothing where nothing has changed"
    )
    closing.add_argument("month", type=_month, metavar="MONTH", help="such as 2026-11")
    listing = words.add_parser("list", help="every revision of a month, or of all")
    listing.add_argument("month", type=_month, nargs="?", metavar="MONTH")
    pdf = words.add_parser("pdf", help="the pages of a revision as PDF (needs the extra `pdf`)")
    pdf.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of a revision")
    pdf.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where (default: here)")
    for word in words.choices.values():
        word.add_argument(
            "--config",
            type=Path,
            default=DEFAULT_FILE,
            metavar="FILE",
            help=f"collector.toml (default {DEFAULT_FILE})",
        )
        word.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    return _ACTS[options.act](options)


def _close(options: argparse.Namespace) -> int:
    from collector.evidence.close import Sources, close  # noqa: PLC0415  # others need neither judge nor pages

    config = load_config(options.config, with_broker=False)
    _warn_if_early(options.month, config.options.web.time_zone)
    journal = config.options.journal
    sources = Sources(
        journal=Shelf(Path(journal.directory), archive=journal.archive),
        registry=config.options.registry,
        contracts=config.options.contracts,
        device_keys=_device_keys(config),
        key=load_key(journal.checkpoint_key),
        time_zone=config.options.web.time_zone,
    )
    closed = close(sources, options.month, Path(config.options.reports.directory))
    made = closed.manifest
    found: dict[str, Any] = {
        "revision": made.name,
        "folder": str(closed.folder),
        "new": closed.is_new,
        "entries": made.journal.entries - made.journal.entries_before,
        "changes": len(closed.changes),
        **{key: getattr(made, key) for key in ("data_sha256", "configuration_sha256", "code", "key")},
    }
    if options.json:
        found["changed"] = [dataclasses.asdict(change) for change in closed.changes]
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for name, value in found.items():
        print(f"{name:<22}{value}")
    _print_changes(closed.changes)
    return 0


def _warn_if_early(month: Month, time_zone: str) -> None:
    """What is yet to come is not known in the revision; closing again later makes the next one."""
    end_ms = month.slots(zoneinfo.ZoneInfo(time_zone)).spans[-1][1] * SLOT_MS
    if end_ms > time.time() * 1000:
        print(f"school-collector: {month} is not over yet: the rest of it counts as unknown", file=sys.stderr)


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes[:_MOST_SAID]:
        who = f"{change.school} " if change.school else ""
        print(f"  {who}{change.what}: {change.before or '–'} -> {change.after or '–'}")
    if len(changes) > _MOST_SAID:
        print(f"  and {len(changes) - _MOST_SAID} more in csv/changes.csv")


def _device_keys(config: Config) -> dict[str, list[bytes]] | None:
    """None where there is no authority: then nobody can say whose signatures they are."""
    authority = config.open_authority()
    if authority is None:
        return None
    with contextlib.closing(authority):
        return authority.all_keys()


def _list(options: argparse.Namespace) -> int:
    from collector.evidence.revision import read_manifest, revisions  # noqa: PLC0415

    config = load_config(options.config, with_broker=False)
    reports = Path(config.options.reports.directory)
    months = [reports / str(options.month)] if options.month else sorted(_folders(reports))
    for revision in (r for month in months for r in revisions(month)):
        said = read_manifest(revision.folder)
        found = {"revision": said.name, "folder": str(revision.folder), "code": said.code}
        print(json.dumps(found) if options.json else f"{said.name:<16}{revision.folder}")
    return 0


def _folders(reports: Path) -> list[Path]:
    return [p for p in reports.iterdir() if p.is_dir()] if reports.is_dir() else []


def _pdf(options: argparse.Namespace) -> int:
    from collector.reports.pdf import write_pdfs  # noqa: PLC0415 -- the others need no PDF

    if not options.bundle.is_dir():
        raise ConfigError(str(options.bundle), "is not the folder of a revision")
    for path in write_pdfs(options.bundle, options.out):
        print(json.dumps({"file": str(path)}) if options.json else path)
    return 0


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


_ACTS: dict[str, Callable[[argparse.Namespace], int]] = {"close": _close, "list": _list, "pdf": _pdf}
