# SPDX-License-Identifier: Apache-2.0
"""Runs one command at the school's end of an emulated link, and says afterwards what really happened.

    python -m tests.linkbed rate_bps=10_000_000 rtt_ms=50 up.rate_bps=1_000_000 \\
        --at 2 cut=operator --at 7.5 mend=operator --at 9 loss_ratio=0.1 -- ping -c 20 1.1.1.1

Needs root. The bed's own error is measured by `make bench ONLY=linkbed`.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Change, Cut, Link, Mend, Way
from tests.linkbed.truth import Truth

_WAYS = ("up", "down")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "jitter": (str,),
    "burst_loss": (dict,),
    "policed": (bool,),
    "overtaking": (bool,),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's own exit code."""
    words, command = _split(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    told = parser.parse_args(words)
    try:
        link = changed(Link(), told.link)
        steps = script(link, told.at)
    except (TypeError, ValueError) as e:
        parser.error(str(e))
    with Bed() as bed:
        bed.apply(link)
        began_ns = bed.script(steps)
        code = subprocess.call(bed.inside("school", command or ["true"]))
        _tell(bed.truth(), began_ns, len(steps))
    return code


def changed(link: Link, words: Sequence[str]) -> Link:
    """The link with these keys changed: `key=value`, for one direction `up.key=value`.

    Raises:
        ValueError: there is no such key.
        TypeError: it takes no such value.
    """
    for word in words:
        key, is_given, value = word.partition("=")
        way, _, name = key.rpartition(".")
        known = {field.name for field in dataclasses.fields(Way)} | ({"rtt_ms"} if not way else set())
        if not is_given or name not in known or way not in ("", *_WAYS):
            raise ValueError(f"{word}: must be [up.|down.]KEY=VALUE, with a KEY of {sorted(known)}")
        new = {name: _value(name, value)}
        link = dataclasses.replace(link, **({way: {**getattr(link, way), **new}} if way else new))
    link.ways()
    return link


def script(link: Link, steps: Sequence[tuple[str, str]]) -> list[tuple[float, Change]]:
    """What is to happen when: `cut=PLACE`, `mend=PLACE`, or a key of the link.

    Raises:
        ValueError: no such thing can be done.
        TypeError: a key takes no such value.
    """
    made: list[tuple[float, Change]] = []
    for at_s, what in sorted(((float(at), what) for at, what in steps), key=lambda step: step[0]):
        verb, _, where = what.partition("=")
        if verb in {"cut", "mend"}:
            made.append((at_s, (Cut if verb == "cut" else Mend)(where)))
        else:
            link = changed(link, [what])
            made.append((at_s, link))
    return made


def _value(name: str, text: str) -> Any:
    """As in TOML; `burst_loss={to_bad_ratio=0.01, to_good_ratio=0.2}` makes a `Burst`."""
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if type(value) not in _TYPES.get(name, (int, float)):
        raise TypeError(f"{name}={text}: takes no such value")
    return Burst(**value) if name == "burst_loss" else value


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.linkbed",
        usage="%(prog)s [KEY=VALUE ...] [--at SECONDS WHAT ...] -- COMMAND ...",
        description=__doc__,
        epilog=f"{inspect.getdoc(Way)}\n\nHosts: {' '.join((*place.ANCHORS, *place.WEB))}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("link", nargs="*", metavar="KEY=VALUE", help="how the link is; by default perfect")
    parser.add_argument(
        "--at",
        nargs=2,
        action="append",
        default=[],
        metavar=("SECONDS", "WHAT"),
        help=f"later change: cut=PLACE, mend=PLACE, KEY=VALUE; places: {' '.join(place.INTERFACES)} line up "
        "down operator dns, or the address of a host",
    )
    return parser


def _tell(truth: Truth, began_ns: int, steps: int) -> None:
    for event in truth.events[len(truth.events) - steps :]:
        print(f"{(event.at_ns - began_ns) / 1e9:9.6f} s  {event.change}")
    for name in _WAYS:
        counters = dataclasses.asdict(getattr(truth, name))
        print(f"{name:<5}" + " ".join(f"{key}={value}" for key, value in counters.items()))


if __name__ == "__main__":
    sys.exit(main())
