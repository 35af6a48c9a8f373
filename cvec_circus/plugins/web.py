"""Web pages and TLS, as plugins use them."""

from __future__ import annotations

import base64
import functools
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from cvec_circus import __version__
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.named import NamedTuple
from cvec_circus.exc import OptionError
from cvec_circus.runtime.life import printable

TLS = {"verify": "boolean(default=True)", "ca_file": "string(default=None)"}
"""The options of a schema for `tls_context`."""

NO_ANSWER = 599
"""Stands for the code of a missing answer, as in Circus."""

PIECE = 65536
"""Bytes read at once, and kept of the page."""

FORM = "not of the form http://host/path or https://host/path"


class Answer(NamedTuple):
    """The outcome of a request. Immutable.

    Attributes:
        code: The HTTP status, or `NO_ANSWER`.
        seconds: How long it took.
        problem: What is wrong with it, or "".
        beginning: The beginning of the page.
    """

    code: int
    seconds: float
    problem: str
    beginning: bytes = b""


def tls_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    """Return a context for TLS by the options ``verify`` and ``ca_file``. Any thread.

    Raises:
        OptionError: The file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=config["ca_file"])
    except OSError as error:  # SSLError, for a file that holds no certificates, is one of these
        raise OptionError("ca_file", f"{config['ca_file']}: {error.strerror or error}") from None
    if not config["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def address(url: str) -> SplitResult:
    """Split the URL of a page.

    Raises:
        ValueError: It is none. The text is for the log, so it does not quote the URL, a part of
            which may be a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(FORM) from None
    if not usable or not url.isprintable() or " " in url:
        raise ValueError(FORM)
    if not url.isascii():
        raise ValueError("has characters that a URL cannot have; write %C3%A9 for é, for example")
    return parts


def request(url: str) -> urllib.request.Request:
    """Prepare a request; a name and a password in the URL go into a header.

    Raises:
        ValueError: See `address`.
    """
    parts = address(url)
    user, at, place = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    headers = {"User-Agent": f"cvec_circus/{__version__}"}
    if at:
        name, _, password = user.partition(":")
        credentials = f"{unquote(name)}:{unquote(password)}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
    return urllib.request.Request(bare, headers=headers)


class Redirection(urllib.request.HTTPRedirectHandler):
    """Follows a redirection, and sends name and password to no other host. Immutable."""

    def redirect_request(
        self, req: urllib.request.Request, *args: Any
    ) -> urllib.request.Request | None:
        """Return the request that follows."""
        new = super().redirect_request(req, *args)
        if new is not None and (new.host != req.host or (req.type, new.type) == ("https", "http")):
            new.remove_header("Authorization")
        return new


@functools.cache
def _opener(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """Return an opener. Kept, because from Python 3.12 on one reads all certificates of the
    machine: 50 ms."""
    return urllib.request.build_opener(Redirection, *handlers)


def fetch(
    wanted: urllib.request.Request, timeout: float, *handlers: urllib.request.BaseHandler
) -> Answer:
    """Fetch a whole page within `timeout` seconds. Blocks for that time, or a little longer.

    The handlers are added to those of urllib's openers.
    """
    began_at = SYSTEM.monotonic()
    try:
        with _opener(*handlers).open(wanted, timeout=timeout) as page:
            beginning = b""
            while piece := page.read1(PIECE):
                beginning += piece[: PIECE - len(beginning)]
                if SYSTEM.monotonic() - began_at > timeout:
                    return Answer(NO_ANSWER, 0, f"not all of it within {timeout:g} s")
            if page.length:  # announced, but not received
                return Answer(
                    NO_ANSWER, 0, "the server closed the connection in the middle of the page"
                )
            return Answer(page.status, SYSTEM.monotonic() - began_at, "", beginning)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, 0, printable(f"{error.code} {error.reason}"))
    except urllib.error.URLError as error:
        return Answer(NO_ANSWER, 0, str(error.reason))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(NO_ANSWER, 0, str(error) or type(error).__name__)
