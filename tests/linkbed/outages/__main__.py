# SPDX-License-Identifier: Apache-2.0
"""Does the watch keep what is promised of every scripted outage? Five links at once, as root, in 200 s."""

from __future__ import annotations

import argparse
import sys

from tests.linkbed.outages.played import play_all
from tests.linkbed.outages.promised import broken
from tests.linkbed.outages.scenarios import LINKS
from tests.linkbed.outages.table import table


def main() -> int:
    """Print the tables and what was promised and not kept; 0 if nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.linkbed.outages", description=__doc__)
    parser.add_argument("--profile", choices=sorted({line.profile for line in LINKS}))
    parser.add_argument("--link", choices=sorted({line.link for line in LINKS}))
    options = parser.parse_args()
    lines = [
        line
        for line in LINKS
        if options.profile in {None, line.profile} and options.link in {None, line.link}
    ]
    results = play_all(lines)
    faults = [fault for line, played in results.items() for fault in broken(played, line)]
    print("\n".join([*(table(line, played) for line, played in results.items()), *faults]))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
