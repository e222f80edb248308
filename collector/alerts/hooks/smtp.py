# SPDX-License-Identifier: Apache-2.0
"""Mail, by the standard library.

    [hooks.mail]
    kind = "smtp"
    host = "mail.example.org"
    sender = "schoolpulse@example.org"
    recipients = ["noc@example.org"]
    username = "schoolpulse"
    password_file = "/etc/schoolpulse/mail.password"

All mails of one alert are one thread; a mail that comes twice has the same Message-ID: readers show it once.
"""

from __future__ import annotations

import contextlib
import email.utils
import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, ClassVar, Literal

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.option import option
from collector.alerts.address import pinned
from collector.alerts.event import AlertEvent, timestamp
from collector.alerts.hooks.base import HookFailed
from collector.alerts.options import HookOptions
from collector.alerts.secret import secret_text

log = logging.getLogger("collector.alerts.hooks.smtp")

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_MOST_BYTES = 65_536
_PERMANENT = range(500, 600)


@dataclass(frozen=True, kw_only=True)
class SmtpOptions(HookOptions):
    """The table `[hooks.NAME]` with `kind = "smtp"`."""

    kind: str = option("smtp", "smtp")
    host: str = option("the mail server", "")
    port: int | None = option(
        "its port; unset: 587, 465 with tls, 25 without", None, low=1, high=65535, example=587
    )
    security: Literal["starttls", "tls", "none"] = option("how the way there is encrypted", "starttls")
    ca_file: str | None = option("certificates to trust instead of the system's", None)
    allow_private: bool = option("whether the address may be one that is not public", default=False)
    sender: str = option("From:", "")
    recipients: tuple[str, ...] = option("To:", ())
    username: str | None = option("user name, where the server wants one", None)
    password_file: str | None = option("file with the password, or the name of a systemd credential", None)
    within_s: float = option("longest that one mail may take", 30.0, low=1, high=120)

    def __post_init__(self) -> None:
        """Refuse what no server would take."""
        if problem := host_problem(self.host):
            raise DecodeError("host", problem)
        for key, addresses in (("sender", (self.sender,)), ("recipients", self.recipients)):
            if not addresses or not all(_is_address(address) for address in addresses):
                raise DecodeError(key, "must be an address such as noc@example.org")
        if self.username is not None and self.security == "none":
            raise DecodeError("security", "a password is not sent unencrypted")


class SmtpHook:
    """See the module."""

    OPTIONS: ClassVar = SmtpOptions
    refresh_s: ClassVar[float | None] = None

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
        self._password = (
            secret_text("password_file", options.password_file).strip() if options.username else ""
        )

    def send(self, event: AlertEvent, sequence: int) -> None:
        """One mail to all."""
        mail = message(event, sequence, self._options.sender, self._options.recipients)
        try:
            with self._session() as session:
                refused = session.send_message(mail)
        except smtplib.SMTPRecipientsRefused as e:
            raise _failed(e.recipients) from e
        except smtplib.SMTPResponseException as e:
            said = _text(e.smtp_error)
            raise HookFailed(f"{e.smtp_code} {said}", permanent=e.smtp_code in _PERMANENT) from e
        except (OSError, smtplib.SMTPException, ValueError) as e:
            raise HookFailed(str(e) or type(e).__name__) from e
        if refused:
            # Who took it is not to get it again and again because another does not.
            log.warning("mail.refused recipients=%s problem=%s", ",".join(refused), _failed(refused))

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """Mailboxes remember."""

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        options = self._options
        port = options.port or _PORTS[options.security]
        address = pinned(options.host, port, allow_private=options.allow_private)
        session = _Bounded(options.host, address, timeout=options.within_s)
        raw = session.reach(port)
        watch = threading.Timer(options.within_s, _shut, (raw,))
        watch.daemon = True
        watch.start()
        try:
            context = ssl.create_default_context(cafile=options.ca_file)
            session.begin(context if options.security == "tls" else None)
            if options.security == "starttls":
                session.starttls(context=context)
            if options.username is not None:
                session.login(options.username, self._password)
            yield session
        finally:
            watch.cancel()
            session.close()
            raw.close()


class _Bounded(smtplib.SMTP):
    """Connects to one address; gives up on a server that talks without end."""

    def __init__(self, host: str, address: str, *, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._host = host  # what starttls checks the certificate against
        self._address = address
        self._read = 0

    def reach(self, port: int) -> socket.socket:
        """A second handle on the connection, that can always be shut."""
        self.sock = socket.create_connection((self._address, port), timeout=self.timeout)
        return self.sock.dup()

    def begin(self, context: ssl.SSLContext | None) -> None:
        """The greeting."""
        if context is not None and self.sock is not None:
            self.sock = context.wrap_socket(self.sock, server_hostname=self._host)
        self.file = None
        code, said = self.getreply()
        if code != 220:  # noqa: PLR2004 -- RFC 5321 §4.2.2: ready
            raise smtplib.SMTPConnectError(code, said)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Reader(self.sock.makefile("rb"))
        return super().getreply()


class _Reader:
    """A file of which no more than `_MOST_BYTES` can be read."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._left = _MOST_BYTES

    def readline(self, most: int) -> bytes:
        line: bytes = self._inner.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise smtplib.SMTPServerDisconnected("the server talks without end")
        return line

    def close(self) -> None:
        self._inner.close()


def message(event: AlertEvent, sequence: int, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """What is sent."""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["Subject"] = f"[{event.state}] {' '.join(event.summary.split())}"
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = email.utils.formatdate(event.at_ms / 1000)
    mail["Message-ID"] = f"<{event.id}@{domain}>"
    mail["References"] = f"<{_word(event.alert)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Schoolpulse-Sequence"] = str(sequence)
    mail.set_content(_body(event))
    return mail


def _body(event: AlertEvent) -> str:
    lines = [event.summary, "", f"rule: {event.rule}, severity: {event.severity}, state: {event.state}"]
    lines.append(f"since: {timestamp(event.starts_at_ms)}")
    if event.ends_at_ms is not None:
        lines.append(f"until: {timestamp(event.ends_at_ms)}")
    lines += [f"{name}: {value}" for name, value in {**event.labels, **event.details}.items()]
    lines += ["", *(f"- {each.name or each.school} {each.cause or ''}".rstrip() for each in event.schools)]
    if event.is_truncated:
        lines.append(f"and {event.schools_total - len(event.schools)} more")
    return "\n".join(lines) + "\n"


def _failed(refused: Any) -> HookFailed:
    code, said = next(iter(refused.values()))
    names = ", ".join(refused)
    return HookFailed(f"{names}: {code} {_text(said)}", permanent=code in _PERMANENT)


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _word(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)


def _is_address(text: str) -> bool:
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and not any(c.isspace() or c in "<>,;\r\n" for c in text)


def _shut(raw: socket.socket) -> None:
    with contextlib.suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)
