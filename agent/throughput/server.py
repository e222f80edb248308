# SPDX-License-Identifier: Apache-2.0
"""Where is the server of a throughput test, and what opens it?"""

from __future__ import annotations

import os

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.reason import Reason
from agent.contract.secret import read_secret
from agent.echo.address import Address
from agent.echo.problem import NoAnswer
from agent.echo.target import find
from agent.probes.base import ProbeFailed


def check_server(server: str, *, enabled: bool) -> None:
    """Refuse a probe without a server, or with one that is none.

    Raises:
        ValueError: what is wrong.
    """
    if enabled and not server:
        raise ValueError("an enabled probe needs a server")
    if server and (problem := host_problem(server)):
        raise ValueError(f"server {problem}")


async def look_up(server: str, *, timeout_s: float) -> Address:
    """Its address.

    Raises:
        ProbeFailed: it has none.
    """
    try:
        return await find(server, timeout_s=timeout_s)
    except NoAnswer as e:
        raise ProbeFailed(e.reason, e.detail) from e


def read_token(file: str) -> str:
    """The device's token.

    Raises:
        ProbeFailed: there is none.
    """
    try:
        return read_secret("token_file", file, os.environ)
    except DecodeError as e:
        raise ProbeFailed(Reason.NOT_PRESENT, str(e)) from e
