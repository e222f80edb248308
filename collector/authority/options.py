# SPDX-License-Identifier: Apache-2.0
"""What was the authority told? The table `[authority]`; without a directory there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.contract.option import option

PATH = "/enrol"
"""Where the enrolment endpoint is asked."""

Policy = Literal["registered", "required", "if-present"]


@dataclass(frozen=True, kw_only=True)
class AuthorityOptions:
    """The table `[authority]`."""

    directory: str | None = option(
        "folder of its own, made by `enrol init`; unset: no certificates, no signatures",
        None,
        example='"/var/lib/schoolpulse/authority"',
    )
    signatures: Policy = option(
        "`registered`: a device whose signing key is known must sign; `required`: everybody must; "
        "`if-present`: nobody must, but a signature that is there must hold",
        "registered",
    )
    device_days: float = option("life of a device's certificate; renewed at two thirds", 365.0, low=0.0001)
    token_days: float = option("how long an enrolment file works", 14.0, low=0.0001, high=90)
    enrol_host: str = option("address the enrolment endpoint listens on", "0.0.0.0")  # noqa: S104 -- schools reach it
    enrol_port: int | None = option(
        "its port (HTTPS); unset: no endpoint, `enrol sign` answers requests that come as files",
        None,
        low=1,
        high=65535,
        example="8443",
    )
