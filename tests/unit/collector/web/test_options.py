# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.contract.decoder import DecodeError, decode
from collector.web.options import WebOptions


def test_defaults_listen_on_this_machine_only() -> None:
    assert decode(WebOptions, {}, strict=True) == WebOptions(host="127.0.0.1", port=8080)


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"prot": 1}, "web.prot: unknown key; did you mean 'port'?"),
        ({"port": 70000}, "web.port: 70000 is outside 0 … 65535"),
        ({"port": "80"}, "web.port: expected a whole number"),
        ({"time_zone": "Asia/Almaata"}, "web.time_zone: 'Asia/Almaata' is not an IANA time zone"),
        ({"time_zone": "../../etc/passwd"}, "web.time_zone: '../../etc/passwd' is not an IANA time zone"),
        ({"time_zone": ""}, "web.time_zone: '' is not an IANA time zone"),
        ({"schools_per_page": 0}, "web.schools_per_page: 0 is outside 10 … 1000"),
    ],
)
def test_option_is_refused_with_its_path_when_it_is_wrong(plain: dict[str, object], said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(WebOptions, plain, strict=True, path="web")
    assert str(refused.value).startswith(said)
