# SPDX-License-Identifier: Apache-2.0
"""How is a password or token read? From a file of its own or a systemd credential, never from settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent.contract.decoder import DecodeError

MAX_BYTES = 65535
"""Longest password of MQTT (5.0 §3.1.3.6); what is longer is some other file."""

_DIRECTORY = "CREDENTIALS_DIRECTORY"


def read_secret(key: str, name: str, environment: Mapping[str, str]) -> str:
    """The secret without the end of its line.

    Args:
        key: the setting that names it, for the error.
        name: an absolute path, or a name in `$CREDENTIALS_DIRECTORY`; where that is unset, in this folder.
        environment: where that directory is looked up.

    Raises:
        DecodeError: it cannot be read, or is none.
    """
    path = Path(environment.get(_DIRECTORY, "")) / name
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        secret = content.decode().rstrip("\r\n")
    except OSError as e:
        raise DecodeError(key, f"{path} cannot be read: {e.strerror}{_hint(path)}") from e
    except UnicodeDecodeError as e:
        raise DecodeError(key, f"{path} is not UTF-8 at byte {e.start}") from e
    except ValueError as e:  # a NUL in the name
        raise DecodeError(key, f"{name!r} cannot be read: {e}") from e
    if not secret.strip():
        raise DecodeError(key, f"{path} is empty")
    if len(content) > MAX_BYTES:
        raise DecodeError(key, f"{path} is longer than {MAX_BYTES} bytes")
    return secret


def _hint(path: Path) -> str:
    return "" if path.is_absolute() else f"; a systemd credential needs ${_DIRECTORY}, which systemd sets"
