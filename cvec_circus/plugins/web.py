"""Web pages, as plugins ask for them."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from cvec_circus import __version__
from cvec_circus.base.clock import SYSTEM
from cvec_circus.runtime.line import printable

NO_ANSWER = 599
"""Stands for the code of an answer that has not come, as in Circus."""

PIECE = 65536
"""Bytes that are read at once; as many of the page are kept."""

FORM = "not of the form http://host/path or https://host/path"


class Answer(NamedTuple):
    """What came of a request. Immutable.

    Attributes:
        code: The code of the answer.
        seconds: How long it took.
        problem: What is wrong with it; "" for nothing.
        beginning: Of the page.
    """

    code: int
    seconds: float
    problem: str
    beginning: bytes = b""


def address(url: str) -> SplitResult:
    """Take apart the address of a page.

    Raises:
        ValueError: It is none. The text is for the log, so it tells nothing of the address, of
            which a part may be a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(FORM) from None
    if not usable or not url.isprintable() or " " in url:
        raise ValueError(FORM)
    if not url.isascii():
        raise ValueError("has characters that an address cannot have; such as %C3%A9 stands for é")
    return parts


def request(url: str) -> urllib.request.Request:
    """Prepare to ask for a page; a name and a password in the address are sent along.

    Raises:
        ValueError: See `address`.
    """
    parts = address(url)
    user, at, place = parts.netloc.rpartition("@")
    bare = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    headers = {"User-Agent": f"cvec_circus/{__version__}"}
    if at:
        name, _, password = user.partition(":")
        told = f"{unquote(name)}:{unquote(password)}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(told).decode()
    return urllib.request.Request(bare, headers=headers)


class Redirection(urllib.request.HTTPRedirectHandler):
    """Follows a redirection, and tells nobody else the name and the password. Immutable."""

    def redirect_request(
        self, req: urllib.request.Request, *args: Any
    ) -> urllib.request.Request | None:
        """Return the request that follows."""
        new = super().redirect_request(req, *args)
        if new is not None and (new.host != req.host or (req.type, new.type) == ("https", "http")):
            new.remove_header("Authorization")
        return new


def fetch(
    wanted: urllib.request.Request, timeout: float, *handlers: urllib.request.BaseHandler
) -> Answer:
    """Fetch a page. Blocks for the timeout, or a little longer.

    Args:
        wanted: What to ask for.
        timeout: Seconds in which all of the page is to be there.
        *handlers: What to open it with, beside what is usual.
    """
    began_at = SYSTEM.monotonic()
    opener = urllib.request.build_opener(Redirection, *handlers)
    try:
        with opener.open(wanted, timeout=timeout) as page:
            beginning = b""
            while piece := page.read1(PIECE):
                beginning += piece[: PIECE - len(beginning)]
                if SYSTEM.monotonic() - began_at > timeout:
                    return Answer(NO_ANSWER, 0, f"not all of it within {timeout:g} s")
            if page.length:  # of what was announced, this much has not come
                return Answer(NO_ANSWER, 0, "the server has hung up before the end of the page")
            return Answer(page.status, SYSTEM.monotonic() - began_at, "", beginning)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, 0, printable(f"{error.code} {error.reason}"))
    except urllib.error.URLError as error:
        return Answer(NO_ANSWER, 0, str(error.reason))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(NO_ANSWER, 0, str(error) or type(error).__name__)
