# SPDX-License-Identifier: Apache-2.0
"""Are schools and devices read as written, and is what is wrong said with its place?"""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.enrolment import load_csv_registry, load_registry
from collector.errors import ConfigError
from collector.registry import Placement, School

SCHOOLS = "id,name,operator\nkz-1,№ 1,Alpha\nkz-2,№ 2,Beta\n"
DEVICES = "id,school,from,to\npi-1,kz-1,,2026-09-01\npi-1,kz-2,2026-09-01,\n"
TOML = """
[[school]]
id = "kz-1"
name = "№ 1"
operator = "Alpha"
[[school]]
id = "kz-2"
name = "№ 2"
operator = "Beta"
[[device]]
id = "pi-1"
school = "kz-1"
to = 2026-09-01
[[device]]
id = "pi-1"
school = "kz-2"
from = 2026-09-01T05:00:00+05:00
"""
SEPTEMBER_MS = 1_788_220_800_000


def csv(folder: Path, schools: str = SCHOOLS, devices: str = DEVICES) -> tuple[Path, Path]:
    files = folder / "schools.csv", folder / "devices.csv"
    for file, text in zip(files, (schools, devices), strict=True):
        file.write_text(text)
    return files


def toml(folder: Path, text: str) -> Path:
    file = folder / "registry.toml"
    file.write_text(text)
    return file


def test_toml_and_csv_say_the_same(tmp_path: Path) -> None:
    registry = load_registry(toml(tmp_path, TOML))

    assert registry == load_csv_registry(*csv(tmp_path))
    assert registry.schools()[0] == School(id="kz-1", name="№ 1", operator="Alpha")
    assert registry.devices() == ("pi-1",)


def test_a_device_is_where_it_stood_at_that_time(tmp_path: Path) -> None:
    registry = load_csv_registry(*csv(tmp_path))
    before, after = registry.school_of("pi-1", SEPTEMBER_MS - 1), registry.school_of("pi-1", SEPTEMBER_MS)

    assert before is not None
    assert after is not None
    assert (before.id, after.id) == ("kz-1", "kz-2")
    assert registry.school_of("pi-2", 0) is None


def test_a_device_in_a_drawer_is_known_but_nowhere(tmp_path: Path) -> None:
    registry = load_csv_registry(
        *csv(tmp_path, devices="id,school,from,to\npi-1,kz-1,2026-09-01,2026-09-02\n")
    )

    assert registry.knows("pi-1")
    assert registry.school_of("pi-1", SEPTEMBER_MS - 1) is None
    assert registry.school_of("pi-1", SEPTEMBER_MS + 86_400_000) is None
    assert registry.devices_of("kz-1") == (
        Placement(device="pi-1", school="kz-1", from_ms=SEPTEMBER_MS, to_ms=SEPTEMBER_MS + 86_400_000),
    )
    assert registry.devices_of("kz-2") == ()


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    registry = load_csv_registry(*csv(tmp_path, schools="\ufeff" + SCHOOLS + "\n,,\n"))

    assert [s.id for s in registry.schools()] == ["kz-1", "kz-2"]


def test_an_empty_file_is_an_empty_registry(tmp_path: Path) -> None:
    assert load_registry(toml(tmp_path, "")).schools() == ()


DAMAGED_CSV = {
    "unknown column": (
        SCHOOLS.replace("operator", "opertor"),
        DEVICES,
        "schools.csv:1:opertor: unknown column; did you mean 'operator'?",
    ),
    "no id": ("name\nx\n", DEVICES, "schools.csv:1: the header line has no column 'id'"),
    "too wide": (SCHOOLS + "kz-3,a,b,c\n", DEVICES, "schools.csv:4: 4 columns, the header line has 3"),
    "twice": (SCHOOLS + "kz-1,,\n", DEVICES, "schools.csv:4:id: school 'kz-1' is there twice"),
    "bad id": (SCHOOLS + "a b,,\n", DEVICES, "schools.csv:4:id: 'a b' must be 1 to 64 letters"),
    "bad quotes": (SCHOOLS + 'kz-3,"a"b,\n', DEVICES, "schools.csv: "),
    "unknown school": (
        SCHOOLS,
        DEVICES + "pi-2,kz1,,\n",
        "devices.csv:4:school: unknown school 'kz1'; did you mean 'kz-1'?",
    ),
    "bad device": (SCHOOLS, DEVICES + "PI,kz-1,,\n", "devices.csv:4:id: 'PI' must be 1 to 48 of"),
    "no date": (
        SCHOOLS,
        DEVICES + "pi-2,kz-1,soon,\n",
        "devices.csv:4:from: 'soon' is not a date such as 2026-09-01",
    ),
    "no offset": (
        SCHOOLS,
        DEVICES + "pi-2,kz-1,2026-09-01T10:00,\n",
        "devices.csv:4:from: 2026-09-01T10:00 needs an offset",
    ),
    "backwards": (
        SCHOOLS,
        DEVICES + "pi-2,kz-1,2026-09-01,2026-09-01\n",
        "devices.csv:4:to: is not after 'from'",
    ),
    "overlap": (
        SCHOOLS,
        DEVICES + "pi-1,kz-2,,2026-01-01\n",
        "devices.csv:4:from: device 'pi-1' stands at 'kz-1' at that time too (",
    ),
}


@pytest.mark.parametrize("fault", DAMAGED_CSV)
def test_a_fault_is_told_with_file_line_and_column(tmp_path: Path, fault: str) -> None:
    schools, devices, sentence = DAMAGED_CSV[fault]
    with pytest.raises(ConfigError) as raised:
        load_csv_registry(*csv(tmp_path, schools, devices))

    assert sentence in str(raised.value)


DAMAGED_TOML = {
    "unknown table": ('[[schol]]\nid = "x"', "registry.toml: schol: unknown table; did you mean 'school'?"),
    "no array": ('[school]\nid = "x"', "registry.toml: school: expected tables [[school]]"),
    "wrong type": ("[[school]]\nid = 7", "registry.toml: school[0].id: expected text, got 7"),
    "unknown key": ('[[school]]\nid = "x"\nnme = "y"', "school[0].nme: unknown column; did you mean 'name'?"),
    "no date": (
        '[[school]]\nid="x"\n[[device]]\nid="d"\nschool="x"\nfrom=7',
        "device[0].from: '7' is not a date",
    ),
    "not toml": ("[[school", "registry.toml: "),
}


@pytest.mark.parametrize("fault", DAMAGED_TOML)
def test_a_fault_is_told_with_table_and_key(tmp_path: Path, fault: str) -> None:
    text, sentence = DAMAGED_TOML[fault]
    with pytest.raises(ConfigError) as raised:
        load_registry(toml(tmp_path, text))

    assert sentence in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_registry(tmp_path / "registry.toml")


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_bytes("[[school]]\nname = 'Школа'".encode("cp1251"))

    with pytest.raises(ConfigError, match="is not UTF-8 at byte"):
        load_registry(file)
