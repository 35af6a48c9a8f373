"""A mail server, as a plugin sees it."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

from cvec_circus import logger
from cvec_circus.exc import OptionError
from cvec_circus.plugins.outbox import Refused
from cvec_circus.plugins.tls import TLS, tls_context
from cvec_circus.runtime.line import printable

SMTP = {
    "host": "string(min=1, default='localhost')",
    "port": "integer(min=0, max=65535, default=0)",
    "tls": "option('none', 'starttls', 'tls', default='none')",
    "user": "string(default=None)",
    "password": "string(default=None)",
    **TLS,
}
"""What a schema has for a mail server."""

PORTS = {"none": 25, "starttls": 587, "tls": 465}

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Where a password may go without TLS."""


class MailServer:
    """Where mails are handed in. Immutable; `send` is for any thread that may wait."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the options; raises OptionError for what makes no sense."""
        self._host, self._tls = config["host"], config["tls"]
        self._port = config["port"] or PORTS[self._tls]
        self._timeout = config["timeout"]
        self._user, self._password = config["user"], config["password"]
        self._context = None if self._tls == "none" else tls_context(config)
        for one, other in (("user", "password"), ("password", "user")):
            if config[one] is None and config[other] is not None:
                raise OptionError(one, f"missing; it goes with {other}")
            if not (config[one] or "").isascii():
                raise OptionError(one, "has characters that no mail server is told: not of ASCII")
        if self._user is not None and self._tls == "none" and self._host not in LOCAL:
            raise OptionError("tls", "a password goes to another machine by starttls or tls only")

    def send(self, message: EmailMessage) -> None:
        """Hand in a mail.

        Raises:
            Refused: The server does not take it.
            OSError: The server cannot be reached, or is not well.
        """
        place = f"the mail server {self._host}:{self._port}"
        try:
            refused = self._hand_in(message)
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(f"{place}: {error}") from None
        except smtplib.SMTPRecipientsRefused as error:
            answers = error.recipients.values()
            kind = Refused if all(code >= 500 for code, _ in answers) else OSError
            raise kind(f"{place} refuses {told(error.recipients)}") from None
        except smtplib.SMTPResponseException as error:
            kind = Refused if error.smtp_code >= 500 else OSError
            raise kind(f"{place} says {worded(error.smtp_code, error.smtp_error)}") from None
        except OSError as error:  # all others of smtplib are of these, too
            raise OSError(f"{place}: {error or type(error).__name__}") from None
        if refused:
            logger.warning("%s refuses some: %s", place, told(refused))

    def _hand_in(self, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        session = self._connect()
        try:
            if self._tls == "starttls":
                session.starttls(context=self._context)
            if self._user is not None and self._password is not None:
                session.login(self._user, self._password)
            refused = session.send_message(message)
            with contextlib.suppress(OSError):  # the mail has been taken already
                session.quit()
        finally:
            session.close()
        return refused

    def _connect(self) -> smtplib.SMTP:
        if self._tls == "tls":
            return smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout)


def told(refused: Mapping[str, tuple[int, bytes]]) -> str:
    """Say who is refused, and in which words."""
    return "; ".join(f"{who}: {worded(*answer)}" for who, answer in refused.items())


def worded(code: int, answer: bytes | str) -> str:
    """Return a server's answer on one line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return printable(" ".join(f"{code} {text}".split()))
