# SPDX-License-Identifier: Apache-2.0
"""Which passwords and tokens does deploy/compose.yaml need? Makes those that are missing, and one per device.

A device's password is in secrets/devices/<id> until it has been put on the device; the broker's file holds
only its hash. Nothing is printed but names, and nothing that exists is changed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import secrets
import sys
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent / "secrets"
FILES = (
    "grafana-admin-password",
    "influxdb-admin-password",
    "influxdb-admin-token",
    "mqtt-collector-password",
)
DEVICE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
RESERVED = frozenset({"collector"})
ITERATIONS = 101
"""Mosquitto's own number; more protects guessable passwords, these have 256 random bits."""


def main() -> int:
    """Make what is missing and return an exit code."""
    options = _options()
    directory: Path = options.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / "devices").mkdir(mode=0o700, exist_ok=True)
    made = [name for name in FILES if _make(directory / name)]
    made += [f"devices/{device}" for device in options.device if _make(directory / "devices" / device)]
    _write_passwords(directory)
    print("\n".join(f"made {directory / name}" for name in made) or "nothing was missing")
    return 0


def password_hash(password: str, salt: bytes) -> str:
    """A line's second half in mosquitto's password file: PBKDF2 with SHA-512."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, 64)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--device", action="append", default=[], metavar="ID", help="a device; may be repeated"
    )
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where (default: deploy/secrets)")
    options = parser.parse_args()
    for device in options.device:
        if not DEVICE.fullmatch(device) or device in RESERVED:
            parser.error(
                f"{device!r} is no device id: 1 to 48 of a-z, 0-9 and inner hyphens, not 'collector'"
            )
    return options


def _make(file: Path) -> bool:
    """Write a new secret, readable inside the containers: their users differ, the folder is closed."""
    if file.exists():
        return False
    _write(file, secrets.token_urlsafe(32))
    return True


def _write_passwords(directory: Path) -> None:
    """Bring mosquitto's password file up to date; a user whose password is not kept here stays as it is."""
    file = directory / "mosquitto.passwd"
    users = dict(line.split(":", 1) for line in (file.read_text().split() if file.exists() else ()))
    kept = {p.name: p.read_text() for p in (directory / "devices").iterdir()}
    kept["collector"] = (directory / "mqtt-collector-password").read_text()
    for name in kept.keys() - users.keys():
        users[name] = password_hash(kept[name], secrets.token_bytes(12))
    _write(file, "".join(f"{name}:{text}\n" for name, text in sorted(users.items())))


def _write(file: Path, text: str) -> None:
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.chmod(0o444)
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
