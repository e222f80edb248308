# SPDX-License-Identifier: Apache-2.0
"""How do the reflector's services over TCP come to listen, and to stop?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

from collector.errors import ConfigError
from collector.reflector.gate import Gate
from collector.reflector.ndt7 import Ndt7Server
from collector.reflector.options import HttpOptions, Ndt7Options, TcpOptions
from collector.reflector.pages import PageServer
from collector.reflector.stream import StreamServer

log = logging.getLogger("collector.reflector")

_BACKLOG = 256


@contextlib.asynccontextmanager
async def listening_for_streams(options: TcpOptions, gate: Gate) -> AsyncIterator[int]:
    """The other end of `tcp`; its port."""
    is_six = ":" in options.host
    with _named("tcp"):
        listener = socket.create_server(
            (options.host, options.port),
            family=socket.AF_INET6 if is_six else socket.AF_INET,
            backlog=_BACKLOG,
            dualstack_ipv6=options.host == "::",
        )
    with listener:
        serving = asyncio.create_task(StreamServer(gate).serve(listener), name="reflector tcp")
        port = int(listener.getsockname()[1])
        log.info("reflector.listening service=tcp port=%d", port)
        try:
            yield port
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def listening_for_ndt7(options: Ndt7Options, gate: Gate) -> AsyncIterator[int]:
    """For NDT7 clients; its port."""
    with _named("ndt7"):
        host = None if options.host == "::" else options.host
        server = await Ndt7Server(gate, guests=options.guests).start(host, options.port, _tls(options))
    port = int(server.sockets[0].getsockname()[1])
    log.info("reflector.listening service=ndt7 port=%d", port)
    try:
        yield port
    finally:
        server.close()


@contextlib.asynccontextmanager
async def listening_for_pages(options: HttpOptions) -> AsyncIterator[int]:
    """For the probes `portal` and `http`; its port."""
    with _named("http"):
        host = None if options.host == "::" else options.host
        server = await PageServer().start(host, options.port)
    port = int(server.sockets[0].getsockname()[1])
    log.info("reflector.listening service=http port=%d", port)
    try:
        yield port
    finally:
        server.close()


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
