# SPDX-License-Identifier: Apache-2.0
"""school-collector enrol: what can an operator ask of the authority?"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.contract.enrolment import EnrolmentFile, Issued, encode, write_file
from collector.authority.authority import Authority, create, write
from collector.authority.errors import Refused
from collector.authority.options import PATH
from collector.config import DEFAULT_FILE, Config, load_config
from collector.errors import ConfigError

_FAILED = 1
Act = Callable[[argparse.Namespace, Config, Authority], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `enrol`."""
    words = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    init = words.add_parser("init", help="make the authority, and certificates for broker and collector")
    init.add_argument(
        "--host",
        action="append",
        required=True,
        help="name or address of the broker as devices reach it; may be repeated",
    )
    init.add_argument("--name", default="schoolpulse", help="name of the authority (default schoolpulse)")
    device = words.add_parser("device", help="write the file that makes a device known, once")
    device.add_argument("id", metavar="ID")
    device.add_argument("--host", required=True, help="name or address of broker and endpoint")
    device.add_argument("--port", type=int, default=8883, help="the broker's port (default 8883)")
    device.add_argument("--enrol-port", type=int, help="the endpoint's port (default: authority.enrol_port)")
    device.add_argument("--out", type=Path, metavar="FILE", help="(default ID.enrolment.toml)")
    sign = words.add_parser("sign", help="answer a request that came as a file")
    sign.add_argument("request", type=Path, metavar="REQUEST", help="made by `school-agent enrol --request`")
    sign.add_argument(
        "--out", type=Path, required=True, metavar="ANSWER", help="for `school-agent enrol --answer`"
    )
    revoke = words.add_parser("revoke", help="take everything away from a device, and end its session")
    revoke.add_argument("id", metavar="ID")
    words.add_parser("list", help="every device, and how it stands")
    words.add_parser("crl", help="write the revocation list anew; the running collector does so each week")
    for word in words.choices.values():
        word.add_argument(
            "--config",
            type=Path,
            default=DEFAULT_FILE,
            metavar="FILE",
            help=f"collector.toml (default {DEFAULT_FILE})",
        )
        word.add_argument("--json", action="store_true", help="print JSON, one document a line")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    config = load_config(options.config, with_broker=False)
    directory = config.options.authority.directory
    if directory is None:
        raise ConfigError(f"{config.file}: authority.directory", "is not set: where is the authority to be?")
    if options.act == "init":
        return _init(options, Path(directory))
    authority = Authority(Path(directory), config.options.authority)
    try:
        return _ACTS[options.act](options, config, authority)
    except Refused as e:
        print(f"school-collector: {e}", file=sys.stderr)
        return _FAILED
    finally:
        authority.close()


def _init(options: argparse.Namespace, directory: Path) -> int:
    files = create(directory, options.host, name=options.name, now_s=time.time())
    _say(options, {"directory": str(directory), "files": files})
    return 0


def _device(options: argparse.Namespace, config: Config, authority: Authority) -> int:
    port = options.enrol_port or config.options.authority.enrol_port or 8443
    token, expires_s = authority.invite(options.id)
    host = f"[{options.host}]" if ":" in options.host else options.host
    made = EnrolmentFile(
        device=options.id,
        token=token,
        enrol_url=f"https://{host}:{port}{PATH}",
        broker_host=options.host,
        broker_port=options.port,
        expires_at=_when(expires_s),
        ca=authority.ca,
    )
    file = options.out or Path(f"{options.id}.enrolment.toml")
    write(file, write_file(made), mode=0o600)
    _say(options, {"device": options.id, "file": str(file), "until": _when(expires_s)})
    return 0


def _sign(options: argparse.Namespace, _config: Config, authority: Authority) -> int:
    try:
        issued = authority.enrol(options.request.read_bytes())
    except Refused as e:
        write(options.out, encode(Issued(refused=str(e))).decode(), mode=0o644)
        raise
    write(options.out, encode(issued).decode(), mode=0o644)
    _say(options, {"answer": str(options.out), "until": _when(issued.not_after_s)})
    return 0


def _revoke(options: argparse.Namespace, config: Config, authority: Authority) -> int:
    from collector.authority.eviction import evict  # noqa: PLC0415  # the others need no MQTT

    count = authority.revoke(options.id)
    broker = load_config(config.file).broker
    is_evicted = evict(authority, broker, options.id)
    _say(options, {"device": options.id, "certificates": count, "session_ended": is_evicted})
    return 0


def _list(options: argparse.Namespace, _config: Config, authority: Authority) -> int:
    for line in authority.lines():
        if options.json:
            print(json.dumps(asdict(line)))
        else:
            until_s = line.token_until_s if line.state == "invited" else line.certificate_until_s
            print(f"{line.device:<24} {line.state:<20} {'' if until_s is None else _when(until_s)}")
    return 0


def _crl(options: argparse.Namespace, _config: Config, authority: Authority) -> int:
    _say(options, {"file": str(authority.directory / "crl.pem"), "until": _when(authority.write_crl())})
    return 0


_ACTS: dict[str, Act] = {"device": _device, "sign": _sign, "revoke": _revoke, "list": _list, "crl": _crl}


def _say(options: argparse.Namespace, found: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        print(f"{name:<14}{', '.join(value) if isinstance(value, list) else value}")


def _when(unix_s: float) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).isoformat(timespec="seconds")
