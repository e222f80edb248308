# SPDX-License-Identifier: Apache-2.0
"""What do the source files import?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]


def files(*folders: str) -> list[Path]:
    """Every Python file below the folders of the tree."""
    return sorted(path for folder in folders for path in (TREE / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield _from(node, path)


def module(path: Path) -> str:
    """A file's dotted name."""
    parts = path.relative_to(TREE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_within(name: str, package: str) -> bool:
    """Whether a dotted name is a package or inside it."""
    return name == package or name.startswith(package + ".")


def _from(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(TREE).parent.parts
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, node.module or ""]).rstrip(".")
