"""Asking for pages: what goes to whom, what counts as a page, and what is told of addresses."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import unittest
import urllib.request
from collections.abc import Callable

from cvec_circus.plugins import web
from cvec_circus.plugins.web import NO_ANSWER, PIECE, Answer, address, fetch, request
from tests.plugins.case import TIMEOUT


class RedirectingServer:
    """Sends whoever asks for anything but /page elsewhere. Owned by the test's thread.

    Attributes:
        port: Its port.
        location: Where it sends them.
        credentials: What each request had as Authorization.
    """

    def __init__(self, test: unittest.TestCase) -> None:
        self.location = ""
        self.credentials: list[str | None] = []
        mine = self

        class Page(http.server.BaseHTTPRequestHandler):
            """Answers one request. Owned by a thread of the server."""

            def do_GET(self) -> None:
                mine.credentials.append(self.headers["Authorization"])
                self.send_response(200 if self.path == "/page" else 302)
                self.send_header("Location", mine.location)
                self.end_headers()
                self.wfile.write(b"42")

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        test.addCleanup(server.server_close)
        test.addCleanup(thread.join)
        test.addCleanup(server.shutdown)


class TestRedirections(unittest.TestCase):
    """A name and a password go to whom they are meant for."""

    def setUp(self) -> None:
        self.server, self.other = RedirectingServer(self), RedirectingServer(self)
        self.url = f"http://me:secret@127.0.0.1:{self.server.port}/"

    def test_within_the_server(self) -> None:
        self.server.location = "/page"
        self.assertEqual(fetch(request(self.url), TIMEOUT).beginning, b"42")
        self.assertEqual(self.server.credentials, ["Basic bWU6c2VjcmV0"] * 2)

    def test_to_somebody_else(self) -> None:
        self.server.location = f"http://127.0.0.1:{self.other.port}/page"
        self.assertEqual(fetch(request(self.url), TIMEOUT).code, 200)
        self.assertEqual(self.other.credentials, [None])

    def test_by_way_of_somebody_else(self) -> None:
        self.server.location = f"http://127.0.0.1:{self.other.port}/"
        self.other.location = f"http://127.0.0.1:{self.server.port}/page"
        self.assertEqual(fetch(request(self.url), TIMEOUT).code, 200)
        self.assertEqual(self.server.credentials, ["Basic bWU6c2VjcmV0", None])


class TestPages(unittest.TestCase):
    """What is there as a whole, and in time."""

    def answer(self, *pieces: bytes, then: Callable[[socket.socket], object] = id) -> Answer:
        """Fetch what a server says that is no more than a socket."""
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve() -> None:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(ConnectionError):
                    peer.recv(PIECE)
                    for piece in pieces:
                        peer.sendall(piece)
                    then(peer)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
                return fetch(request(url), 0.2 if then is not id else TIMEOUT)
            finally:
                thread.join()

    def test_one_in_pieces(self) -> None:
        told = self.answer(b"HTTP/1.0 200 OK\r\n\r\n", b"1", b"2", b"34\n")
        self.assertEqual((told.code, told.problem, told.beginning), (200, "", b"1234\n"))

    def test_the_beginning_of_a_long_one(self) -> None:
        told = self.answer(b"HTTP/1.0 200 OK\r\n\r\n", b"1" * PIECE, b"2" * PIECE)
        self.assertEqual((told.problem, told.beginning), ("", b"1" * PIECE))

    def test_one_that_is_cut_short(self) -> None:
        told = self.answer(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n", b"12")
        self.assertEqual((told.code, told.beginning), (NO_ANSWER, b""))
        self.assertIn("in the middle of the page", told.problem)

    def test_an_answer_moves_no_cursor(self) -> None:
        told = self.answer(b"HTTP/1.0 500 \x1b[2Jgone\r\n\r\n")
        self.assertEqual((told.code, told.problem), (500, "500 ?[2Jgone"))

    def test_one_that_never_ends(self) -> None:
        def go_on(peer: socket.socket) -> None:
            while True:
                peer.sendall(b"x" * 100)

        told = self.answer(b"HTTP/1.0 200 OK\r\n\r\n", then=go_on)
        self.assertEqual((told.code, told.problem), (NO_ANSWER, "not all of it within 0.2 s"))


class TestAddresses(unittest.TestCase):
    """What can be no address is refused, and nothing of it told: a part may be a password."""

    def test_they_are_refused(self) -> None:
        for url in (
            "htp://me:secret@host/",
            "http://me:sec/ret@host/",
            "http://me:secret@host:0/",
            "http://me:secret@/",
            "http://me:secret@host/a b",
            "http://me:secret@host/a\nb",
            "http://me:secret@[host/",
            "http://me:secret@host/caf\xe9",
        ):
            with self.subTest(url), self.assertRaises(ValueError) as caught:
                address(url)
            self.assertNotRegex(str(caught.exception), "sec|ret|me:")

    def test_a_name_without_a_password(self) -> None:
        self.assertEqual(request("http://me@host/").headers["Authorization"], "Basic bWU6")


class TestOpeners(unittest.TestCase):
    def test_one_is_made_and_kept(self) -> None:
        """From Python 3.12 on, each one reads all certificates of the machine."""
        handler = urllib.request.ProxyHandler({})
        made = [web._opener(handler) for _ in range(2)]
        self.assertIs(made[0], made[1])
        self.assertIsNot(made[0], web._opener())


if __name__ == "__main__":
    unittest.main()
