# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import socket
from unittest import mock

import pytest

from agent.echo.address import parse
from agent.trace import large


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAFNOSUPPORT])
async def test_nothing_is_said_of_large_packets_where_none_can_be_sent(number: int) -> None:
    with mock.patch.object(socket, "socket", side_effect=OSError(number, "no")):
        assert await large.comes_back(parse("2001:db8::1"), timeout_s=0.1) is None
