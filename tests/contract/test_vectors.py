# SPDX-License-Identifier: Apache-2.0
"""Is what was sent yesterday still understood, and is what is sent today the same bytes?"""

from __future__ import annotations

import json

import pytest

from agent.contract import schema
from agent.contract.codec import Form, decode_batch, encode
from agent.contract.kinds import KINDS
from tests.contract.vectors import BATCHES, FOLDER

CASES = [(name, form) for name in BATCHES for form in ("json", "packed")]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_vector_is_understood(name: str, form: Form) -> None:
    decoded = decode_batch((FOLDER / f"{name}.{form}").read_bytes())

    assert decoded.batch == BATCHES[name]
    assert decoded.refused == ()


@pytest.mark.parametrize("name", BATCHES)
def test_json_is_written_as_before(name: str) -> None:
    assert encode(BATCHES[name], "json") == (FOLDER / f"{name}.json").read_bytes()


def test_there_are_as_many_files_as_vectors() -> None:
    assert len(list(FOLDER.iterdir())) == len(CASES) == 18


def test_the_vectors_show_every_kind() -> None:
    assert {r.kind for b in BATCHES.values() for r in b.records} == set(KINDS)


def test_fields_stand_where_they_stood() -> None:
    """The packed form knows fields by their place: new ones go to the end."""
    order = {name: list(kind.__dataclass_fields__) for name, kind in KINDS.items()}
    known: dict[str, list[str]] = json.loads((FOLDER.parent / "places.json").read_text())

    assert list(order)[: len(known)] == list(known)
    for name, fields in known.items():
        assert order[name][: len(fields)] == fields


def test_the_schema_file_is_what_the_program_says() -> None:
    path = FOLDER.parents[2] / "agent" / "contract" / "schema.json"

    assert json.loads(path.read_text()) == schema.build()
