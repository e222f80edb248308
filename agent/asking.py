# SPDX-License-Identifier: Apache-2.0
"""How is a device asked so that one that hangs costs only itself?

Each call runs in a thread of its own, not in the pool that the rest of the agent works with. A call that does
not come back is left alone, and its device not asked again until it does: so there is never more than one
thread for one device.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from agent.contract.kinds import Fields
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.base import Finding
from firmware_bridge.address import Address, parse_named
from firmware_bridge.reading import DeviceFailed, DeviceReading

T = TypeVar("T")

GRACE_S = 3.0
"""What a call may take beyond what it was told."""
_LONGEST_DETAIL = 150


class Asking:
    """Who of the devices has not come back yet."""

    def __init__(self) -> None:
        self._hanging: set[str] = set()
        self._lock = threading.Lock()

    async def ask(self, device: str, call: Callable[[], T], within_s: float) -> T:
        """What the call gives.

        Raises:
            TimeoutError: it did not come back in time, or an earlier one has not.
            DeviceFailed: as the call does.
        """
        with self._lock:
            if device in self._hanging:
                raise TimeoutError
            self._hanging.add(device)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(
            target=self._call, args=(device, call, loop, answer), name=f"asks-{device}", daemon=True
        )
        thread.start()
        async with asyncio.timeout(within_s):
            return await answer

    def _call(
        self, device: str, call: Callable[[], T], loop: asyncio.AbstractEventLoop, answer: asyncio.Future[T]
    ) -> None:
        def tell(result: T | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        result: T | None = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as e:  # noqa: BLE001 -- told to whoever waits
            error = e
        with self._lock:
            self._hanging.discard(device)
        try:
            loop.call_soon_threadsafe(tell, result, error)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return


async def finding_of(
    asking: Asking,
    board: Board,
    name: str,
    call: Callable[[], DeviceReading],
    *,
    within_s: float,
    unknown: Callable[..., Fields],
    hidden: str = "",
    absent: Sequence[str] = (),
) -> Finding:
    """The one record of a device; see `findings_of`."""
    found = await findings_of(
        asking, board, name, call, within_s=within_s, unknown=unknown, hidden=hidden, absent=absent
    )
    return found[0]


async def findings_of(
    asking: Asking,
    board: Board,
    name: str,
    call: Callable[[], DeviceReading],
    *,
    within_s: float,
    unknown: Callable[..., Fields],
    hidden: str = "",
    absent: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """What one device told, noted on the board; or why it told nothing.

    Args:
        asking: who has not come back yet.
        board: where what it means is noted.
        name: of the device.
        call: asks it.
        within_s: what the call was told; it may take `GRACE_S` longer.
        unknown: the record without figures, but for a `meaning`.
        hidden: what may stand in an error and is not told, a path with a serial number for instance.
        absent: meanings of a device that is not there.
    """
    try:
        told = await asking.ask(name, call, within_s + GRACE_S)
    except TimeoutError:
        board.note(name, ())
        return (Finding(unknown(), Reason.OVERRAN, "it hangs, or its port does"),)
    except DeviceFailed as e:
        meanings = absent if e.reason in {Reason.NOT_PRESENT, Reason.GONE} else ()
        board.note(name, meanings)
        detail = str(e).replace(hidden, name) if hidden else str(e)
        known = unknown(meaning=",".join(meanings) or None)
        return (Finding(known, e.reason, detail[:_LONGEST_DETAIL]),)
    except ModuleNotFoundError as e:
        detail = f"the library {e.name} is not installed: pip install 'schoolpulse[bridge]'"
        return (Finding(unknown(), Reason.NOT_PRESENT, detail),)
    board.note(name, told.meanings)
    return tuple(Finding(fields) for fields in told.fields)


def named_devices(
    option: str, texts: Sequence[str], schemes: Collection[str], *, needed: bool
) -> list[tuple[str, Address]]:
    """The devices of a probe's option, each with its name.

    Raises:
        ValueError: a text is no `name=address`, a name stands there twice, or none is named that must be.
    """
    named = [parse_named(text, schemes) for text in texts]
    if len(dict(named)) < len(named):
        raise ValueError(f"{option} must not repeat a name")
    if needed and not named:
        raise ValueError(f"{option} must name at least one device, as `name=address`")
    return named


def check_times(device_s: float, deadline_s: float) -> None:
    """A device that hangs is left before the whole round is stopped.

    Raises:
        ValueError: it would not be.
    """
    if device_s + GRACE_S > deadline_s:
        raise ValueError(f"device_s must be at least {GRACE_S:g} s below deadline_s")
