"""MailNotifier: a mail when something is wrong with a watcher."""

from __future__ import annotations

import contextlib
import email.policy
import smtplib
import socket
from collections.abc import Mapping, Sequence
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from typing import Any, ClassVar

from cvec_circus import logger
from cvec_circus.commands.logs import log_line
from cvec_circus.exc import CallError, OptionError
from cvec_circus.plugins import CircusPlugin, Timer
from cvec_circus.plugins.incidents import Mail, Story
from cvec_circus.plugins.outbox import RETRIES, Outbox, Refused
from cvec_circus.plugins.selection import SELECTION, Selection
from cvec_circus.plugins.web import TLS, tls_context
from cvec_circus.runtime.life import printable

GATHER_DELAY = 0.5
"""Seconds from an incident to its mail, which includes its consequences and their output."""

MOST_WATCHERS = 20
"""How many watchers' last lines are in a mail: those with the most incidents."""

LAST_CALL_TIMEOUT = 1.0
"""Seconds for a call to a daemon that may be gone, when the plugin ends."""

PORTS = {"none": 25, "starttls": 587, "tls": 465}

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that may get a password without TLS."""


class MailNotifier(CircusPlugin):
    """Sends a mail when a watcher dies, flaps or is down for good. Runs on the plugin thread.

    The first incident is sent soon, those of the next `interval` seconds in one mail.
    `send` does so on another thread.

    Options:
        to: The recipients' addresses.
        sender: The sender's address.
        host: The mail server.
        port: Its port; 0 for the default: 25, 587 with `starttls`, 465 with `tls`.
        tls: How the connection is secured.
        user: The user to log in as; by default there is no login.
        password: The user's password.
        verify: Whether the server's certificate is verified.
        ca_file: A file of trusted certificates, instead of the system's.
        prefix: The beginning of every subject.
        interval: The shortest time between two mails, in seconds.
        lines: How many lines of a watcher's latest output are in a mail.
        dry_run: Whether mails are only written to the log.
        watchers: Patterns of names; `!web*` excludes.
        actions: Patterns of events: `reap` is an unexpected death, `backoff` is flapping, `giveup`
            is being down for good, `rollback` is a failed rollout, `unready` is a process that is
            not ready, `ready` is a watcher that is ready again, or up again after being down for
            good.
        timeout: How long the server may take to answer, in seconds.
        retries: How often a failed mail is retried.
        retry_delay: Seconds before the first retry; each further one waits twice as long.
    """

    name = "mail"
    schema: ClassVar = {
        "to": "list(min=1)",
        "sender": "string(min=1)",
        "host": "string(min=1, default='localhost')",
        "port": "integer(min=0, max=65535, default=0)",
        "tls": "option('none', 'starttls', 'tls', default='none')",
        "user": "string(default=None)",
        "password": "string(default=None)",
        **TLS,
        "prefix": "string(default='[cvec_circus]')",
        "interval": "float(min=0, default=300)",
        "lines": "integer(min=0, max=1000, default=20)",
        "dry_run": "boolean(default=False)",
        **SELECTION,
        "actions": "list(default=list('reap', 'backoff', 'giveup', 'rollback'))",
        **RETRIES,
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """Make it; raises OptionError for an invalid value."""
        super().__init__(*args, **config)
        config = self.config
        self.selection = Selection(config["watchers"], config["actions"])
        self.server = MailServer(config)
        self.addresses = {
            "From": addresses("sender", [config["sender"]]),
            "To": addresses("to", config["to"]),
        }
        self.stories: dict[str, Story] = {}
        self.next_mail = Mail()
        self.next_at = self.loop.monotonic()
        self.timer: Timer | None = None
        self.outbox = Outbox(
            self.send,
            lambda mail: mail.subject(config["prefix"]),
            config,
            in_full=lambda mail: readable(mail.message or self.compose(mail, {})),
            when_idle=lambda: self.loop.add_callback(self.send_if_due),
        )

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Collect an incident."""
        event = self.selection.record(data)
        name = event["watcher"]
        told = self.stories.setdefault(name, Story()).told(event)
        if event["action"] == "remove":
            del self.stories[name]
        if told is not None and self.selection.takes(told):
            if not self.next_mail:
                self.next_at = max(self.next_at, self.loop.monotonic() + GATHER_DELAY)
            self.next_mail.add(told)
            self.send_if_due()

    def send_if_due(self) -> None:
        """Send the next mail, or set a timer for it."""
        if not self.next_mail or not self.outbox.is_idle or self.timer is not None:
            return
        wait = self.next_at - self.loop.monotonic()
        if wait > 0:
            self.timer = self.loop.call_later(wait, self.on_timer)
        else:
            self.put()

    def on_timer(self) -> None:
        """Send the incidents since the last mail."""
        self.timer = None
        self.send_if_due()

    def put(self) -> None:
        """Put the next mail into the outbox."""
        self.next_at = self.loop.monotonic() + self.config["interval"]
        mail, self.next_mail = self.next_mail, Mail()
        self.outbox.put(mail)

    def handle_stop(self) -> None:
        """Send the rest."""
        self.call_timeout = LAST_CALL_TIMEOUT
        if self.next_mail:
            self.put()
        self.outbox.finish()

    # -- on a thread that may wait

    def send(self, mail: Mail) -> None:
        """Make a mail and send it; raises OSError or Refused."""
        if mail.message is None:
            mail.message = self.compose(mail, self.last_lines(mail))
        if self.config["dry_run"]:
            logger.info("dry run, not sent: %s", readable(mail.message))
        else:
            self.server.send(mail.message)

    def compose(self, mail: Mail, last_lines: Mapping[str, Sequence[str]]) -> EmailMessage:
        """Return a mail in the form in which it is sent."""
        host = socket.gethostname()
        message = EmailMessage(email.policy.SMTP)
        for header, value in self.addresses.items():
            message[header] = value
        message["Subject"] = mail.subject(self.config["prefix"])
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=host)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text(host, last_lines))
        return message

    def last_lines(self, mail: Mail) -> dict[str, Sequence[str]]:
        """Return the latest output of a mail's watchers, or why it is not known."""
        found: dict[str, Sequence[str]] = {}
        most = mail.watchers.most_common(MOST_WATCHERS) if self.config["lines"] else ()
        for name, _ in most:
            try:
                found[name] = self.last_lines_of(name)
            except CallError as error:
                found[name] = [f"(not known: {error})"]
                break  # nor would it answer for the others
        return found

    def last_lines_of(self, name: str) -> Sequence[str]:
        """Return the latest output of a watcher, or why it is not known; may raise CallError."""
        rows, reasons = [], []
        for channel in ("stdout", "stderr"):
            reply = self.call("logs", name=name, stream=channel, lines=self.config["lines"])
            rows += reply.get("lines", ())
            reasons += [f"(not known: {reply.get('reason')})"] * (reply.get("status") == "error")
        rows.sort(key=lambda row: row["time"])
        return [log_line(row) for row in rows[-self.config["lines"] :]] or reasons[:1] or ["(none)"]


class MailServer:
    """The server that takes mails. Immutable; `send` is for any thread that may wait."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the options; raises OptionError for an invalid value."""
        self._host, self._tls = config["host"], config["tls"]
        self._port = config["port"] or PORTS[self._tls]
        self._timeout = config["timeout"]
        self._user, self._password = config["user"], config["password"]
        self._context = None if self._tls == "none" else tls_context(config)
        for one, other in (("user", "password"), ("password", "user")):
            if config[one] is None and config[other] is not None:
                raise OptionError(one, f"missing; it goes with {other}")
            if not (config[one] or "").isascii():
                raise OptionError(one, "has characters that SMTP cannot send: use ASCII only")
        if self._user is not None and self._tls == "none" and self._host not in LOCAL:
            raise OptionError(
                "tls", "a password is sent to another machine over starttls or tls only"
            )

    def send(self, message: EmailMessage) -> None:
        """Send a mail.

        Raises:
            Refused: The server does not accept it.
            OSError: The server cannot be reached, or fails.
        """
        place = f"the mail server {self._host}:{self._port}"
        try:
            refused = self._send(message)
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(f"{place}: {error}") from None
        except smtplib.SMTPRecipientsRefused as error:
            answers = error.recipients.values()
            kind = Refused if all(code >= 500 for code, _ in answers) else OSError
            raise kind(f"{place} refuses {listed(error.recipients)}") from None
        except smtplib.SMTPResponseException as error:
            kind = Refused if error.smtp_code >= 500 else OSError
            raise kind(f"{place} says {worded(error.smtp_code, error.smtp_error)}") from None
        except OSError as error:  # smtplib derives all others from these
            raise OSError(f"{place}: {error or type(error).__name__}") from None
        if refused:
            logger.warning("%s refuses some recipients: %s", place, listed(refused))

    def _send(self, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        session: smtplib.SMTP
        if self._tls == "tls":
            session = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        else:
            session = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._tls == "starttls":
                session.starttls(context=self._context)
            if self._user is not None and self._password is not None:
                session.login(self._user, self._password)
            refused = session.send_message(message)
            with contextlib.suppress(OSError):  # the server has accepted the mail
                session.quit()
        finally:
            session.close()
        return refused


def listed(refused: Mapping[str, tuple[int, bytes]]) -> str:
    """Return the refused recipients, each with the server's answer."""
    return "; ".join(f"{who}: {worded(*answer)}" for who, answer in refused.items())


def worded(code: int, answer: bytes | str) -> str:
    """Return a server's answer on one line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return printable(" ".join(f"{code} {text}".split()))


def readable(message: EmailMessage) -> str:
    """Return a mail for the log: decoded, without the technical headers."""
    headers = "".join(f"{name}: {message[name]}\n" for name in ("From", "To", "Subject"))
    return f"{headers}\n{message.get_content()}".replace("\r\n", "\n").rstrip()


def addresses(option: str, given: Sequence[str]) -> str:
    """Return addresses in header form; raises OptionError for an invalid one."""
    for one in given:
        if not is_address(one):
            raise OptionError(option, f"{one!r} is not the address of a mailbox")
    return ", ".join(given)


def is_address(text: str) -> bool:
    """Tell whether a text is one address, with or without a name before it."""
    message = EmailMessage(email.policy.SMTP)
    try:
        message["To"] = printable(text)
    except (MessageError, ValueError, IndexError):  # bugs of the parser
        return False
    header = message["To"]
    return (
        printable(text) == text
        and not header.defects
        and [bool(each.username and each.domain) for each in header.addresses] == [True]
    )
