# SPDX-License-Identifier: Apache-2.0
"""Which of the recorded reasons is this error of the operating system?"""

from __future__ import annotations

import errno

from agent.contract.reason import Reason

_REASONS = {
    # The host itself cannot send: no route, no address, interface gone or its queue stuck, `blackhole` route.
    errno.ENETUNREACH: Reason.NETWORK_DOWN,
    errno.ENETDOWN: Reason.NETWORK_DOWN,
    errno.EADDRNOTAVAIL: Reason.NETWORK_DOWN,
    errno.EAFNOSUPPORT: Reason.NETWORK_DOWN,
    errno.ENODEV: Reason.NETWORK_DOWN,
    errno.ENXIO: Reason.NETWORK_DOWN,
    errno.ENOBUFS: Reason.NETWORK_DOWN,
    errno.EAGAIN: Reason.NETWORK_DOWN,
    errno.EINVAL: Reason.NETWORK_DOWN,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.REFUSED,
    errno.ETIMEDOUT: Reason.TIMEOUT,
    # A local packet filter or a `prohibit` route.
    errno.EPERM: Reason.NOT_PERMITTED,
    errno.EACCES: Reason.NOT_PERMITTED,
}


class NoAnswer(Exception):
    """A question that could not be asked, or got no usable answer."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def reason_of(error: OSError) -> Reason:
    """The recorded reason for an error of a socket call."""
    return _REASONS.get(error.errno or 0, Reason.INTERNAL)
