"""A web server that does as it is told: takes, fails, hangs, and recovers."""

from __future__ import annotations

import http.server
import json
import os
import ssl
import threading
from collections import deque
from collections.abc import Callable
from email.message import Message
from typing import Any, NamedTuple
from unittest import mock

HANG = 0
"""Instead of a code: no answer before `release`, and then 204."""

HANG_UP = -1
"""Instead of a code: the connection is closed without an answer."""

TIMEOUT = 20.0


class Request(NamedTuple):
    """What came in. Immutable."""

    path: str
    headers: Message
    body: Any


class WebServer:
    """A server on a port of its own. Made and closed by a test's thread; safe from any.

    Attributes:
        url: Where it is.
        answers: The codes of the next answers to what is posted; 204 when there is none left.
        requests: All that was posted, in order.
        location: Where an answer of 301 and the like leads to.
        page: What is there to get, or what tells it; None hangs, and nothing is an answer of 503.
        visits: How often somebody has come for it.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        # Whoever comes to it does not ask a proxy that the machine may have.
        self._environment = mock.patch.dict(os.environ, no_proxy="localhost,127.0.0.1")
        self._environment.start()
        self.answers: deque[int] = deque()
        self.requests: list[Request] = []
        self.location = ""
        self.page: str | Callable[[], str] | None = "0"
        self.visits = 0
        self._released = threading.Event()
        mine = self

        class Page(http.server.BaseHTTPRequestHandler):
            """Answers one request. Owned by the thread of the request."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = mine.answers.popleft() if mine.answers else 204
                mine.requests.append(Request(self.path, self.headers, body))
                if code == HANG:
                    mine._released.wait(TIMEOUT)
                    code = 204
                if code > 0:
                    self.send_response(code)
                    if 300 <= code < 400:
                        self.send_header("Location", mine.location)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def do_GET(self) -> None:
                mine.visits += 1
                page = mine.page() if callable(mine.page) else mine.page
                if page is None:
                    mine._released.wait(TIMEOUT)
                    return
                self.send_response(200 if page else 503)
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        class Server(http.server.ThreadingHTTPServer):
            """Answers each request on a thread of its own."""

            def handle_error(self, request: object, client_address: object) -> None:
                """Do not mind clients that have gone without waiting for an answer."""

        self._server = Server(("127.0.0.1", 0), Page)
        self._server.daemon_threads = False  # so that server_close waits for them
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.port = self._server.server_port
        self.url = f"{scheme}://localhost:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def bodies(self) -> list[Any]:
        """What was posted."""
        return [request.body for request in list(self.requests)]

    def release(self) -> None:
        """Let go of all that hangs."""
        self._released.set()

    def close(self) -> None:
        """Stop serving."""
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._environment.stop()
