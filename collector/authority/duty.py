# SPDX-License-Identifier: Apache-2.0
"""What does the authority do by itself while the collector runs?

Answers devices that enrol, ends sessions of revoked devices, and makes the revocation list anew each week: a
list that is past its date locks every device out, so it is good for 90 days and there is an alarm at 14.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time

from collector.authority.authority import Authority
from collector.authority.certificates import CRL_ALARM_DAYS, CRL_DAYS
from collector.authority.desk import Desk
from collector.authority.endpoint import serve
from collector.authority.eviction import Evictor
from collector.authority.options import AuthorityOptions
from collector.backoff import Backoff
from collector.broker import Broker
from collector.health import Health

log = logging.getLogger("collector.authority")

CRL_RENEW_DAYS = CRL_DAYS - 7
_DAY_S = 86400
_LIST_EVERY_S = 3600.0
_EVICT_EVERY_S = 0.5


async def run(desk: Desk, options: AuthorityOptions, broker: Broker, health: Health) -> None:
    """Until cancelled."""
    if desk.authority is None:
        return
    evictor = Evictor(desk.authority, broker)
    desk.on_revoked = evictor.want
    for device in desk.signers().revoked:
        evictor.want(device)
    async with asyncio.TaskGroup() as group:
        group.create_task(_evict(desk, evictor), name="evict")
        group.create_task(_renew_list(desk.authority, health), name="crl")
        if options.enrol_port is not None:
            group.create_task(_answer(desk.authority, options), name="enrolment")


async def _evict(desk: Desk, evictor: Evictor) -> None:
    """A revocation by somebody's command is noticed here, even when no message comes in."""
    while True:
        await asyncio.to_thread(desk.signers)
        await asyncio.to_thread(evictor.work)
        await asyncio.sleep(_EVICT_EVERY_S)


async def _renew_list(authority: Authority, health: Health) -> None:
    while True:
        try:
            health.crl_until_s = await asyncio.to_thread(care_for_list, authority)
        except (OSError, sqlite3.Error) as e:
            log.error("crl.not_renewed problem=%s", e)  # noqa: TRY400 -- a disk's fault, not ours
        await asyncio.sleep(_LIST_EVERY_S)


def care_for_list(authority: Authority) -> float:
    """Make it anew when it is a week old; until when it is good."""
    until_s = authority.crl_until_s() or 0.0
    if until_s - time.time() < CRL_RENEW_DAYS * _DAY_S:
        until_s = authority.write_crl()
        log.info("crl.renewed until_s=%d", until_s)
    if until_s - time.time() < CRL_ALARM_DAYS * _DAY_S:
        log.error("crl.ends_soon until_s=%d", until_s)
    return until_s


async def _answer(authority: Authority, options: AuthorityOptions) -> None:
    backoff = Backoff(first_s=5, most_s=300)
    while True:
        try:
            await serve(authority, options)
        except OSError as e:
            log.error("enrolment.closed problem=%s", e)  # noqa: TRY400 -- the port's fault, not ours
        await asyncio.sleep(backoff.next_s())
