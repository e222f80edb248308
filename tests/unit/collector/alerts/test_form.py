# SPDX-License-Identifier: Apache-2.0
"""Do the messages have the form that their receivers expect, and does a signature hold?"""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from agent.contract.decoder import DecodeError
from collector.alerts.dispatch import make_hook, read_hooks
from collector.alerts.event import MOST_SCHOOLS, Affected, cloud_event, from_json, to_json
from collector.alerts.hooks import alertmanager
from collector.alerts.hooks.alertmanager import _message, fingerprint
from collector.alerts.hooks.pagerduty import payload
from collector.alerts.hooks.smtp import message
from collector.alerts.options import HookOptions, wants
from collector.alerts.schedule import WAITS_S, wait_s
from collector.alerts.signature import headers, new_secret, read_secrets
from tests.unit.collector.alerts.told import event

_SCHOOLS = tuple(Affected(school=f"kz-{n}", name=f"№{n} орта мектебі", since_ms=n) for n in range(105))
_LARGE = event(schools=_SCHOOLS, labels={"operator": "op1", "region": "Қостанай"}, details={"down": 105})


def test_an_event_comes_out_of_the_outbox_as_it_went_in() -> None:
    assert from_json(to_json(_LARGE)) == _LARGE


def test_a_cloud_event_has_all_that_is_required_and_stays_small() -> None:
    told = cloud_event(_LARGE, source="/schoolpulse/collector", sequence=7)
    assert {"specversion", "id", "source", "type"} <= told.keys()
    assert (told["type"], told["subject"], told["sequence"]) == (
        "org.schoolpulse.alert.firing",
        "a1",
        "000000000007",
    )
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in told)
    data = told["data"]
    assert (len(data["schools"]), data["schools_total"], data["truncated"]) == (MOST_SCHOOLS, 105, True)
    assert data["starts_at"] == "1970-01-01T00:00:01.000Z"
    assert data["ends_at"] is None
    assert len(json.dumps(told, ensure_ascii=False).encode()) < 20_000


@given(st.binary(max_size=300), st.binary(min_size=24, max_size=64))
def test_the_reference_library_takes_our_signature(body: bytes, key: bytes) -> None:
    text = body.hex().encode()
    now_s = int(time.time())
    made = headers("evt_1", now_s, (text and b'"' + text + b'"') or b"{}", (key, b"x" * 32))
    told = Webhook(key).verify((text and b'"' + text + b'"') or b"{}", made)
    assert told == (text.decode() or {})


def test_a_changed_byte_or_another_secret_is_noticed() -> None:
    (key,) = read_secrets(new_secret())
    made = headers("evt_1", int(time.time()), b'{"a":1}', (key,))
    for body, secret in ((b'{"a":2}', key), (b'{"a":1}', b"y" * 32)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, made)


def test_two_secrets_sign_while_one_is_changed() -> None:
    old, new = new_secret(), new_secret()
    keys = read_secrets(f"{new}\n{old}\n")
    made = headers("evt_1", int(time.time()), b"{}", keys)
    for secret in (old, new):
        assert Webhook(secret).verify(b"{}", made) == {}


@pytest.mark.parametrize("text", ["", "\n", "secret", "whsec_", "whsec_AAAA", "whsec_!!!"])
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="secret") as refused:
        read_secrets(text)
    assert not text.strip() or text.strip() not in str(refused.value).replace("`whsec_`", "").replace(
        "secret", ""
    )


def test_alertmanagers_form() -> None:
    told = _message(event("resolved", ends_at_ms=5000, labels={"operator": "op1"}), "http://page")
    assert told["version"] == "4"
    assert told["status"] == told["alerts"][0]["status"] == "resolved"
    assert told["alerts"][0]["endsAt"] == "1970-01-01T00:00:05.000Z"
    assert told["commonLabels"] == told["alerts"][0]["labels"]
    assert told["alerts"][0]["labels"]["alertname"] == "outage"
    assert told["alerts"][0]["fingerprint"] == fingerprint(told["commonLabels"])


def test_a_fingerprint_tells_labels_apart() -> None:
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})


@pytest.mark.parametrize(
    ("state", "action"),
    [("firing", "trigger"), ("updated", "trigger"), ("acknowledged", "acknowledge"), ("resolved", "resolve")],
)
def test_pagerdutys_form(state: str, action: str) -> None:
    told = payload(event(state, alert="x" * 400, summary="s" * 2000), 3)
    assert (told["event_action"], len(told["dedup_key"])) == (action, 255)
    assert len(told["payload"]["summary"]) <= 1024
    assert told["payload"]["severity"] == "critical"


def test_a_mail_cannot_be_made_to_hold_other_headers() -> None:
    mail = message(event(summary="down\r\nBcc: all@example.org", schools=_SCHOOLS), 1, "a@b.kz", ["c@d.kz"])
    text = mail.as_string()
    assert mail["Bcc"] is None
    assert "\nBcc:" not in text.partition("\n\n")[0]
    assert mail["Message-ID"].endswith("@b.kz>")
    assert "and 55 more" in mail.get_content()


def test_which_events_a_hook_wants() -> None:
    options = HookOptions(least_severity="warning", rules=("outage",), labels={"operator": "op1"})
    mine = event(labels={"operator": "op1"}, severity="warning")
    assert wants(options, mine)
    others: list[dict[str, Any]] = [
        {"severity": "info"},
        {"rule": "clock"},
        {"labels": {"operator": "op2"}},
        {"labels": {}},
    ]
    for other in others:
        assert not wants(options, dataclasses.replace(mine, **other))
    assert wants(options, dataclasses.replace(mine, state="test", severity="info"))


def test_waits_grow_and_end() -> None:
    waits = [wait_s(n) for n in range(1, len(WAITS_S) + 1)]
    assert all(w is not None and 1 <= w / planned <= 1.21 for w, planned in zip(waits, WAITS_S, strict=True))
    assert wait_s(len(WAITS_S) + 1) is None
    assert (wait_s(100, goes_on=True) or 0) >= WAITS_S[-1]
    assert (wait_s(1, retry_after_s=60) or 0) >= 60
    assert (wait_s(1, retry_after_s=1e12) or 0) <= 86_400


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"noc": {"kind": "webhok", "url": "https://a"}}, "unknown kind 'webhok'.*webhook"),
        ({"NOC!": {}}, "a hook's name"),
        ({"noc": {"url": "http://a.example"}}, "allow_http"),
        ({"noc": {"url": "https://user:pw@a.example"}}, "user name"),
        ({"noc": {"url": "ftp://a.example"}}, "https://"),
        ({"noc": {}}, "https://"),
        ({"noc": {"url": "https://a", "uri": 1}}, "uri"),
        ({"noc": {"kind": "smtp", "host": "mail", "sender": "x", "recipients": ["a@b"]}}, "sender"),
        ({"noc": {"kind": "smtp", "host": "mail", "sender": "x@y"}}, "recipients"),
        ({"noc": 7}, "noc"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tables: dict[str, Any], words: str) -> None:
    with pytest.raises((DecodeError, ValueError), match=words):
        read_hooks(tables)


def test_alertmanager_forgets_a_test_soon_and_misses_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"kind": "alertmanager", "url": "http://am:9093", "allow_http": True, "heartbeat_s": 600}
    pushed: list[dict[str, Any]] = []
    monkeypatch.setattr(alertmanager, "post", lambda _target, body, _headers: pushed.extend(json.loads(body)))
    hook = make_hook("am", read_hooks({"am": table})["am"])
    now_s = time.time()
    for state in ("firing", "heartbeat", "test", "digest"):
        hook.send(event(state), 1)
    ends = [datetime.fromisoformat(told["endsAt"]).timestamp() - now_s for told in pushed]
    assert [round(end, -1) for end in ends] == [86_400, 1800, 300]
