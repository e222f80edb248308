# SPDX-License-Identifier: Apache-2.0
"""How does the watch run: when is it asked, who sends for it, who looks round for it?

It has a thread and an event loop of its own, so that a slow card or a probe delays neither its requests nor
its reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

from agent.echo import resolvers, stamp
from agent.echo.way import Way
from agent.outage import hops
from agent.outage.asker import Asker
from agent.outage.evidence import Evidence, together
from agent.outage.flapping import Flapping
from agent.outage.hops import Hops
from agent.outage.host import HostEvidence, written
from agent.outage.options import OutageOptions
from agent.outage.outage import Outage
from agent.outage.watch import Watch

log = logging.getLogger("agent.outage")

Tell = Callable[[Outage], None]
TellWay = Callable[[Way], None]

_LOOK_EVERY_S = 0.5
_TRACE_EVERY_S = 6 * 3600.0
_TRACE_AGAIN_S = 60.0


class Watcher:
    """Watches until stopped; `tell` is called in its thread, `tell_way` when anchors are asked otherwise."""

    def __init__(
        self,
        options: OutageOptions,
        tell: Tell,
        evidence: Sequence[Evidence] = (),
        *,
        flapping: Flapping | None = None,
        tell_way: TellWay = lambda _: None,
    ) -> None:
        self._options = options
        self._tell = tell
        self._tell_way = tell_way
        self._host = HostEvidence(options.wan_interface)
        self._evidence = (*evidence, self._host)
        self._news = asyncio.Event()
        self._looked_s = self._traced_s = -1e9
        self._hops = Hops()
        self._tracing: asyncio.Task[Hops] | None = None
        self._asker = Asker(
            self._answered,
            self._news.set,
            dns_name=options.dns_name,
            timeout_s=options.timeout_s,
            tcp_port=options.tcp_port,
        )
        self._flapping = flapping or Flapping()
        self._watch = Watch(options.plan(), options.anchors, echo_is_permitted=self._asker.echo_is_permitted)
        self._way = self._watch.way

    async def run(self) -> None:
        """Watch until cancelled."""
        await stamp.begin()
        try:
            while True:
                await self._turn()
        finally:
            if self._tracing is not None:
                self._tracing.cancel()
            await self._asker.close()

    async def _turn(self) -> None:
        now_s = time.monotonic()
        self._look(now_s)
        self._asker.read()
        for outage in self._watch.tick(now_s):
            self._pass_on(outage)
        if self._watch.way != self._way:
            self._way = self._watch.way
            self._tell_way(self._way)
        for outage in self._flapping.quiet(now_s):
            self._tell(outage)
        for ask in self._watch.asks(now_s):
            self._asker.send(ask)
        next_s = min(self._watch.next_s(now_s), self._looked_s + _LOOK_EVERY_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, next_s - time.monotonic())):
                await self._news.wait()
        self._news.clear()

    def _answered(self, number: int, at_s: float, fails: bool) -> None:
        for outage in self._watch.answered(number, at_s, fails=fails):
            self._pass_on(outage)

    def _pass_on(self, outage: Outage) -> None:
        for told in self._flapping.told(outage):
            self._tell(told)

    def _look(self, now_s: float) -> None:
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        self._watch.saw(together([each.look() for each in self._evidence]), now_s)
        gateway = self._host.gateway
        names = [written(a) for a in resolvers.system_resolvers()]
        self._watch.meet(
            {"gateway": [gateway] if gateway else [], "dns": names if self._options.dns_name else []}, now_s
        )
        self._trace(now_s)

    def _trace(self, now_s: float) -> None:
        """Find modem and first hop while the link is well; what is configured is taken as it is."""
        if self._tracing is not None and self._tracing.done():
            if not self._tracing.cancelled() and self._tracing.exception() is None:
                self._met(self._tracing.result(), now_s)
            self._tracing = None
        every_s = _TRACE_EVERY_S if self._hops.first else _TRACE_AGAIN_S
        is_known = self._options.modem and self._options.first_hop
        if self._tracing or self._watch.is_doubted or now_s - self._traced_s < every_s:
            return
        self._traced_s = now_s
        if is_known:
            self._met(Hops(), now_s)
            return
        self._tracing = asyncio.ensure_future(
            hops.find(self._options.anchors[0], self._host.gateway, timeout_s=self._options.timeout_s)
        )

    def _met(self, found: Hops, now_s: float) -> None:
        """What was found; what is not heard now may have been silent by chance and stays."""
        modem = self._options.modem or found.modem or self._hops.modem
        first = self._options.first_hop or found.first or self._hops.first
        self._hops = Hops(modem, first)
        self._watch.meet({"modem": [modem] if modem else [], "hop": [first] if first else []}, now_s)


class WatcherThread:
    """Runs a watcher beside everything else."""

    def __init__(
        self, options: OutageOptions, tell: Tell, tell_way: TellWay, evidence: Sequence[Evidence] = ()
    ) -> None:
        self._options = options
        self._tell = tell
        self._tell_way = tell_way
        self._evidence = evidence
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="outage", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, patience_s: float = 2.0) -> None:
        """Stop watching; an outage that lasts stays open."""
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(patience_s)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._watch())

    async def _watch(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        while True:
            try:
                await Watcher(self._options, self._tell, self._evidence, tell_way=self._tell_way).run()
            except Exception:
                log.exception("outage.watch_failed")
                self._tell_way("echo")
                await asyncio.sleep(_TRACE_AGAIN_S)
