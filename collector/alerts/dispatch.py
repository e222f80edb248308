# SPDX-License-Identifier: Apache-2.0
"""Who carries which event? The hooks of the configuration, a courier for each, one outbox for all."""

from __future__ import annotations

import contextlib
import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.contract.decoder import DecodeError, decode, nearest
from collector.alerts.courier import Courier
from collector.alerts.event import AlertEvent
from collector.alerts.hooks import HOOKS, hook_class
from collector.alerts.hooks.base import Hook
from collector.alerts.options import HookOptions, wants
from collector.alerts.outbox import Outbox

log = logging.getLogger("collector.alerts.dispatch")

_FILE = "alerts.sqlite"
_LEAVES_S = 5.0
_DEFAULT_KIND = "webhook"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def read_hooks(tables: Mapping[str, Any]) -> dict[str, HookOptions]:
    """The options of each table `[hooks.NAME]`.

    Raises:
        DecodeError: what is wrong, with its key path.
    """
    return {name: _read_hook(name, table) for name, table in tables.items()}


def _read_hook(name: str, table: Any) -> HookOptions:
    path = f"hooks.{name}"
    if not _NAME.fullmatch(name):
        raise DecodeError(path, "a hook's name is of a-z, 0-9, - and _")
    kind = table.get("kind", _DEFAULT_KIND) if isinstance(table, dict) else _DEFAULT_KIND
    if kind not in HOOKS:
        raise DecodeError(f"{path}.kind", f"unknown kind {kind!r}" + nearest(str(kind), HOOKS))
    read: HookOptions = decode(hook_class(kind).OPTIONS, table, strict=True, path=path)
    return read


def make_hook(name: str, options: HookOptions) -> Hook:
    """Ready to send; makes no connection.

    Raises:
        DecodeError: a secret cannot be read.
    """
    try:
        made: Hook = hook_class(options.kind)(options)
    except DecodeError as e:
        raise DecodeError(f"hooks.{name}.{e.path}", e.problem) from e
    except ValueError as e:
        raise DecodeError(f"hooks.{name}", str(e)) from e
    return made


def open_outbox(directory: Path) -> Outbox:
    """The outbox in the alerts' folder."""
    return Outbox(directory / _FILE)


def sound_outbox(directory: Path) -> Outbox:
    """The same; a damaged file is put aside and a new one begun, for evidence is not to wait for it."""
    try:
        return _checked(open_outbox(directory))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as e:
        aside = directory / f"{_FILE}.damaged-{int(time.time())}"
        log.error("alerts.damaged file=%s put_aside=%s problem=%s", directory / _FILE, aside, e)  # noqa: TRY400 -- a disk's fault
        for tail in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (directory / f"{_FILE}{tail}").rename(f"{aside}{tail}")
        return open_outbox(directory)


def _checked(outbox: Outbox) -> Outbox:
    try:
        outbox.check()
    except sqlite3.Error:
        outbox.close()
        raise
    return outbox


class Dispatch:
    """Takes events and carries them while `running`.

    Args:
        outbox: where they wait.
        hooks: options by name.
        is_well: whether a hook may say that all is well.
    """

    def __init__(
        self, outbox: Outbox, hooks: Mapping[str, HookOptions], *, is_well: Callable[[], bool] = lambda: True
    ) -> None:
        self.outbox = outbox
        self.hooks = {name: options for name, options in hooks.items() if options.enabled}
        self.couriers = [
            Courier(name, make_hook(name, options), outbox, heartbeat_s=options.heartbeat_s, is_well=is_well)
            for name, options in self.hooks.items()
        ]

    def put(self, event: AlertEvent) -> None:
        """To all who want it; inside `outbox.transaction()` together with what else changes."""
        self.outbox.put(
            event, [name for name, hook in self.hooks.items() if not hook.after_s and wants(hook, event)]
        )

    def escalate(self, alert: str, now_ms: int) -> None:
        """To those who want it only after a while, once that is over."""
        later = {name: hook for name, hook in self.hooks.items() if hook.after_s}
        event = self.outbox.beginning(alert) if later else None
        if event is None:
            return
        for name, hook in later.items():
            if wants(hook, event) and now_ms - event.at_ms >= 1000 * hook.after_s:
                self.outbox.escalate(event, name, now_ms)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Carry, until the block ends; what is on its way then is sent again."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=courier.run, args=(stop,), name=f"hook.{courier.name}", daemon=True)
            for courier in self.couriers
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            with self.outbox.transaction():
                pass  # wakes those who wait
            ends_s = time.monotonic() + _LEAVES_S
            for thread in threads:
                thread.join(max(0.0, ends_s - time.monotonic()))
            log.info("hooks.stopped hooks=%d", len(threads))
