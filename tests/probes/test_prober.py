"""Probes of addresses, with real sockets: what holds, what does not, and what each says."""

from __future__ import annotations

import errno
import queue
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.probes import prober as module
from cvec_circus.probes.address import parse
from cvec_circus.probes.connection import Result
from cvec_circus.probes.prober import Probe, Prober
from tests.support.answering import Answering, says
from tests.support.leaks import LeakCheckedTestCase
from tests.support.ports import free_port

TIMEOUT = 20.0
CERTIFICATE = Path(__file__).parent.parent / "support" / "localhost.pem"


class ProberCase(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self.prober = Prober(SYSTEM, lambda fn, *args: fn(*args))
        self.addCleanup(self.end)

    def end(self) -> None:
        self.prober.stop()
        self.assertTrue(self.prober.join(TIMEOUT))

    def serve(self, answer: Any, path: str | None = None, **more: Any) -> Answering:
        server = Answering(answer, path, **more)
        self.addCleanup(server.close)
        return server

    def begin(
        self, kind: str, target: str, timeout: float = TIMEOUT, interval: float | None = None
    ) -> Probe:
        probe = Probe(parse(kind, target), timeout, self.results.put, interval)
        self.prober.begin(probe)
        return probe

    def result(self) -> Result:
        return self.results.get(timeout=TIMEOUT)

    def ask(self, kind: str, target: str, timeout: float = TIMEOUT) -> Result:
        self.begin(kind, target, timeout)
        return self.result()


class TcpTest(ProberCase):
    def test_what_listens_holds(self) -> None:
        server = self.serve(lambda connection: connection.recv(1))
        result = self.ask("tcp", f"127.0.0.1:{server.port}")
        self.assertEqual((result.failure, result.answer), ("", "connected"))
        self.assertGreater(result.took, 0)

    def test_a_name_is_looked_up(self) -> None:
        server = self.serve(lambda connection: connection.recv(1))
        for _ in range(2):
            self.assertEqual(self.ask("tcp", f"localhost:{server.port}").failure, "")

    def test_nothing_there(self) -> None:
        port = free_port()
        for host in ("127.0.0.1", "localhost"):
            result = self.ask("tcp", f"{host}:{port}")
            self.assertEqual(result.failure, f"tcp://{host}:{port}: connection refused")

    def test_a_port_that_meets_itself_does_not_hold(self) -> None:
        with mock.patch.object(socket.socket, "getpeername", socket.socket.getsockname):
            server = self.serve(lambda connection: connection.recv(1))
            result = self.ask("tcp", f"127.0.0.1:{server.port}")
        self.assertIn("connection refused", result.failure)

    def test_unix(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/s"
            result = self.ask("unix", path)
            self.assertEqual(result.failure, f"unix://{path}: no such file or directory")
            server = self.serve(lambda connection: connection.recv(1), path)
            self.assertEqual(self.ask("unix", path).failure, "")
            server.close()
            self.assertEqual(self.ask("unix", path).failure, f"unix://{path}: connection refused")

    def test_a_full_queue(self) -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/s")
            listener.listen(0)
            self.assertEqual(self.ask("unix", f"{folder}/s").failure, "")
            result = self.ask("unix", f"{folder}/s")
        self.assertIn("its queue of connections is full", result.failure)

    def test_a_shortage_of_ours_says_nothing(self) -> None:
        trouble = OSError(errno.EMFILE, "Too many open files")
        with mock.patch("cvec_circus.probes.connection.socket.socket", side_effect=trouble):
            result = self.ask("tcp", "127.0.0.1:1")
        self.assertTrue(result.is_void)
        self.assertEqual((result.failure, result.answer), ("", "cannot probe: Too many open files"))

    def test_an_error_of_ours_is_logged_and_says_nothing(self) -> None:
        with mock.patch("cvec_circus.probes.connection.Connection.open", side_effect=KeyError):
            with self.assertLogs("cvec_circus", "ERROR"):
                self.assertTrue(self.ask("tcp", "127.0.0.1:1").is_void)


class HttpTest(ProberCase):
    def test_codes(self) -> None:
        for code, holds in (
            (200, True),
            (204, True),
            (302, True),
            (399, True),
            (400, False),
            (404, False),
            (500, False),
            (503, False),
            (101, False),
        ):
            server = self.serve(says(b"HTTP/1.1 %d Some Text\r\n\r\n" % code))
            url = f"http://127.0.0.1:{server.port}/health"
            result = self.ask("http", url[7:] + "?key=secret")
            said = "" if holds else f"HTTP {code} from {url}"
            self.assertEqual((result.failure, result.answer), (said, f"HTTP {code}"))

    def test_the_request(self) -> None:
        got: list[bytes] = []

        def answer(connection: socket.socket) -> None:
            got.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.0 200\r\n\r\n")

        server = self.serve(answer)
        self.assertEqual(self.ask("http", f"127.0.0.1:{server.port}/a/b?c=d#e").failure, "")
        self.assertEqual(self.ask("http", f"127.0.0.1:{server.port}").failure, "")
        lines = got[0].split(b"\r\n")
        self.assertEqual(lines[0], b"GET /a/b?c=d HTTP/1.1")
        self.assertIn(b"Host: 127.0.0.1:%d" % server.port, lines)
        self.assertIn(b"Connection: close", lines)
        self.assertTrue(got[1].startswith(b"GET / HTTP/1.1\r\n"))

    def test_what_is_no_http(self) -> None:
        for answer, said in (
            (b"220 smtp.example ESMTP\r\n", "the answer is not HTTP"),
            (b"HTTP/1.1 20\r\n", "the answer is not HTTP"),
            (b"HTTP/1.1 2000\r\n", "the answer is not HTTP"),
            (b"x" * 5000, "the answer is not HTTP"),
            (b"HTTP/1.1 200", "the answer is not HTTP"),
            (b"", "it closed the connection"),
        ):
            with self.subTest(answer[:20]):
                server = self.serve(says(answer))
                result = self.ask("http", f"127.0.0.1:{server.port}/")
                self.assertTrue(result.failure.startswith(said), result)

    def test_an_endless_answer_is_not_read_to_its_end(self) -> None:
        sent = []

        def endless(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                sent.append(connection.send(b"X-Header: " + b"x" * 1000 + b"\r\n"))

        server = self.serve(endless)
        self.assertEqual(self.ask("http", f"127.0.0.1:{server.port}/").failure, "")
        server.close()
        self.assertLess(sum(sent), 16 << 20)

    def test_one_that_says_nothing(self) -> None:
        end = threading.Event()
        server = self.serve(lambda connection: end.wait(TIMEOUT))
        self.addCleanup(end.set)
        result = self.ask("http", f"127.0.0.1:{server.port}/", timeout=0.05)
        url = f"http://127.0.0.1:{server.port}/"
        self.assertEqual(result.failure, f"{url}: no answer within 0.05 s")
        self.assertGreaterEqual(result.took, 0.05)

    def test_one_that_says_a_little_at_a_time(self) -> None:
        end = threading.Event()

        def slow(connection: socket.socket) -> None:
            while not end.wait(0.01):
                connection.send(b"x")

        server = self.serve(slow)
        self.addCleanup(end.set)
        result = self.ask("http", f"127.0.0.1:{server.port}/", timeout=0.1)
        self.assertIn("no answer within 0.1 s", result.failure)

    def test_https_with_any_certificate(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        wrap = lambda one: context.wrap_socket(one, server_side=True)  # noqa: E731
        server = self.serve(says(b"HTTP/1.1 200 OK\r\n\r\n"), wrap=wrap)
        for host in ("127.0.0.1", "localhost"):
            self.assertEqual(self.ask("https", f"{host}:{server.port}/").failure, "")
        plain = self.serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
        self.assertIn("https://127.0.0.1", self.ask("https", f"127.0.0.1:{plain.port}/").failure)


class RepeatedTest(ProberCase):
    """A check that is run again and again, of a server that answers as the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.code = b"200"
        self.asked: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.server = self.serve(self.answer)

    def answer(self, connection: Any) -> None:
        self.asked.put(SYSTEM.monotonic())
        says(b"HTTP/1.1 %s x\r\n\r\n" % self.code)(connection)

    def up(self, interval: float) -> Probe:
        return self.begin("http", f"127.0.0.1:{self.server.port}/", interval=interval)

    def runs(self, count: int) -> list[float]:
        """Wait for so many runs; return when the server was asked."""
        return [self.asked.get(timeout=TIMEOUT) for _ in range(count)]

    def test_a_success_like_the_last_one_is_not_told(self) -> None:
        probe = self.up(0.02)
        self.runs(10)
        self.assertEqual(self.result().answer, "HTTP 200")
        self.assertTrue(self.results.empty())
        first = probe.result
        self.runs(3)
        self.assertIsNot(probe.result, first)  # what it took is known all the same
        self.code = b"204"
        self.assertEqual(self.result().answer, "HTTP 204")

    def test_every_failure_is_told_and_the_first_success_after_it(self) -> None:
        self.code = b"500"
        self.up(0.02)
        told = [self.result().answer for _ in range(5)]
        self.code = b"200"
        while told[-1] == "HTTP 500":
            told.append(self.result().answer)
        self.runs(5)
        self.assertTrue(self.results.empty())
        self.assertEqual({*told[:-1]}, {"HTTP 500"})
        self.assertEqual(told[-1], "HTTP 200")

    def test_no_run_begins_too_early(self) -> None:
        began = SYSTEM.monotonic()
        self.up(0.1)
        for index, at in enumerate(self.runs(6)):
            self.assertGreater(at - began, 0.1 * index - module.GRID)

    def test_another_interval_counts_at_once(self) -> None:
        probe = self.up(3600.0)
        self.runs(1)
        self.result()
        self.prober.begin(probe)  # as it is: nothing changes
        probe.interval = 0.02
        self.prober.begin(probe)
        self.runs(5)

    def test_never_two_at_a_time(self) -> None:
        end, open_at_once = threading.Event(), []

        def slow(connection: Any) -> None:
            self.asked.put(0.0)
            end.wait(TIMEOUT)
            says(b"HTTP/1.1 200 x\r\n\r\n")(connection)

        server = self.serve(slow)
        probe = self.begin("http", f"127.0.0.1:{server.port}/", interval=0.01)
        self.runs(1)
        for _ in range(3):
            self.prober.begin(probe)
            open_at_once.append(self.ask("tcp", f"127.0.0.1:{self.server.port}").answer)
        self.assertEqual((server.accepted, open_at_once), (1, ["connected"] * 3))
        end.set()
        self.runs(2)

    def test_a_cancelled_one_is_not_run_again(self) -> None:
        other = self.serve(says(b"HTTP/1.1 200 x\r\n\r\n"))
        probe = self.begin("http", f"127.0.0.1:{other.port}/", interval=0.02)
        self.result()
        probe.cancel()
        before = other.accepted
        self.up(0.02)
        self.runs(10)
        self.assertLessEqual(other.accepted, before + 1)  # which had begun


class ManyTest(ProberCase):
    def test_more_than_may_be_open_at_a_time(self) -> None:
        server = self.serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
        with mock.patch.object(module, "MOST", 3):
            for _ in range(20):
                self.begin("http", f"127.0.0.1:{server.port}/")
            self.assertEqual({self.result().failure for _ in range(20)}, {""})

    def test_a_cancelled_one_says_nothing(self) -> None:
        cancelled = threading.Event()
        answer = says(b"HTTP/1.1 200 OK\r\n\r\n")

        def late(connection: Any) -> None:
            cancelled.wait(TIMEOUT)
            answer(connection)

        server = self.serve(late)
        self.begin("http", f"127.0.0.1:{server.port}/").cancel()
        cancelled.set()
        self.assertEqual(self.ask("tcp", f"127.0.0.1:{server.port}").answer, "connected")
        self.assertTrue(self.results.empty())

    def test_a_name_that_is_not_there(self) -> None:
        trouble = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        with mock.patch.object(socket, "getaddrinfo", side_effect=trouble):
            result = self.ask("tcp", "no.example:80")
        said = "tcp://no.example:80: no.example cannot be looked up: Name or service not known"
        self.assertEqual(result.failure, said)

    def test_a_name_that_is_looked_up_for_ever_holds_up_nothing_else(self) -> None:
        end = threading.Event()

        def hang(*args: Any, **more: Any) -> list[Any]:
            end.wait(TIMEOUT)
            return []

        server = self.serve(lambda connection: connection.recv(1))
        with mock.patch.object(socket, "getaddrinfo", hang):
            try:
                result = self.ask("http", "slow.example/", timeout=0.05)
                self.assertIn("slow.example cannot be looked up within 0.05 s", result.failure)
                self.assertEqual(self.ask("tcp", f"127.0.0.1:{server.port}").failure, "")
            finally:
                end.set()

    def test_without_a_thread(self) -> None:
        with mock.patch.object(module.Thread, "start", side_effect=RuntimeError("none")):
            with self.assertRaises(RuntimeError):
                self.begin("tcp", "127.0.0.1:1")
        self.assertIn("connection refused", self.ask("tcp", f"127.0.0.1:{free_port()}").failure)
