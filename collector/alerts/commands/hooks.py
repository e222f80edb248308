# SPDX-License-Identifier: Apache-2.0
"""school-collector hooks: what can an operator ask of the hooks?"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator

from agent.contract.decoder import DecodeError
from collector.alerts.commands.console import add_common, moment, opened, show
from collector.alerts.courier import test_event
from collector.alerts.dispatch import make_hook
from collector.alerts.event import timestamp
from collector.alerts.hooks.base import HookFailed
from collector.alerts.options import HookOptions
from collector.alerts.outbox import Outbox
from collector.alerts.signature import new_secret
from collector.config import Config, load_config
from collector.errors import ConfigError

_FAILED = 1
Act = Callable[[argparse.Namespace, Config, Outbox], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `hooks`."""
    words = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    words.add_parser("list", help="every hook, what waits for it and what was given up")
    words.add_parser("test", help="send a test event now, and say how that went").add_argument(
        "hook", metavar="HOOK"
    )
    words.add_parser("dead", help="what was given up, and why").add_argument("hook", metavar="HOOK")
    replay = words.add_parser(
        "replay", help="send again what was given up; also wakes a hook that was disabled"
    )
    replay.add_argument("hook", metavar="HOOK")
    replay.add_argument(
        "--since",
        type=moment,
        default=0,
        metavar="TIME",
        help="only what was made since, such as 2026-11-01",
    )
    words.add_parser("secret", help="print a new secret for a webhook")
    for word in words.choices.values():
        add_common(word)


def run(options: argparse.Namespace) -> int:
    """One of the words."""
    if options.act == "secret":
        print(new_secret())
        return 0
    config = load_config(options.config, with_broker=False)
    with opened(config) as outbox:
        return _ACTS[options.act](options, config, outbox)


def _list(options: argparse.Namespace, config: Config, outbox: Outbox) -> int:
    for name, hook in config.hooks.items():
        counts = outbox.counts(name)
        found = {
            "hook": name,
            "kind": hook.kind,
            "state": outbox.disabled(name) or ("enabled" if hook.enabled else "not enabled"),
            "waiting": counts.waiting,
            "delivered": counts.delivered,
            "dead": counts.dead,
            "oldest_waiting": timestamp(counts.oldest_waiting_ms),
        }
        show(found, as_json=options.json)
    return 0


def _test(options: argparse.Namespace, config: Config, _: Outbox) -> int:
    event = test_event(int(time.time() * 1000))
    hook = _hook(options, config)
    with _named(config):
        sender = make_hook(options.hook, hook)
    try:
        sender.send(event, 0)
    except HookFailed as e:
        show(
            {"hook": options.hook, "sent": False, "event": event.id, "problem": str(e)}, as_json=options.json
        )
        return _FAILED
    show({"hook": options.hook, "sent": True, "event": event.id}, as_json=options.json)
    return 0


def _dead(options: argparse.Namespace, config: Config, outbox: Outbox) -> int:
    _hook(options, config)
    for event, problem in outbox.dead(options.hook):
        found = {
            "event": event.id,
            "at": timestamp(event.at_ms),
            "state": event.state,
            "summary": event.summary,
            "problem": problem,
        }
        show(found, as_json=options.json)
    return 0


def _replay(options: argparse.Namespace, config: Config, outbox: Outbox) -> int:
    _hook(options, config)
    outbox.disable(options.hook, None)
    count = outbox.replay(options.hook, since_ms=options.since, now_ms=int(time.time() * 1000))
    show({"hook": options.hook, "again": count}, as_json=options.json)
    return 0


def _hook(options: argparse.Namespace, config: Config) -> HookOptions:
    if options.hook not in config.hooks:
        known = ", ".join(config.hooks) or "none"
        raise ConfigError(
            f"{config.file}: hooks.{options.hook}", f"there is no such hook; there are: {known}"
        )
    return config.hooks[options.hook]


@contextlib.contextmanager
def _named(config: Config) -> Iterator[None]:
    """Name the file in what the decoder says."""
    try:
        yield
    except DecodeError as e:
        raise ConfigError(f"{config.file}: {e.path}", e.problem) from e


_ACTS: dict[str, Act] = {"list": _list, "test": _test, "dead": _dead, "replay": _replay}
