"""MailNotifier: a mail when something is wrong with a watcher."""

from __future__ import annotations

import email.policy
import socket
from collections.abc import Sequence
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from typing import Any, ClassVar

from cvec_circus import logger
from cvec_circus.commands.logs import log_line
from cvec_circus.exc import CallError, OptionError
from cvec_circus.plugins import CircusPlugin, Timer
from cvec_circus.plugins.digest import Digest, is_incident
from cvec_circus.plugins.outbox import RETRIES, Outbox
from cvec_circus.plugins.selection import SELECTION, Selection
from cvec_circus.plugins.smtp import SMTP, MailServer
from cvec_circus.runtime.line import printable

GATHER_DELAY = 0.5
"""Seconds from an incident to its mail: what follows from it, and what is written about it, is to
be in it."""

MOST_WATCHERS = 20
"""Watchers whose last lines stand in a mail: those that most happened to."""

LAST_CALL_TIMEOUT = 1.0
"""Seconds for a question to a daemon that may be gone, when the plugin ends."""


class Mail:
    """A mail on its way. Owned by the thread that sends it."""

    def __init__(self, digest: Digest) -> None:
        self.digest = digest
        self.message: EmailMessage | None = None  # made by the first attempt to send it


class MailNotifier(CircusPlugin):
    """Sends a mail when a watcher flaps, gives up or dies. Lives on the plugin thread.

    The first incident is told soon, those of the next `interval` seconds together in one mail.
    Sending is done on another thread, by `send`.

    Options:
        to: Who gets the mails.
        sender: Whom they come from.
        host: The mail server.
        port: Its port; 0 is the usual one: 25, 587 with `starttls`, 465 with `tls`.
        tls: How the connection is secured.
        user: The name to log in with; without one there is no login.
        password: What goes with it.
        verify: Whether the server's certificate is looked at.
        ca_file: The certificates that count; those of the system if there is none.
        prefix: What every subject begins with.
        interval: The shortest time between two mails, in seconds.
        lines: How many of a watcher's last lines of output stand in a mail.
        dry_run: Whether mails are only shown, in the log.
        watchers: Patterns of names; `!web*` leaves out.
        actions: Patterns of events: `reap` is a process that died unasked, `backoff` is flapping.
        timeout: How long the server may take to answer, in seconds.
        retries: How often a mail that cannot be sent is tried again.
        retry_delay: After how many seconds; each time it takes twice as long.
    """

    name = "mail"
    schema: ClassVar = {
        "to": "list(min=1)",
        "sender": "string(min=1)",
        **SMTP,
        "prefix": "string(default='[cvec_circus]')",
        "interval": "float(min=0, default=300)",
        "lines": "integer(min=0, max=1000, default=20)",
        "dry_run": "boolean(default=False)",
        **SELECTION,
        "actions": "list(default=list('reap', 'backoff', 'giveup'))",
        **RETRIES,
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """Make it; raises OptionError for what makes no sense."""
        super().__init__(*args, **config)
        config = self.config
        self.selection = Selection(config["watchers"], config["actions"])
        self.server = MailServer(config)
        self.addresses = {
            "From": addresses("sender", [config["sender"]]),
            "To": addresses("to", config["to"]),
        }
        self.digest = Digest()
        self.next_at = self.loop.monotonic()
        self.timer: Timer | None = None
        self.outbox = Outbox(
            self.loop,
            self.send,
            lambda mail: mail.digest.subject(config["prefix"]),
            config["retries"],
            config["retry_delay"],
            in_full=lambda mail: readable(self.compose(mail)),
            when_idle=self.send_if_due,
        )

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Take in an incident."""
        event = self.selection.record(data)
        if event is not None and is_incident(event):
            if not self.digest:
                self.next_at = max(self.next_at, self.loop.monotonic() + GATHER_DELAY)
            self.digest.add(event)
            self.send_if_due()

    def send_if_due(self) -> None:
        """Send a mail, or see to it that it is sent when it is time."""
        if not self.digest or not self.outbox.is_idle or self.timer is not None:
            return
        wait = self.next_at - self.loop.monotonic()
        if wait > 0:
            self.timer = self.loop.call_later(wait, self.time_is_over)
        else:
            self.put()

    def time_is_over(self) -> None:
        """Send what has come in since the last mail."""
        self.timer = None
        self.send_if_due()

    def put(self) -> None:
        """Hand the incidents over to be sent."""
        self.next_at = self.loop.monotonic() + self.config["interval"]
        mail, self.digest = Mail(self.digest), Digest()
        self.outbox.put(mail)

    def handle_stop(self) -> None:
        """Send what has not been sent."""
        self.call_timeout = LAST_CALL_TIMEOUT
        if self.digest:
            self.put()
        self.outbox.finish()

    # -- on a thread that may wait

    def send(self, mail: Mail) -> None:
        """Make a mail and send it; raises OSError or Refused."""
        if mail.message is None:
            mail.message = self.compose(mail, self.last_lines(mail))
        if self.config["dry_run"]:
            logger.info("this would be sent: %s", readable(mail.message))
        else:
            self.server.send(mail.message)

    def compose(
        self, mail: Mail, last_lines: dict[str, Sequence[str]] | None = None
    ) -> EmailMessage:
        """Return a mail as it is sent."""
        if mail.message is not None:
            return mail.message
        host = socket.gethostname()
        message = EmailMessage(email.policy.SMTP)
        for header, value in self.addresses.items():
            message[header] = value
        message["Subject"] = mail.digest.subject(self.config["prefix"])
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=host)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.digest.text(host, last_lines or {}))
        return message

    def last_lines(self, mail: Mail) -> dict[str, Sequence[str]]:
        """Return what the watchers of a mail have written last, or why that is not known."""
        found: dict[str, Sequence[str]] = {}
        most = mail.digest.watchers.most_common(MOST_WATCHERS) if self.config["lines"] else ()
        for name, _ in most:
            try:
                found[name] = self.last_lines_of(name)
            except CallError as error:
                found[name] = [f"(not known: {error})"]
                break  # nobody is there to ask for those of others
        return found

    def last_lines_of(self, name: str) -> Sequence[str]:
        """Return what a watcher has written last, or why that is not known; may raise CallError."""
        rows, reasons = [], []
        for channel in ("stdout", "stderr"):
            reply = self.call("logs", name=name, stream=channel, lines=self.config["lines"])
            rows += reply.get("lines", ())
            reasons += [f"(not known: {reply.get('reason')})"] * (reply.get("status") == "error")
        rows.sort(key=lambda row: row["time"])
        return [log_line(row) for row in rows[-self.config["lines"] :]] or reasons[:1] or ["(none)"]


def readable(message: EmailMessage) -> str:
    """Return a mail for the log: as it was before it was encoded, without what nobody reads."""
    headers = "".join(f"{name}: {message[name]}\n" for name in ("From", "To", "Subject"))
    return f"{headers}\n{message.get_content()}".replace("\r\n", "\n").rstrip()


def addresses(option: str, given: Sequence[str]) -> str:
    """Return addresses as a header has them; raises OptionError for what is none."""
    for one in given:
        if not is_address(one):
            raise OptionError(option, f"{one!r} is not the address of a mail box")
    return ", ".join(given)


def is_address(text: str) -> bool:
    """Tell whether a text is one address, with a name before it or without."""
    message = EmailMessage(email.policy.SMTP)
    try:
        message["To"] = printable(text)
    except (MessageError, ValueError, IndexError):  # the parser trips over some
        return False
    header = message["To"]
    return (
        printable(text) == text
        and not header.defects
        and [bool(each.username and each.domain) for each in header.addresses] == [True]
    )
