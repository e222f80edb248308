# SPDX-License-Identifier: Apache-2.0
"""The short-lived child: reads an order from its input, asks, tells what it found and ends.

scapy costs tens of megabytes, which is why it is never imported by the agent itself.
"""

from __future__ import annotations

import os
import sys

from agent.contract.reason import Reason
from agent.echo.problem import reason_of
from agent.trace.told import MAX_BYTES, Told, read_order, write


def main() -> int:
    """Find out what is asked for; every failure is told."""
    order = read_order(os.read(sys.stdin.fileno(), MAX_BYTES))
    try:
        from agent.trace.search import find_out  # noqa: PLC0415 -- imports scapy
    except ImportError as e:
        told = Told(failed=Reason.NOT_PRESENT, detail=f"scapy is not installed (extra `path`): {e}")
    else:
        try:
            told = find_out(order)
        except PermissionError as e:
            told = Told(failed=Reason.NOT_PERMITTED, detail=f"raw sockets need CAP_NET_RAW: {e}")
        except OSError as e:
            told = Told(failed=reason_of(e), detail=str(e))
    sys.stdout.buffer.write(write(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
