# SPDX-License-Identifier: Apache-2.0
"""Do hooks reach real receivers, and what do receivers that misbehave cost?"""

from __future__ import annotations

import contextlib
import email.utils
import itertools
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, Self

import pytest
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives import serialization
from standardwebhooks.webhooks import Webhook

from collector.__main__ import main
from collector.alerts.dispatch import Dispatch, make_hook, open_outbox, read_hooks
from collector.alerts.event import AlertEvent, new_id
from collector.alerts.hooks.base import HookFailed, HookGone
from collector.alerts.outbox import Outbox
from collector.alerts.post import Target, post
from collector.alerts.signature import new_secret
from collector.errors import ConfigError
from tests.parts.alertmanager import Alertmanager
from tests.parts.program import free_port
from tests.parts.scripted_http import Answer, Request, ScriptedHTTP
from tests.parts.tls_site import Sites, issuer, write_certificates

_HOST = "sites.test"
_LOCAL: dict[str, Any] = {"allow_http": True, "allow_private": True}


def event(state: str = "firing", alert: str = "a1", **more: Any) -> AlertEvent:
    at_ms = int(time.time() * 1000)
    made: Callable[..., AlertEvent] = AlertEvent
    plain = {
        "id": new_id(),
        "alert": alert,
        "group": alert,
        "state": state,
        "rule": "outage",
        "severity": "critical",
        "at_ms": at_ms,
        "starts_at_ms": at_ms,
        "summary": f"{alert} {state}",
    }
    return made(**{**plain, **more})


def wait_until(condition: Callable[[], bool], within_s: float = 30) -> None:
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s, "it did not come"
        time.sleep(0.05)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "noc.secret"
    file.write_text(new_secret())
    file.chmod(0o600)
    return file


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with contextlib.closing(open_outbox(tmp_path / "alerts")) as made:
        yield made


def test_a_receiver_gets_events_signed_and_in_order_until_it_takes_them(
    outbox: Outbox, secret_file: Path
) -> None:
    failing = iter([500, 204, 429])

    def answer(_: Request) -> Answer:
        status = next(failing, 204)
        return Answer(status=status, headers={"Retry-After": "1"} if status == 429 else {})

    with ScriptedHTTP(answer) as receiver:
        table = {"url": f"{receiver.url}/in", "secret_file": str(secret_file), **_LOCAL}
        dispatch = Dispatch(outbox, read_hooks({"noc": table}))
        made = [event("firing"), event("firing", alert="a2"), event("resolved", alert="a2")]
        for each in made[1:]:
            dispatch.put(each)
        with dispatch.running():
            wait_until(lambda: outbox.counts("noc").delivered == 2)
            dispatch.put(made[0])
            wait_until(lambda: outbox.counts("noc").delivered == 3)
        verifier = Webhook(secret_file.read_text())
        told = [verifier.verify(r.body, dict(r.headers)) for r in receiver.requests]
    assert {t["id"] for t in told} == {e.id for e in made}
    assert {t["subject"] for t in told if t["type"].endswith("resolved")} == {"a2"}
    first = {t["id"]: n for n, t in reversed(list(enumerate(told)))}
    assert first[made[1].id] < first[made[2].id]
    types = {r.headers["Content-Type"].partition(";")[0] for r in receiver.requests}
    assert types == {"application/cloudevents+json"}


class Raw:
    """A receiver that is no server: `behave` gets the connection once a request begins."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._behave = behave
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        self._listener.settimeout(0.2)
        while not self._ends.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                continue
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                connection.recv(65536)
                self._behave(connection, self._ends)


def hang(connection: socket.socket, ends: threading.Event) -> None:
    del connection
    ends.wait(30)


def drip(connection: socket.socket, ends: threading.Event) -> None:
    """A byte of a header now and then, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not ends.wait(0.05):
        connection.sendall(b"x")


def gigabytes(connection: socket.socket, ends: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while not ends.is_set():
        connection.sendall(b"x" * 1_000_000)


def endless_headers(connection: socket.socket, ends: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not ends.is_set():
        connection.sendall(b"X-A: b\r\n" * 1000)


def garbage(connection: socket.socket, ends: threading.Event) -> None:
    del ends
    connection.sendall(bytes(range(256)) * 10)


def chunked_nonsense(connection: socket.socket, ends: threading.Event) -> None:
    del ends
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n")


def negative_chunk(connection: socket.socket, ends: threading.Event) -> None:
    """The library would read until the end, however far that is."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
    while not ends.is_set():
        connection.sendall(b"x" * 1_000_000)


def refused_in_gigabytes(connection: socket.socket, ends: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 500 no\r\n\r\n")
    while not ends.is_set():
        connection.sendall(b"x" * 1_000_000)


def continues(connection: socket.socket, ends: threading.Event) -> None:
    """An answer is always about to come."""
    while not ends.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def closes(connection: socket.socket, ends: threading.Event) -> None:
    del connection, ends


@pytest.mark.parametrize(
    ("behave", "problem"),
    [
        (hang, "."),
        (drip, "."),
        (endless_headers, "headers|reset|pipe"),
        (garbage, "."),
        (continues, "."),
        (refused_in_gigabytes, "answered 500"),
        (closes, "closed|reset|Remote"),
    ],
)
def test_a_receiver_that_misbehaves_is_left_in_time(behave: Any, problem: str) -> None:
    with Raw(behave) as receiver:
        began_s = time.monotonic()
        with pytest.raises(HookFailed, match=problem) as failed:
            post(Target(url=receiver.url, within_s=1.5, **_LOCAL), b"{}", {})
        assert not failed.value.permanent
        # Not a figure, only that it ends: the exchange may take 1.5 s.
        assert time.monotonic() - began_s < 20


@pytest.mark.parametrize("behave", [gigabytes, negative_chunk, chunked_nonsense])
def test_gigabytes_and_nonsense_after_a_good_status_are_not_read(behave: Any) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Raw(behave) as receiver:
        post(Target(url=receiver.url, within_s=5, **_LOCAL), b"{}", {})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


@pytest.mark.parametrize(
    ("status", "headers", "is_permanent", "retry_after_s"),
    [
        (301, {"Location": "http://127.0.0.1:1/"}, False, None),
        (400, {}, True, None),
        (404, {}, True, None),
        (408, {}, False, None),
        (429, {"Retry-After": "7"}, False, 7.0),
        (500, {}, False, None),
        (503, {"Retry-After": "nonsense"}, False, None),
        (503, {"Retry-After": "²"}, False, None),
        (503, {"Retry-After": "-5"}, False, None),
        (503, {"Retry-After": "9" * 4000}, False, 999_999_999.0),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, False, 0.0),
    ],
)
def test_what_a_status_means(
    status: int, headers: dict[str, str], is_permanent: bool, retry_after_s: float | None
) -> None:
    with ScriptedHTTP(
        lambda _: Answer(status=status, headers=headers, body=b"\x1b[31mno\n" * 900)
    ) as receiver:
        with pytest.raises(HookFailed, match=f"answered {status}") as failed:
            post(Target(url=receiver.url, **_LOCAL), b"{}", {})
        assert len(receiver.requests) == 1
    assert (failed.value.permanent, failed.value.retry_after_s) == (is_permanent, retry_after_s)
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 300


def test_a_date_to_come_is_waited_for() -> None:
    at = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=500), usegmt=True)
    busy = Answer(status=429, headers={"Retry-After": at})
    with ScriptedHTTP(lambda _: busy) as receiver, pytest.raises(HookFailed) as failed:
        post(Target(url=receiver.url, **_LOCAL), b"{}", {})
    assert failed.value.pauses
    assert 400 < (failed.value.retry_after_s or 0) <= 500


def test_one_who_never_ends_the_handshake_of_tls_is_left_in_time() -> None:
    with Raw(hang) as receiver, pytest.raises(HookFailed, match="TLS"):
        post(Target(url=receiver.url.replace("http", "https"), within_s=1.5, allow_private=True), b"{}", {})


def test_a_name_that_leads_elsewhere_a_moment_later_leads_nowhere() -> None:
    """The address is looked up once; what is connected to is what was looked at."""
    answers = iter([["127.0.0.1"], ["192.0.2.1"]])
    with ScriptedHTTP(lambda _: Answer()) as receiver:
        port = receiver.url.rpartition(":")[2]
        target = Target(url=f"http://hook.example.org:{port}/", lookup=lambda _h, _p: next(answers), **_LOCAL)
        post(target, b"{}", {})
        assert receiver.requests[0].headers["Host"] == f"hook.example.org:{port}"
    assert next(answers) == ["192.0.2.1"]


def test_gone_is_gone() -> None:
    with ScriptedHTTP(lambda _: Answer(status=410)) as receiver, pytest.raises(HookGone):
        post(Target(url=receiver.url, **_LOCAL), b"{}", {})


def test_a_private_address_is_refused_unless_it_is_meant() -> None:
    with ScriptedHTTP(lambda _: Answer()) as receiver:
        with pytest.raises(HookFailed, match="set allow_private"):
            post(Target(url=receiver.url, allow_http=True), b"{}", {})
        assert receiver.requests == []


def test_certificates_are_checked_against_the_name_in_the_url(tmp_path: Path) -> None:
    trusted, stranger = issuer("trusted"), issuer("stranger")
    kinds = write_certificates(tmp_path, _HOST, trusted, stranger)
    ca_file = tmp_path / "ca.crt"
    ca_file.write_bytes(trusted.certificate.public_bytes(serialization.Encoding.PEM))
    ports = {kind: free_port() for kind in kinds}
    problems = {}
    with Sites(tmp_path, ports, tmp_path):
        for kind, port in ports.items():
            target = Target(
                url=f"https://{_HOST}:{port}/",
                ca_file=str(ca_file),
                allow_private=True,
                lookup=lambda _host, _port: ["127.0.0.1"],
            )
            with pytest.raises(HookFailed) as failed:
                post(target, b"{}", {})
            problems[kind] = str(failed.value)
    assert problems.pop("good").startswith("answered 405")
    print(f"\n{len(problems)} bad certificates refused")
    assert len(problems) == 6
    assert all(problem.startswith("TLS: ") for problem in problems.values()), problems


def test_one_that_hangs_holds_up_no_other(outbox: Outbox, secret_file: Path) -> None:
    with Raw(hang) as hanging, ScriptedHTTP(lambda _: Answer()) as sound:
        tables = {
            name: {"url": url, "secret_file": str(secret_file), "within_s": 10, **_LOCAL}
            for name, url in (("bad", hanging.url), ("good", sound.url))
        }
        dispatch = Dispatch(outbox, read_hooks(tables))
        with dispatch.running():
            for n in range(20):
                dispatch.put(event(alert=f"a{n}"))
            wait_until(lambda: outbox.counts("good").delivered == 20, 9)
        assert outbox.counts("bad").delivered == 0


def test_alertmanager_groups_and_inhibits_what_we_push(tmp_path: Path, outbox: Outbox) -> None:
    with ScriptedHTTP(lambda _: Answer()) as receiver, Alertmanager(tmp_path, f"{receiver.url}/am") as real:
        hooks = read_hooks({"am": {"kind": "alertmanager", "url": real.url, **_LOCAL}})
        dispatch = Dispatch(outbox, hooks)
        with dispatch.running():
            parent = event(alert="op1", rule="operator_outage", labels={"operator": "op1"})
            dispatch.put(parent)
            for n in range(35):
                dispatch.put(event(alert=f"s{n}", labels={"operator": "op1", "school": f"kz-{n}"}))
            dispatch.put(event(alert="s99", labels={"operator": "op2", "school": "kz-99"}))
            wait_until(lambda: outbox.counts("am").delivered == 37)
            told = {"inhibited": 35, "active": 2}
            wait_until(lambda: _states(real) == told)
            wait_until(lambda: len(receiver.requests) >= 2)
            dispatch.put(event("resolved", alert="s99", labels={"operator": "op2", "school": "kz-99"}))
            wait_until(lambda: any(b'"resolved"' in r.body for r in receiver.requests))
    bodies = [json.loads(r.body) for r in receiver.requests]
    assert {b["groupLabels"].get("operator") for b in bodies} == {"op1", "op2"}
    assert not [a for b in bodies for a in b["alerts"] if a["labels"].get("school", "").startswith("kz-1")]


def test_alertmanager_that_started_anew_is_told_again(tmp_path: Path, outbox: Outbox) -> None:
    with ScriptedHTTP(lambda _: Answer()) as receiver, Alertmanager(tmp_path, f"{receiver.url}/am") as real:
        hook = make_hook("am", read_hooks({"am": {"kind": "alertmanager", "url": real.url, **_LOCAL}})["am"])
        fired = event()
        hook.send(fired, 1)
        wait_until(lambda: len(real.alerts()) == 1)
        real.stop()
        real.start()
        assert real.alerts() == []
        hook.refresh([fired])
        wait_until(lambda: [a["labels"]["alert"] for a in real.alerts()] == ["a1"])


def _states(real: Alertmanager) -> dict[str, int]:
    states = ["inhibited" if a["status"]["inhibitedBy"] else a["status"]["state"] for a in real.alerts()]
    return {state: states.count(state) for state in set(states)}


class Mailbox:
    """A real SMTP server that keeps what it takes."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answer = "250 taken"
        self.refuses: tuple[str, ...] = ("nobody@example.org",)

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def mail_table(port: int, **more: Any) -> dict[str, Any]:
    told = {"kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "allow_private": True}
    return told | {"sender": "us@example.org", "recipients": ["noc@example.org"], **more}


def test_a_mail_arrives_in_every_alphabet(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    hook = make_hook("mail", read_hooks({"mail": mail_table(port)})["mail"])
    told = event(summary="Әбай мектебі: байланыс жоқ, школа без связи")
    hook.send(told, 5)
    mail = message_from_bytes(box.mails[0], policy=default)
    assert mail["Subject"] == "[firing] Әбай мектебі: байланыс жоқ, школа без связи"
    assert mail["Message-ID"] == f"<{told.id}@example.org>"


@pytest.mark.parametrize(("answer", "is_permanent"), [("451 later", False), ("554 never", True)])
def test_a_mail_that_is_refused_says_whether_for_good(
    mailbox: tuple[Mailbox, int], answer: str, is_permanent: bool
) -> None:
    box, port = mailbox
    box.answer = answer
    hook = make_hook("mail", read_hooks({"mail": mail_table(port)})["mail"])
    with pytest.raises(HookFailed, match=answer.split(maxsplit=1)[0]) as failed:
        hook.send(event(), 5)
    assert failed.value.permanent is is_permanent
    assert box.mails == []


def test_one_recipient_who_is_refused_costs_the_others_nothing(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    table = mail_table(port, recipients=["nobody@example.org", "noc@example.org"])
    hook = make_hook("mail", read_hooks({"mail": table})["mail"])
    hook.send(event(), 1)
    assert len(box.mails) == 1
    box.refuses = ("nobody@example.org", "noc@example.org")
    with pytest.raises(HookFailed, match="550") as failed:
        hook.send(event(), 2)
    assert failed.value.permanent


_APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
"""Of a library it uses; none of ours."""


@_APPRISE
@pytest.mark.parametrize(("status", "is_taken"), [(200, True), (500, False), (302, False)])
def test_apprise_carries_to_what_it_knows(tmp_path: Path, status: int, is_taken: bool) -> None:
    urls = tmp_path / "chat.urls"
    urls.touch(0o600)
    with ScriptedHTTP(lambda _: Answer(status=status, headers={"Location": "/elsewhere"})) as receiver:
        urls.write_text(f"\njson://{receiver.url.removeprefix('http://')}/in?redirect=no\n")
        hook = make_hook("chat", read_hooks({"chat": {"kind": "apprise", "urls_file": str(urls)}})["chat"])
        taken = contextlib.nullcontext() if is_taken else pytest.raises(HookFailed, match="did not take it")
        with taken:
            hook.send(event(summary="Әбай мектебі: no internet"), 1)
        told = json.loads(receiver.requests[0].body)
    assert (told["title"], told["message"]) == ("[firing] outage", "Әбай мектебі: no internet")
    assert len(receiver.requests) == 1


@_APPRISE
def test_a_chat_that_apprise_does_not_know_is_refused_without_repeating_it(tmp_path: Path) -> None:
    urls = tmp_path / "chat.urls"
    urls.touch(0o600)
    urls.write_text("json://localhost\nnosuch://user:hush@example.org\n")
    with pytest.raises(ConfigError, match="line 2 of urls_file") as refused:
        make_hook("chat", read_hooks({"chat": {"kind": "apprise", "urls_file": str(urls)}})["chat"])
    assert "hush" not in str(refused.value)


def talks_without_end(connection: socket.socket, ends: threading.Event) -> None:
    while not ends.is_set():
        connection.sendall(b"220-welcome\r\n" * 1000)


@pytest.mark.parametrize("behave", [hang, talks_without_end, garbage, closes])
def test_a_mail_server_that_misbehaves_is_left_in_time(behave: Any) -> None:
    with Greeting(behave) as server:
        port = int(server.url.rpartition(":")[2].strip("/"))
        hook = make_hook("mail", read_hooks({"mail": mail_table(port, within_s=1.5)})["mail"])
        began_s = time.monotonic()
        with pytest.raises(HookFailed):
            hook.send(event(), 1)
        assert time.monotonic() - began_s < 20


class Greeting(Raw):
    """As `Raw`, but it is the server that speaks first."""

    def _serve(self) -> None:
        self._listener.settimeout(0.2)
        while not self._ends.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                continue
            with connection, contextlib.suppress(OSError):
                self._behave(connection, self._ends)


_COURIER = """
import sys, time
from pathlib import Path
from collector.alerts.dispatch import Dispatch, open_outbox, read_hooks
folder, url, secret, start, count = sys.argv[1:6]
sys.path.insert(0, ".")
from tests.integration.test_hooks import event
table = {"url": url, "secret_file": secret, "allow_http": True, "allow_private": True}
dispatch = Dispatch(open_outbox(Path(folder)), read_hooks({"noc": table}))
with dispatch.running():
    for n in range(int(start), int(start) + int(count)):
        for state in ("firing", "resolved"):
            made = event(state, alert=f"a{n}")
            print(made.id, flush=True)
            dispatch.put(made)
            print("kept", flush=True)
    time.sleep(60)
"""


def test_killed_at_any_point_each_event_arrives_in_order(tmp_path: Path, secret_file: Path) -> None:
    """SIGKILL while events are put and carried; what was kept arrives, perhaps twice, with one id."""
    kept: list[str] = []
    with ScriptedHTTP(lambda _: Answer()) as receiver:
        for kill in range(8):
            words = [str(tmp_path / "alerts"), receiver.url, str(secret_file), str(kill * 100), "100"]
            kept += _killed(words, after=5 + 13 * kill)
        with contextlib.closing(open_outbox(tmp_path / "alerts")) as outbox:
            table = {"url": receiver.url, "secret_file": str(secret_file), **_LOCAL}
            dispatch = Dispatch(outbox, read_hooks({"noc": table}))
            with dispatch.running():
                wait_until(lambda: outbox.counts("noc").waiting == 0)
            delivered = outbox.counts("noc").delivered
        # A request that a kill cut short did not arrive.
        whole = [r for r in receiver.requests if len(r.body) == int(r.headers["Content-Length"])]
        told = [json.loads(r.body) for r in whole]
    arrived = list(dict.fromkeys(t["id"] for t in told))
    assert set(kept) <= set(arrived)
    assert delivered == len(arrived)
    sequence = {t["id"]: t["sequence"] for t in told}
    for alert in {t["subject"] for t in told}:
        own = [t for t in told if t["subject"] == alert]
        numbers = [sequence[i] for i in dict.fromkeys(t["id"] for t in own)]
        assert numbers == sorted(numbers)
        assert own[0]["type"].endswith("firing")
    print(f"\n8 kills: {len(kept)} events kept, {len(told)} requests, {len(arrived)} different")


def _killed(words: list[str], *, after: int) -> list[str]:
    """Ids that were surely kept before the kill."""
    command = [sys.executable, "-c", _COURIER, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline().strip() for _ in range(after)]
        program.kill()
        lines += program.stdout.read().splitlines()
    return [made for made, said in itertools.pairwise(lines) if said == "kept"]


def test_the_words_of_the_command_line(
    tmp_path: Path, secret_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text('[[school]]\nid = "kz-1"\n')
    statuses = iter([400, 204, 204])
    with ScriptedHTTP(lambda _: Answer(status=next(statuses))) as receiver:
        config = tmp_path / "collector.toml"
        config.write_text(
            f'[registry]\nfile = "{registry}"\n[alerts]\ndirectory = "{tmp_path}/alerts"\n[hooks.noc]\n'
            f'url = "{receiver.url}"\nsecret_file = "{secret_file}"\n'
            "allow_http = true\nallow_private = true\n"
        )

        def run(*words: str) -> tuple[int, list[dict[str, Any]]]:
            code = main(["hooks", *words, "--config", str(config), "--json"])
            return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

        with contextlib.closing(open_outbox(tmp_path / "alerts")) as outbox:
            dispatch = Dispatch(outbox, read_hooks({"noc": _table(receiver, secret_file)}))
            dispatch.put(event())
            with dispatch.running():
                wait_until(lambda: outbox.counts("noc").dead == 1)
        code, (dead,) = run("dead", "noc")
        assert (code, dead["problem"]) == (0, "answered 400")
        assert run("replay", "noc") == (0, [{"hook": "noc", "again": 1}])
        _, (listed,) = run("list")
        assert (listed["waiting"], listed["state"]) == (1, "enabled")
        code, (tried,) = run("test", "noc")
        assert (code, tried["sent"]) == (0, True)
    assert main(["hooks", "test", "nobody", "--config", str(config)]) == 78
    assert "there are: noc" in capsys.readouterr().err


def _table(receiver: ScriptedHTTP, secret_file: Path) -> dict[str, Any]:
    return {"url": receiver.url, "secret_file": str(secret_file), **_LOCAL}
