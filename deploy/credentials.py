# SPDX-License-Identifier: Apache-2.0
"""Which passwords and tokens does deploy/compose.yaml need? Makes those that are missing.

Nothing is printed but names, and nothing that exists is changed. Devices have certificates and no passwords:
`school-collector enrol` makes them known.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent / "secrets"
FILES = ("grafana-admin-password", "influxdb-admin-password", "influxdb-admin-token")


def main() -> int:
    """Make what is missing and return an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where (default: deploy/secrets)")
    directory: Path = parser.parse_args().directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = [name for name in FILES if _make(directory / name)]
    print("\n".join(f"made {directory / name}" for name in made) or "nothing was missing")
    return 0


def _make(file: Path) -> bool:
    """Write a new secret, readable inside the containers: their users differ, the folder is closed."""
    if file.exists():
        return False
    new = file.with_name(file.name + ".new")
    new.write_text(secrets.token_urlsafe(32))
    new.chmod(0o444)
    new.replace(file)
    return True


if __name__ == "__main__":
    sys.exit(main())
