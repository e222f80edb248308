# SPDX-License-Identifier: Apache-2.0
"""Which keys do files of contracts have? The tables of docs/contracts.md."""

from __future__ import annotations

from typing import Any

from collector.contracts import calendar_form, contract_form
from collector.sla.assessment import PENALTIES
from collector.sla.exclusion import ExclusionType
from docs.options import table

_TABLES: list[tuple[str, Any]] = [
    ("[[calendar]]", calendar_form.CalendarForm),
    ("[[calendar.version]]", calendar_form.TimetableForm),
    ("[[calendar.version.shift]]", calendar_form.ShiftForm),
    ("[[calendar.override]]", calendar_form.OverrideForm),
    ("[[school]]", contract_form.SchoolForm),
    ("[[contract]]", contract_form.ContractForm),
    ("[[contract.version]]", contract_form.VersionForm),
    ("[[contract.version.lot]]", contract_form.LotForm),
    ("[contract.version.throughput]", contract_form.ThroughputForm),
    ("[contract.version.latency.TECHNOLOGY]", contract_form.LatencyForm),
    ("[contract.version.repair]", contract_form.RepairForm),
    ("[contract.version.parameters]", contract_form.ParametersForm),
    ("[contract.version.exclusion.TYPE]", contract_form.ExclusionForm),
]


def page() -> str:
    """Every table, then every kind of penalty."""
    parts = [f"### `{name}`\n\n{_sentence(cls)}\n\n{table(cls)}" for name, cls in _TABLES]
    parts.append(f"`TYPE` is one of {', '.join(f'`{kind}`' for kind in ExclusionType)}.\n")
    parts += [
        f'### `[[contract.version.penalty]]` with `kind = "{kind}"`\n\n{_sentence(cls)}\n\n{table(cls)}'
        for kind, cls in PENALTIES.items()
    ]
    return "\n".join(parts)


def _sentence(cls: Any) -> str:
    return str(cls.__doc__).strip().splitlines()[0]
