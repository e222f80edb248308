# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from agent.echo.resolvers import system_resolvers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::53\n", ["192.0.2.1", "2001:db8::53"]),
        ("# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nsearch school.test\n", []),
        ("nameserver\nnameserver nonsense\nnameserver 192.0.2.9 # trailing\n", ["192.0.2.9"]),
        ("nameserver 192.0.2.1\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
        ("".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        ("\ufffd\nnameserver fe80::1%lo", ["fe80::1"]),
    ],
)
def test_resolvers_are_those_of_the_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)
    assert [resolver.host for resolver in system_resolvers(path)] == expected


def test_resolvers_are_none_without_file(tmp_path: Path) -> None:
    assert system_resolvers(tmp_path / "missing") == ()
