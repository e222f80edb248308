# SPDX-License-Identifier: Apache-2.0
"""When does one rule begin and end to fire for one subject? A state machine without clock or storage.

Signs older than one that was seen change nothing, so the same signs again change nothing either. An alarm
that turns `MOST_CHANGES` times within an hour flaps: it stays as firing until it was quiet for an hour, so
that nobody is told of every turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from collector.alerts.rule import Rule
from collector.alerts.sign import Sign

MOST_CHANGES = 4
HOUR_MS = 3_600_000
_SLOT_MS = 60_000
"""What is said twice of the same minute, by two devices of a school perhaps, counts once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One rule for one subject.

    Attributes:
        subject: school, device, operator or region.
        school: of a device, where it was last heard; the same as `subject` for a school.
        is_bad: what was last believed.
        since_ms: since when that holds, dated back to the first sign of it; None before the first sign.
        against: signs in a row that say otherwise; against_ms: time of the first, last_ms of the last.
        seen_ms: time of the newest sign; heard_ms: when it came, by our clock.
        quiet_ms: the same, once it is long ago; it is stored, so that silence goes on over a new start.
        changes: when it turned within the last hour; flaps: whether it did too often, until it is quiet.
        value, cause: of the newest bad sign.
        alert: id of what is or will be told; None when nothing is.
        is_told: whether it was told that it fires; is_flap_told: that it flaps.
        began_ms: since when it fires, as it is or was told; one that flaps may be well meanwhile.
        parent: alert of many schools that stands for it.
        night_ms: when it would have been told, had it not been outside the service hours.
        acknowledged_until_ms, owner: somebody takes care of it until then.
        labels: what it was told with; they stay, whatever the registry says later.
    """

    rule: str
    subject: str
    school: str = ""
    is_bad: bool = False
    since_ms: int | None = None
    against: int = 0
    against_ms: int | None = None
    last_ms: int | None = None
    seen_ms: int | None = None
    heard_ms: int | None = None
    quiet_ms: int | None = None
    changes: tuple[int, ...] = ()
    flaps: bool = False
    value: float | None = None
    cause: str | None = None
    alert: str | None = None
    is_told: bool = False
    is_flap_told: bool = False
    began_ms: int | None = None
    parent: str | None = None
    night_ms: int | None = None
    acknowledged_until_ms: int | None = None
    owner: str | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Its name in the storage."""
        return f"{self.rule}/{self.subject}"

    @property
    def fires(self) -> bool:
        """Whether it is to be taken as firing."""
        return self.is_bad or self.flaps

    @property
    def is_at_rest(self) -> bool:
        """Whether time alone changes nothing about it, but for silence."""
        return not (self.fires or self.is_told or self.alert or self.parent or self.night_ms)

    def is_owned(self, now_ms: int) -> bool:
        """Whether somebody takes care of it."""
        return self.acknowledged_until_ms is not None and self.acknowledged_until_ms > now_ms


def advance(alarm: Alarm, rule: Rule, sign: Sign, now_ms: int) -> Alarm:
    """The alarm after one more sign, that came at `now_ms`."""
    heard_ms = max(now_ms, alarm.heard_ms or now_ms)
    if alarm.seen_ms is not None and sign.at_ms <= alarm.seen_ms:
        is_news = heard_ms != alarm.heard_ms
        return replace(alarm, heard_ms=heard_ms, quiet_ms=None) if is_news else alarm
    is_bad = rule.judges(sign.value)
    heard = replace(
        alarm,
        seen_ms=sign.at_ms,
        heard_ms=heard_ms,
        quiet_ms=None,
        school=sign.school,
        since_ms=sign.at_ms if alarm.since_ms is None else alarm.since_ms,
        value=sign.value if is_bad else alarm.value,
        cause=sign.cause if is_bad else alarm.cause,
    )
    if is_bad is None or is_bad == alarm.is_bad:
        return _agreed(heard)
    return _contradicted(heard, rule, is_bad=is_bad, at_ms=sign.at_ms)


def _agreed(alarm: Alarm) -> Alarm:
    return replace(alarm, against=0, against_ms=None, last_ms=None) if alarm.against else alarm


def _contradicted(alarm: Alarm, rule: Rule, *, is_bad: bool, at_ms: int) -> Alarm:
    if alarm.last_ms is not None and at_ms - alarm.last_ms > 1000 * rule.apart_s:
        alarm = _agreed(alarm)
    if alarm.last_ms is not None and at_ms // _SLOT_MS == alarm.last_ms // _SLOT_MS:
        return alarm
    counted = replace(
        alarm,
        against=alarm.against + 1,
        against_ms=at_ms if alarm.against_ms is None else alarm.against_ms,
        last_ms=at_ms,
    )
    if counted.against < (rule.open_after if is_bad else rule.close_after):
        return counted
    since_ms = at_ms if counted.against_ms is None else counted.against_ms
    return turned(counted, is_bad=is_bad, since_ms=since_ms, now_ms=alarm.heard_ms or at_ms)


def turned(alarm: Alarm, *, is_bad: bool, since_ms: int, now_ms: int) -> Alarm:
    """The alarm after it turned."""
    changes = (*(c for c in alarm.changes if now_ms - c < HOUR_MS), now_ms)
    return replace(
        alarm,
        is_bad=is_bad,
        since_ms=since_ms,
        began_ms=since_ms if is_bad and not (alarm.fires or alarm.is_told) else alarm.began_ms,
        against=0,
        against_ms=None,
        last_ms=None,
        changes=changes[-MOST_CHANGES:],
        flaps=alarm.flaps or len(changes) >= MOST_CHANGES,
    )


def calmed(alarm: Alarm, now_ms: int) -> Alarm:
    """The alarm as time goes by: it flaps no more once it was quiet for an hour."""
    if alarm.flaps and now_ms - max(alarm.changes, default=0) >= HOUR_MS:
        return replace(alarm, flaps=False, is_flap_told=False)
    return alarm


def fell_silent(alarm: Alarm, silent_s: int, now_ms: int) -> Alarm:
    """The alarm of a rule about silence, as time goes by without a sign."""
    if alarm.heard_ms is None or alarm.is_bad:
        return alarm
    quiet_ms = now_ms - alarm.heard_ms
    if quiet_ms >= 1000 * silent_s:
        return turned(alarm, is_bad=True, since_ms=alarm.heard_ms, now_ms=now_ms)
    if alarm.quiet_ms is None and 3 * quiet_ms >= 1000 * silent_s:
        return replace(alarm, quiet_ms=alarm.heard_ms)
    return alarm


def woken(alarm: Alarm, now_ms: int, asleep_ms: int) -> Alarm:
    """The alarm after a new start: while nobody listened, nothing can have been heard."""
    heard_ms = now_ms if alarm.quiet_ms is None else min(now_ms, alarm.quiet_ms + asleep_ms)
    return replace(alarm, heard_ms=heard_ms, quiet_ms=None if alarm.quiet_ms is None else heard_ms)


def over(alarm: Alarm) -> Alarm:
    """The alarm once all was told of it."""
    return replace(
        alarm,
        is_bad=False,
        flaps=False,
        alert=None,
        is_told=False,
        is_flap_told=False,
        began_ms=None,
        parent=None,
        owner=None,
        acknowledged_until_ms=None,
        value=None,
        cause=None,
        labels=(),
    )
