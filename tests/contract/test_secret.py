# SPDX-License-Identifier: Apache-2.0
"""Is a secret read from where it stands, and everything refused that can be none?"""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.contract.decoder import DecodeError
from agent.contract.secret import MAX_BYTES, read_secret


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"s3cret", "s3cret"), (b" s3 cret \r\n", " s3 cret "), (b"x" * MAX_BYTES, "x" * MAX_BYTES)],
)
def test_only_the_end_of_the_line_is_taken_off(tmp_path: Path, content: bytes, secret: str) -> None:
    (tmp_path / "secret").write_bytes(content)

    assert read_secret("k", str(tmp_path / "secret"), {}) == secret


def test_a_name_is_a_credential_and_a_path_is_none(tmp_path: Path) -> None:
    (tmp_path / "mqtt").write_text("credential")
    (tmp_path / "file").write_text("file")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert read_secret("k", "mqtt", environment) == "credential"
    assert read_secret("k", str(tmp_path / "file"), {"CREDENTIALS_DIRECTORY": "/nowhere"}) == "file"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"abc\xff", "is not UTF-8 at byte 3"),
        (b"x" * (MAX_BYTES + 1), "is longer than 65535 bytes"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_can_be_no_secret_is_refused_with_its_file(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(DecodeError) as refused:
        read_secret("mqtt.password_file", str(file), {})

    assert str(refused.value) == f"mqtt.password_file: {file} {problem}"


@pytest.mark.parametrize(
    ("name", "problem"), [("none", "credential needs .CREDENTIALS_DIRECTORY"), ("a\0b", "embedded null")]
)
def test_a_name_that_leads_nowhere_is_refused(name: str, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        read_secret("k", name, {})
