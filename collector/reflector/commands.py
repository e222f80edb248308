# SPDX-License-Identifier: Apache-2.0
"""school-collector reflector, reflector-token: what can an operator ask of the reflector?"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from pathlib import Path

from collector.checkpoint import load_key, public_key
from collector.errors import ConfigError
from collector.reflector import token
from collector.reflector.options import DEFAULT_FILE, load

DEFAULT_KEY = Path("/var/lib/schoolpulse/reflector.key")
_DAY_S = 86400


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `reflector`."""
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"reflector.toml (default {DEFAULT_FILE})",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    asyncio.run(_serve(options.config))
    return 0


async def _serve(file: Path) -> None:
    from collector.reflector.service import serve  # noqa: PLC0415 -- the other commands serve nothing

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(load(file), stop)


def token_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `reflector-token`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("device", nargs="?", metavar="DEVICE", help="whose token to print")
    what.add_argument("--public", action="store_true", help="print the public key instead")
    parser.add_argument(
        "--site",
        metavar="SITE",
        help="school of several devices: they test one after the other; without it none waits for another",
    )
    parser.add_argument("--days", type=float, default=400.0, help="how long it holds (default 400)")
    parser.add_argument(
        "--key",
        type=Path,
        default=DEFAULT_KEY,
        metavar="FILE",
        help=f"key that signs, made when there is none (default {DEFAULT_KEY}); it stays at the centre",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def make_token(options: argparse.Namespace) -> int:
    """Print it."""
    key = load_key(options.key)
    expires_s = None if options.public else int(time.time() + options.days * _DAY_S)
    try:
        text = (
            public_key(key)
            if expires_s is None
            else token.make(key, options.device, expires_s=expires_s, site=options.site)
        )
    except token.BadToken as e:
        raise ConfigError("DEVICE", str(e)) from e
    found = {"public_key": text} if expires_s is None else {"token": text, "expires_s": expires_s}
    print(json.dumps(found) if options.json else text)
    return 0
