"""Webhook: posts what happens to a web server, as JSON."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, ClassVar

from cvec_circus import __version__
from cvec_circus.exc import OptionError
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.outbox import RETRIES, Outbox, Refused
from cvec_circus.plugins.selection import SELECTION, Selection
from cvec_circus.plugins.tls import TLS, tls_context
from cvec_circus.plugins.web import address
from cvec_circus.runtime.line import printable

PASSING = frozenset({408, 425, 429})
"""Answers of a server that may take it later; so does everything from 500 on."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: what is posted would be lost, and the secret told. Immutable."""

    def redirect_request(self, *args: Any) -> None:
        """Refuse."""


class Webhook(CircusPlugin):
    """Posts events to a web server, each as a JSON object. Lives on the plugin thread.

    The posting itself is done on another one, by `post`.

    Options:
        url: Where to.
        secret: The value of a header that shows the server who posts; none by default.
        secret_header: The name of that header.
        verify: Whether the server's certificate is looked at.
        ca_file: The certificates that count; those of the system if there is none.
        watchers: Patterns of names; `!web*` leaves out.
        actions: Patterns of events, such as `reap`.
        timeout: How long the server may take to answer, in seconds.
        retries: How often an event that is not taken is posted again.
        retry_delay: After how many seconds; each time it takes twice as long.
        queue: How many events may wait; if there are more, the oldest ones are dropped.
    """

    name = "webhook"
    schema: ClassVar = {
        "url": "string(min=1)",
        "secret": "string(default=None)",
        "secret_header": "string(default='X-Circus-Secret')",
        **TLS,
        **SELECTION,
        **RETRIES,
        "queue": "integer(min=1, default=1000)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """Make it; raises OptionError for what makes no sense."""
        super().__init__(*args, **config)
        config = self.config
        self.selection = Selection(config["watchers"], config["actions"])
        self.server = check_url(config["url"])
        self.headers = {
            "Content-Type": "application/json",
            "User-Agent": f"cvec_circus/{__version__}",
            **secret_header(config["secret_header"], config["secret"]),
        }
        self.opener = urllib.request.build_opener(
            NoRedirect, urllib.request.HTTPSHandler(context=tls_context(config))
        )
        self.outbox = Outbox(
            self.loop,
            self.post,
            lambda record: f"{record['action']} of {record['watcher']}",
            config["retries"],
            config["retry_delay"],
            config["queue"],
        )

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Have the event posted."""
        record = self.selection.record(data)
        if record is not None:
            self.outbox.put(record)

    def handle_stop(self) -> None:
        """Try once to post what is left."""
        self.outbox.finish()

    def post(self, record: dict[str, Any]) -> None:
        """Post an event; called on a thread that may wait.

        Raises:
            Refused: The server does not take it.
            OSError: The server cannot be reached, or is not well.
        """
        if self.outbox.dropped:
            record = {**record, "dropped": self.outbox.dropped}
        body = json.dumps(record).encode()
        request = urllib.request.Request(self.config["url"], body, self.headers, method="POST")
        try:
            self.opener.open(request, timeout=self.config["timeout"]).close()
        except urllib.error.HTTPError as error:
            error.close()
            answer = printable(f"{self.server} answers {error.code} {error.reason}")
            if error.code in PASSING or error.code >= 500:
                raise OSError(answer) from None
            raise Refused(answer) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error or type(error).__name__
            raise OSError(f"{self.server} cannot be reached: {reason}") from None


def check_url(url: str) -> str:
    """Return the server that a URL names: more of it may be a secret, so it goes into no log.

    Raises:
        OptionError: It is no URL to post to.
    """
    try:
        parts = address(url)
    except ValueError as error:
        raise OptionError("url", str(error)) from None
    if "@" in parts.netloc:
        raise OptionError("url", "a user and a password belong into secret, not into the URL")
    return f"{parts.scheme}://{parts.netloc}"


def secret_header(name: str, value: str | None) -> dict[str, str]:
    """Return the header that tells the server who posts.

    Raises:
        OptionError: It cannot be one.
    """
    if value is None:
        return {}
    if not HEADER_NAME.fullmatch(name):
        raise OptionError("secret_header", f"{name!r} cannot be the name of a header")
    if not HEADER_VALUE.fullmatch(value):
        raise OptionError("secret", "has characters that a header cannot have")
    return {name: value}
