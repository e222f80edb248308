# SPDX-License-Identifier: Apache-2.0
"""Where does a hook's secret come from? A file or a systemd credential, never the configuration itself."""

from __future__ import annotations

import os

from agent.contract.decoder import DecodeError
from agent.contract.secret import read_secret


def secret_text(key: str, file: str | None) -> str:
    """Its text.

    Raises:
        DecodeError: none is named, or it cannot be read.
    """
    if file is None:
        raise DecodeError(key, "must be set: the secret is in a file of its own")
    return read_secret(key, file, os.environ)
