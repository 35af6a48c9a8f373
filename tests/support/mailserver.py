"""A mail server that does as it is told, and keeps what it is given."""

from __future__ import annotations

import email
import email.policy
import logging
import threading
import warnings
from collections import deque
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.certificate import server_context
from tests.support.eventually import eventually

HANG = ""
"""Instead of an answer: none before `release`, and then that the mail is taken."""

TAKEN = "250 OK"

logging.getLogger("mail.log").propagate = False  # clients that hang up are no news here
logging.getLogger("mail.log").addHandler(logging.NullHandler())

TIMEOUT = 20.0


class AnyPort(Controller):
    """Listens on a port that is free. Owned by the thread that starts it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sessions: list[Any] = []

    def factory(self) -> Any:
        """Make what serves a connection; it warns of passwords that go without TLS."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            session = super().factory()
        self.sessions.append(session)
        return session

    def is_quiet(self) -> bool:
        """Tell whether nobody is connected."""
        return all(session.transport is None for session in self.sessions)

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class MailServer:
    """A server on a port of its own. Made and closed by a test's thread; safe from any.

    Attributes:
        port: Where it is.
        mails: What was taken, as text, in order.
        envelopes: From whom each mail was, and to whom.
        logins: Name and password of each login.
        answers: What is said to the next mails; they are taken when there is nothing left.
        refused: Recipients that are refused.
        tries: How many mails have come in, whatever became of them.
    """

    def __init__(self, tls: str = "none", login: bool = False) -> None:
        """Start it.

        Args:
            tls: "none", "starttls" or "tls".
            login: Whether nobody can do without.
        """
        self.mails: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.logins: list[tuple[str, str]] = []
        self.answers: deque[str] = deque()
        self.refused: set[str] = set()
        self.tries = 0
        self._released = threading.Event()
        options: dict[str, Any] = {"auth_required": login, "authenticator": self._authenticate}
        if tls == "tls":
            options.update(ssl_context=server_context(), auth_require_tls=False)
        elif tls == "starttls":
            options.update(tls_context=server_context(), require_starttls=True)
        else:
            options.update(auth_require_tls=False)
        self._controller = AnyPort(self, "127.0.0.1", 0, **options)
        self._controller.start()
        self.port: int = self._controller.port

    def messages(self) -> list[EmailMessage]:
        """Return what was taken, as the standard parser reads it."""
        found = []
        for mail in list(self.mails):
            lines = mail.replace(b"\r\n", b"\n")
            message = email.message_from_bytes(lines, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found

    def release(self) -> None:
        """Let go of all that hangs."""
        self._released.set()

    def close(self) -> None:
        """Stop serving."""
        self.release()
        eventually(self._controller.is_quiet, 2.0)
        self._controller.stop()

    # -- called by the server on its own thread

    def _authenticate(self, server: Any, session: Any, envelope: Any, way: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        pair = data.login.decode(), data.password.decode()
        self.logins.append(pair)
        return AuthResult(success=pair[1] == "right", handled=False)

    async def handle_RCPT(  # noqa: N802 - as the server wants it
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return TAKEN

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.tries += 1
        answer = self.answers.popleft() if self.answers else TAKEN
        if answer == HANG:
            await server.loop.run_in_executor(None, self._released.wait, TIMEOUT)
            answer = TAKEN
        if answer == TAKEN:
            self.mails.append(envelope.content)
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return answer
