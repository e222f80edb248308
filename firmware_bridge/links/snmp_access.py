# SPDX-License-Identifier: Apache-2.0
"""With which name and secrets may an SNMP agent be asked? A TOML file that only its owner reads.

version = "3"                # or "2c", "1"
user = "school"              # with "3"
auth = "sha256"              # sha224, sha256, sha384, sha512, sha1, md5
auth_password = "…"
privacy = "aes128"           # aes192, aes256; left out: nothing is encrypted
privacy_password = "…"
[core]                       # other keys for the router that is called `core`
version = "2c"
community = "…"
"""

from __future__ import annotations

import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from agent.contract.decoder import DecodeError, decode

Version = Literal["1", "2c", "3"]
Auth = Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
Privacy = Literal["aes128", "aes192", "aes256"]
_SHORTEST = 8


@dataclass(frozen=True, kw_only=True)
class SnmpAccess:
    """What one agent is told.

    Attributes:
        version: of the protocol.
        community: of versions 1 and 2c.
        user: of version 3, with its two secrets; without `privacy` nothing is encrypted.
    """

    version: str = "2c"
    community: str = field(default="public", repr=False)
    user: str = ""
    auth: str | None = None
    auth_password: str = field(default="", repr=False)
    privacy: str | None = None
    privacy_password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse what an agent would never take; no secret is repeated."""
        if self.version not in get_args(Version):
            raise ValueError(f"version must be one of {', '.join(get_args(Version))}")
        if self.auth is not None and self.auth not in get_args(Auth):
            raise ValueError(f"auth must be one of {', '.join(get_args(Auth))}")
        if self.privacy is not None and self.privacy not in get_args(Privacy):
            raise ValueError(f"privacy must be one of {', '.join(get_args(Privacy))}")
        if self.version == "3":
            self._check_user()

    def _check_user(self) -> None:
        if not self.user:
            raise ValueError("version 3 needs a user")
        if self.privacy is not None and self.auth is None:
            raise ValueError("privacy needs auth too (RFC 3414)")
        for kind, secret in ((self.auth, self.auth_password), (self.privacy, self.privacy_password)):
            if kind is not None and len(secret) < _SHORTEST:
                raise ValueError(
                    f"the password for {kind} must have at least {_SHORTEST} characters (RFC 3414)"
                )


def load_access(path: Path) -> dict[str, SnmpAccess]:
    """Access by the router's name; under "" that of all others.

    Raises:
        ValueError: the file cannot be read, can be read by everybody, or does not fit; says what to do.
    """
    try:
        mode = path.stat().st_mode
        told = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise ValueError(f"{path}: {e}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ValueError(f"{path}: everybody may read these secrets; chmod 600 {path}")
    return _accesses(path, told)


def _accesses(path: Path, told: dict[str, Any]) -> dict[str, SnmpAccess]:
    tables = {name: table for name, table in told.items() if isinstance(table, dict)}
    shared = {key: value for key, value in told.items() if key not in tables}
    try:
        return {"": decode(SnmpAccess, shared, strict=True)} | {
            name: decode(SnmpAccess, table, strict=True, path=name) for name, table in tables.items()
        }
    except DecodeError as e:
        raise ValueError(f"{path}: {e}") from None
