# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno

import pytest

from agent.contract.reason import Reason
from agent.echo.problem import reason_of


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENETUNREACH, Reason.NETWORK_DOWN),
        (errno.ENETDOWN, Reason.NETWORK_DOWN),
        (errno.EHOSTUNREACH, Reason.UNREACHABLE),
        (errno.ECONNREFUSED, Reason.REFUSED),
        (errno.EPERM, Reason.NOT_PERMITTED),
        (errno.ETIMEDOUT, Reason.TIMEOUT),
        (errno.EIO, Reason.INTERNAL),
    ],
)
def test_reason_follows_from_the_error(number: int, reason: Reason) -> None:
    assert reason_of(OSError(number, "x")) == reason


def test_reason_of_an_error_without_number_is_internal() -> None:
    assert reason_of(OSError()) == Reason.INTERNAL
