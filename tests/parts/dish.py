# SPDX-License-Identifier: Apache-2.0
"""A satellite terminal's service before a gRPC server that is not ours (grpcio)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc

SERVICE, METHOD = "SpaceX.API.Device.Device", "Handle"


class GrpcDish:
    """Answers as it was recorded until its block ends.

    Args:
        answers: responses by request.
        stalls: so many calls are never answered, the first ones.
    """

    def __init__(self, answers: Mapping[bytes, bytes], *, stalls: int = 0) -> None:
        self._answers, self._stalls = answers, stalls
        self.asked: list[bytes] = []
        self._ends = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        handler = grpc.unary_unary_rpc_method_handler(self._handle)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
        )
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._server.stop(0).wait()

    def _handle(self, request: bytes, context: Any) -> bytes:
        self.asked.append(request)
        if len(self.asked) <= self._stalls:
            self._ends.wait(20)
        if request not in self._answers:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "not of this version")
        return self._answers[request]
