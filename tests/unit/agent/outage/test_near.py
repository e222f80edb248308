# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.outage.near import may_be_near


@pytest.mark.parametrize(
    ("host", "is_near"),
    [
        ("192.168.1.1", True),
        ("10.0.0.53", True),
        ("172.31.255.1", True),
        ("127.0.0.53", True),
        ("169.254.1.1", True),
        ("fd00::53", True),
        ("fe80::1", True),
        ("::1", True),
        ("172.32.0.1", False),
        ("100.64.53.53", False),
        ("1.1.1.1", False),
        ("2606:4700:4700::1111", False),
    ],
)
def test_the_school_may_have_private_addresses_and_its_own(host: str, is_near: bool) -> None:
    assert may_be_near(host) == is_near


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        may_be_near("router")
