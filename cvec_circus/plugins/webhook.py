"""Webhook: posts events to a web server, as JSON."""

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
from cvec_circus.plugins.web import TLS, address, tls_context
from cvec_circus.runtime.life import printable

PASSING = frozenset({408, 425, 429})
"""HTTP statuses after which another attempt may succeed, besides those from 500 on."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the event would be lost, and the secret disclosed. Immutable."""

    def redirect_request(self, *args: Any) -> None:
        """Refuse."""


class Webhook(CircusPlugin):
    """Posts events to a web server, each as a JSON object. Runs on the plugin thread.

    `post` does so on another thread.

    Options:
        url: The URL to post events to.
        secret: The value of a header that authenticates the sender; none by default.
        secret_header: The name of that header.
        verify: Whether the server's certificate is verified.
        ca_file: A file of trusted certificates, instead of the system's.
        watchers: Patterns of names; `!web*` excludes.
        actions: Patterns of events, such as `reap`.
        timeout: How long the server may take to answer, in seconds.
        retries: How often a failed post is retried.
        retry_delay: Seconds before the first retry; each further one waits twice as long.
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
        """Make it; raises OptionError for an invalid value."""
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
            self.post,
            lambda record: f"{record['action']} of {record['watcher']}",
            config,
            config["queue"],
        )

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Put a selected event into the outbox."""
        record = self.selection.record(data)
        if self.selection.takes(record):
            self.outbox.put(record)

    def handle_stop(self) -> None:
        """Try once to post the rest."""
        self.outbox.finish()

    def post(self, record: dict[str, Any]) -> None:
        """Post an event; called on a thread that may wait.

        Raises:
            Refused: The server does not accept it.
            OSError: The server cannot be reached, or fails.
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
    """Return the server of a URL, for the log: the rest may be a secret; raises OptionError."""
    try:
        parts = address(url)
    except ValueError as error:
        raise OptionError("url", str(error)) from None
    if "@" in parts.netloc:
        raise OptionError("url", "a user and a password belong in secret, not in the URL")
    return f"{parts.scheme}://{parts.netloc}"


def secret_header(name: str, value: str | None) -> dict[str, str]:
    """Return the header that authenticates the sender; raises OptionError if it cannot be one."""
    if value is None:
        return {}
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise OptionError("secret_header", f"{name!r} cannot be the name of a header")
    if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?", value):
        raise OptionError("secret", "has characters that a header cannot have")
    return {name: value}
