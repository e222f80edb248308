# SPDX-License-Identifier: Apache-2.0
"""How do the reflector's services come to listen, and to stop?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

from collector.errors import ConfigError
from collector.reflector.gate import Gate
from collector.reflector.ndt7 import Ndt7Server
from collector.reflector.options import CapacityOptions, HttpOptions, Ndt7Options, TcpOptions
from collector.reflector.pages import PageServer
from collector.reflector.place import listened_on
from collector.reflector.stream import StreamServer
from collector.reflector.udp import CapacityServer

log = logging.getLogger("collector.reflector")

_BACKLOG = 256


@contextlib.asynccontextmanager
async def listening_for_datagrams(options: CapacityOptions, gate: Gate) -> AsyncIterator[int]:
    """The other end of `capacity`; its port."""
    with _named("capacity"):
        server = CapacityServer(options, gate)
    try:
        async with _serving("capacity", server.port, _ended(server.start())):
            yield server.port
    finally:
        await asyncio.to_thread(server.stop)


@contextlib.asynccontextmanager
async def listening_for_streams(options: TcpOptions, gate: Gate) -> AsyncIterator[int]:
    """The other end of `tcp`; its port."""
    with _listener("tcp", options.host, options.port) as listener:
        port = int(listener.getsockname()[1])
        async with _serving("tcp", port, StreamServer(gate).serve(listener)):
            yield port


@contextlib.asynccontextmanager
async def listening_for_ndt7(options: Ndt7Options, gate: Gate) -> AsyncIterator[int]:
    """For NDT7 clients; its port."""
    with _named("ndt7"):
        tls = _tls(options)
    with _listener("ndt7", options.host, options.port) as listener:
        port = int(listener.getsockname()[1])
        async with _serving("ndt7", port, Ndt7Server(gate, guests=options.guests).serve(listener, tls)):
            yield port


@contextlib.asynccontextmanager
async def listening_for_pages(options: HttpOptions) -> AsyncIterator[int]:
    """For the probes `portal` and `http`; its port."""
    with _listener("http", options.host, options.port) as listener:
        port = int(listener.getsockname()[1])
        async with _serving("http", port, PageServer().serve(listener)):
            yield port


@contextlib.asynccontextmanager
async def _serving(service: str, port: int, serve: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """While the block lasts; a service that fails ends the block with what it failed of."""
    holder, serving = asyncio.current_task(), asyncio.create_task(serve, name=f"reflector {service}")
    log.info("reflector.listening service=%s port=%d", service, port)

    def end(task: asyncio.Task[None]) -> None:
        if holder is not None and not task.cancelled():
            holder.cancel()

    serving.add_done_callback(end)
    try:
        yield
    except asyncio.CancelledError:
        if holder is not None and serving.done() and not serving.cancelled():
            holder.uncancel()
            serving.result()
        raise
    finally:
        serving.remove_done_callback(end)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _ended(thread: Future[None]) -> None:
    await asyncio.wrap_future(thread)


@contextlib.contextmanager
def _listener(table: str, host: str, port: int) -> Iterator[socket.socket]:
    family, host = listened_on(host)
    with _named(table):
        listener = socket.create_server(
            (host, port),
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=host == "::",
        )
    with listener:
        yield listener


def _tls(options: Ndt7Options) -> ssl.SSLContext | None:
    if options.certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate_file, options.key_file)
    return context


@contextlib.contextmanager
def _named(table: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:  # ssl.SSLError is one
        raise ConfigError(f"reflector.toml: {table}", f"cannot listen: {e}") from e
