# SPDX-License-Identifier: Apache-2.0
"""How is a question asked by gRPC over TCP without TLS, and not waited for too long?"""

from __future__ import annotations

import time

from agent.contract.reason import Reason
from firmware_bridge.links.tcp import TcpPort
from firmware_bridge.protocols.grpc import Call, CallFailed
from firmware_bridge.reading import DeviceFailed

_TRY_S = 3.0


class GrpcService:
    """One method of one server; a connection for each call.

    Args:
        method: `/package.Service/Method`.
        name: what errors call it.
        within_s: nothing is waited for longer than this after it was made.
    """

    def __init__(self, host: str, port: int, method: str, *, name: str, within_s: float) -> None:
        self.name = name
        self._host, self._port, self._method = host, port, method
        self._end_s = time.monotonic() + within_s

    def ask(self, message: bytes) -> bytes:
        """The answer; a call that stalls is tried once more.

        Raises:
            DeviceFailed: there was none.
        """
        try:
            return self._ask(message)
        except DeviceFailed as e:
            if e.reason is not Reason.TIMEOUT or self._left_s() <= 0:
                raise
            return self._ask(message)

    def _ask(self, message: bytes) -> bytes:
        within_s = min(_TRY_S, self._left_s())
        host = f"[{self._host}]" if ":" in self._host else self._host
        call, answer = Call(f"{host}:{self._port}", self._method, message), None
        with TcpPort(self._host, self._port, name=self.name, within_s=within_s) as link:
            link.write(call.begin())
            while answer is None:
                try:
                    answer, more = call.feed(link.read())
                except CallFailed as e:
                    raise DeviceFailed(self.name, Reason.BAD_ANSWER, str(e)) from e
                if more and answer is None:
                    link.write(more)
        return answer

    def _left_s(self) -> float:
        return max(0.001, self._end_s - time.monotonic())
