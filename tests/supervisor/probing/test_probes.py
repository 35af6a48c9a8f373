"""The desk of probes: checks of each kind, of real processes, and what is reported when."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from functools import partial
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor.launching import Template
from tests.support.answering import Answering, says
from tests.support.endings import Process
from tests.support.probing import ProbeCase, Program, python, shell
from tests.support.silence import silence

OK = b"HTTP/1.1 200 OK\r\n\r\n"
BROKEN = b"HTTP/1.1 503 No\r\n\r\n"
FAST = {"ready_interval": 0.01}


class AddressTest(ProbeCase):
    def serve(self, text: bytes = OK) -> Answering:
        self.text = text

        def answer(connection: socket.socket) -> None:
            says(self.text)(connection)

        server = Answering(answer)
        self.addCleanup(server.close)
        return server

    def test_ready_unready_and_ready_again(self) -> None:
        server = self.serve()
        watcher = Program(**{"ready.http": f"http://127.0.0.1:{server.port}/", **FAST})
        process = self.probe(watcher)
        self.assertEqual(self.probed, [(1, False, "")])
        self.assertEqual(self.state(process, "http"), "holds")
        asked = server.accepted
        self.until(lambda: server.accepted > asked + 3)
        self.text = BROKEN
        self.until(lambda: len(self.probed) > 1)
        asked = server.accepted
        self.until(lambda: server.accepted > asked + 3)
        failure = f"check http: HTTP 503 from http://127.0.0.1:{server.port}/"
        self.assertEqual(self.probed[1:], [(1, False, failure)])
        self.assertEqual(self.desk.unmet(process), failure)
        self.text = OK
        self.until(lambda: len(self.probed) > 2)
        self.assertEqual(self.probed[2:], [(1, False, "")])
        self.assertEqual(self.desk.unmet(process), "")
        told = [(cause, one["name"], one["state"]) for cause, one in self.changes]
        ready = [("ready", "http", state) for state in ("holds", "fails", "holds")]
        self.assertEqual(told, ready)
        took = self.changes[1][1].pop("took")
        self.assertLess(0, took)
        about = {"process_pid": process.pid, "wid": 1, "family": "ready"}
        fails = {**about, "name": "http", "state": "fails", "answer": "HTTP 503"}
        self.assertEqual(self.changes[1][1], fails)

    def test_all_of_them(self) -> None:
        server, port = self.serve(), 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        checks = {
            "ready.http": f"http://127.0.0.1:{server.port}/",
            "ready.tcp": f"tcp://127.0.0.1:{port}",
        }
        process = self.start(Program(**checks, **FAST))
        self.until(lambda: self.state(process, "http") == "holds" and server.accepted > 3)
        self.until(lambda: self.state(process, "tcp") == "fails")
        self.assertEqual(self.probed, [])
        said = f"check tcp: tcp://127.0.0.1:{port}: connection refused"
        self.assertEqual(self.desk.unmet(process), said)
        with socket.socket() as late:
            late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            late.bind(("127.0.0.1", port))
            late.listen(8)
            self.until(lambda: self.probed)
        self.assertEqual(self.probed[0], (1, False, ""))
        told = {name: [] for name in ("http", "tcp")}
        for _, one in self.changes:
            told[one["name"]].append(one["state"])
        self.assertEqual(told, {"http": ["holds"], "tcp": ["fails", "holds"]})

    def test_names_are_replaced(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = "s = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1] % os.getpid())\n"
            options = python(f"{script}s.listen()\ntime.sleep(1000)")
            options["args"].append(f"{folder}/$(circus.wid).%d.s")
            where = f"unix://{folder}/$(circus.wid).$(circus.pid).s"
            process = self.probe(Program(**options, **{"ready.unix": where, **FAST}), wid=3)
            self.assertEqual(self.probed, [(3, False, "")])
            self.assertEqual(os.listdir(folder), [f"3.{process.pid}.s"])

    def test_what_is_no_address_says_so(self) -> None:
        process = self.start(Program(**{"ready.a": "tcp://127.0.0.1:9$(circus.port)", **FAST}))
        self.until(lambda: self.state(process, "a") == "fails")
        self.assertIn("is not an address of a host and a port", self.desk.unmet(process))

    def test_live_is_reported_at_its_threshold_and_healed_at_once(self) -> None:
        server = self.serve(BROKEN)
        url = f"http://127.0.0.1:{server.port}/"
        options = {"live.http": url, "live_interval": 0.02, "live_failures": 3}
        watcher = Program(**options)
        process = self.start(watcher)
        self.desk.proved(watcher, process)
        self.until(lambda: self.probed)
        self.assertEqual(self.probed, [(1, True, f"live check http failed: HTTP 503 from {url}")])
        self.assertEqual(self.row(process, "http")["failures"], 3)
        self.until(lambda: self.row(process, "http")["failures"] > 5)
        self.assertEqual(len(self.probed), 1)
        self.assertEqual([one["state"] for _, one in self.changes], ["fails"])
        self.text = OK
        self.until(lambda: len(self.probed) > 1)
        self.assertEqual(self.probed[1:], [(1, True, "")])
        self.assertEqual([cause for cause, _ in self.changes], ["live", "live"])
        self.assertEqual(self.row(process, "http")["failures"], 0)

    def test_the_first_run_of_one_that_is_doubted_is_reported(self) -> None:
        url = f"http://127.0.0.1:{self.serve().port}/"
        watcher = Program(**{"live.http": url, "live_interval": 0.02})
        process = self.start(watcher, doubted=True)
        self.desk.proved(watcher, process)
        self.until(lambda: self.probed)
        self.assertEqual(self.probed, [(1, True, "")])

    def test_it_is_reported_though_a_check_of_ready_fails_then(self) -> None:
        ready, live = self.serve(), Answering(says(OK))
        self.addCleanup(live.close)
        fast = {"ready_interval": 0.02, "live_interval": 0.02}
        urls = [f"http://127.0.0.1:{server.port}/" for server in (ready, live)]
        watcher = Program(**{"ready.r": urls[0], "live.l": urls[1], **fast})
        process = self.start(watcher, doubted=True)
        self.until(lambda: self.probed)
        self.text = BROKEN
        self.until(lambda: len(self.probed) > 1)
        self.desk.proved(watcher, process)
        self.until(partial(self.holds, process, "l"))
        self.text = OK
        self.until(lambda: self.probed[-1] == (1, True, ""))

    def test_an_adopted_one_is_asked_further(self) -> None:
        url = f"http://127.0.0.1:{self.serve().port}/"
        for family in ("ready", "live"):
            with self.subTest(family):
                self.text = OK
                self.probed.clear()
                watcher = Program(**{f"{family}.a": url, "live_interval": 0.01, **FAST})
                process = self.adopt(watcher)
                self.until(partial(self.holds, process, "a"))
                self.assertEqual(self.probed, [])  # it is ready, as it was
                self.text = BROKEN
                self.until(lambda: self.probed and "HTTP 503" in self.probed[-1][2])
                self.assertEqual(self.probed[-1][1], family == "live")
                self.release(watcher, process, has_ended=True)

    def test_an_adopted_one_that_was_not_ready_is_so_when_all_hold(self) -> None:
        ready, live = self.serve(BROKEN), Answering(says(OK))
        self.addCleanup(live.close)
        urls = [f"http://127.0.0.1:{server.port}/" for server in (ready, live)]
        checks = {"ready.r": urls[0], "ready.log": "log:x", "live.l": urls[1]}
        watcher = Program(**checks, **FAST)
        process = self.adopt(watcher, unready="check r: HTTP 500")
        self.assertTrue(self.holds(process, "log"))
        self.until(partial(self.holds, process, "l"))
        self.until(lambda: self.probed)
        self.assertEqual(self.probed[-1][1], False)
        self.text = OK
        self.until(lambda: self.probed[-1][2] == "")
        self.assertTrue(self.holds(process, "r"))

    def test_an_adopted_one_whose_checks_cannot_fail_any_more(self) -> None:
        self.adopt(Program(**{"ready.log": "log:x"}), unready="check r: HTTP 500")
        self.assertEqual(self.probed, [(1, False, "")])

    def holds(self, process: Process, name: str) -> bool:
        return self.state(process, name) == "holds"

    def test_a_family_that_holds_again_hides_nothing_of_the_other(self) -> None:
        broken: set[str] = set()

        def answer(connection: socket.socket) -> None:
            path = connection.recv(65536).split()[1].decode()
            connection.sendall(BROKEN if path in broken else OK)

        server = Answering(answer)
        self.addCleanup(server.close)
        url = f"http://127.0.0.1:{server.port}"
        fast = {"ready_interval": 0.02, "live_interval": 0.02, "live_failures": 1}
        watcher = Program(**{"ready.r": f"{url}/ready", "live.l": f"{url}/live", **fast})
        for first, second in (("ready", "live"), ("live", "ready")):
            with self.subTest(first=first):
                process = self.start(watcher)
                self.until(lambda: self.probed)
                self.desk.proved(watcher, process)
                self.until(partial(self.holds, process, "l"))
                self.probed.clear()
                for family in (first, second):
                    broken.add(f"/{family}")
                    self.until(lambda: len(self.probed) == len(broken))
                failures = {family: failure for _, family, failure in self.probed}
                broken.discard(f"/{second}")
                self.until(lambda: len(self.probed) > 2)
                left = (first == "live", failures[first == "live"])
                self.assertEqual(self.probed[2][1:], left)
                broken.clear()
                self.until(lambda: len(self.probed) > 3)
                self.assertEqual(self.probed[3][2], "")
                self.desk.release(watcher, process)
                self.probed.clear()

    def test_live_begins_with_the_proof(self) -> None:
        server = self.serve()
        url = f"http://127.0.0.1:{server.port}/"
        watcher = Program(**{"ready.it": "log:never", "live.http": url, "live_interval": 0.01})
        process = self.start(watcher)
        self.assertEqual([row["name"] for row in self.desk.details(process)], ["it"])
        self.desk.proved(watcher, process)
        self.until(lambda: server.accepted > 2)
        self.assertEqual(self.probed, [])  # it was good before, and is

    def test_changed_checks_of_live(self) -> None:
        server = self.serve(BROKEN)
        url = f"http://127.0.0.1:{server.port}"
        watcher = Program(**{"live.a": f"{url}/a", "live_interval": 0.01, "live_failures": 1})
        process = self.start(watcher)
        self.desk.proved(watcher, process)
        self.until(lambda: self.probed)
        watcher.set(**{"live.b": f"{url}/b"})
        self.desk.proved(watcher, process)
        self.until(lambda: self.state(process, "b") == "fails")
        watcher.set(**{"live.a": None})
        self.desk.proved(watcher, process)
        self.assertEqual([row["name"] for row in self.desk.details(process)], ["b"])
        self.assertEqual(len(self.probed), 1)
        watcher.set(**{"live.b": None})
        self.desk.proved(watcher, process)
        self.assertEqual(self.probed[1:], [(1, True, "")])

    def test_nothing_more_after_the_release(self) -> None:
        server = self.serve()
        watcher = Program(**{"ready.http": f"http://127.0.0.1:{server.port}/", **FAST})
        process = self.probe(watcher)
        self.text = BROKEN
        self.release(watcher, process)
        self.release(watcher, process, has_ended=True)
        asked = server.accepted
        deadline = SYSTEM.monotonic() + 0.1
        self.until(lambda: SYSTEM.monotonic() > deadline)
        self.assertLessEqual(server.accepted, asked + 1)
        self.assertEqual(self.probed, [(1, False, "")])
        self.assertEqual(self.desk.details(process), [])

    def test_never_two_runs_at_once(self) -> None:
        open_now: list[int] = []

        def slow(connection: socket.socket) -> None:
            open_now.append(1)
            connection.recv(65536)
            connection.settimeout(20)
            connection.recv(1)  # until the probe gives up

        server = Answering(slow)
        self.addCleanup(server.close)
        url = f"http://127.0.0.1:{server.port}/"
        watcher = Program(**{"live.a": url, "live_interval": 0.01, "live_timeout": 0.1})
        process = self.start(watcher)
        self.desk.proved(watcher, process)
        self.until(lambda: self.probed)
        took = self.row(process, "a")["took"]
        self.assertGreaterEqual(took, 0.1)
        self.assertLessEqual(len(open_now), 4)
        self.assertIn("no answer within 0.1 s", self.probed[0][2])


class LineTest(ProbeCase):
    """What a process says by itself."""

    def setUp(self) -> None:
        silence(self)  # to the end of what passes output on
        super().setUp()

    def test_a_newline(self) -> None:
        for number in (3, 9):
            with self.subTest(number):
                script = f"os.write({number}, b'ready\\n')\nos.close({number})\ntime.sleep(1000)"
                process = self.probe(Program(**python(script), **{"ready.a": f"fd:{number}"}))
                self.assertEqual(self.probed.pop(), (1, False, ""))
                self.assertEqual(self.row(process, "a")["answer"], "a newline came")
                self.desk.release(None, process)

    def test_two_at_once_and_nothing_else_is_open(self) -> None:
        script = (
            "found = sorted(int(n) for n in os.listdir('/proc/self/fd') if int(n) > 2)\n"
            "assert found == [3, 4, 5], found  # the first one is that of the list\n"
            "for _ in range(9): os.write(4, b'ready\\n')  # once would do\n"
            "os.write(5, b'\\n')\ntime.sleep(1000)"
        )
        process = self.probe(Program(**python(script), **{"ready.a": "fd:5", "ready.b": "fd:4"}))
        self.assertEqual(self.probed, [(1, False, "")])
        self.assertEqual(self.state(process, "b"), "holds")

    def test_without_a_newline(self) -> None:
        for script, said in (
            ("os.write(4, b'ready')\nos.close(4)", "was closed without a newline"),
            ("os.write(4, b'x' * 65537)\n", "had 65536 bytes without a newline"),
        ):
            process = self.start(
                Program(**python(f"{script}\ntime.sleep(1000)"), **{"ready.a": "fd:4"})
            )
            self.assertEqual(
                self.desk.unmet(process), "check a: no newline came on file descriptor 4"
            )
            self.until(lambda: self.state(process, "a") == "fails")  # noqa: B023
            self.assertEqual(self.desk.unmet(process), f"check a: file descriptor 4 {said}")
            self.assertEqual(self.probed, [])
            self.desk.release(None, process)

    def test_a_pipe_that_cannot_be_polled(self) -> None:
        watcher = Program(**shell("echo >&3; exec sleep 1000"), **{"ready.a": "fd:3"})
        trouble = OSError(errno.ENOMEM, "Cannot allocate memory")
        with mock.patch.object(self.readers, "add", side_effect=trouble):
            process = self.start(watcher)
        said = "no newline came on file descriptor 3; cannot be read: Cannot allocate memory"
        self.assertEqual(self.desk.unmet(process), f"check a: {said}")

    def test_an_exec_error_is_still_known(self) -> None:
        watcher = Program(cmd="/no/such/program", **{"ready.a": "fd:4"})
        process = self.start(watcher)
        self.until(lambda: self.have("exited", process))

    def test_a_text_in_either_output(self) -> None:
        for redirection in ("", ">&2"):
            for more in ({}, {"stdout_stream.filename": os.devnull}, {"log_history": 0}):
                script = shell(f"echo no; echo It listens now {redirection}; exec sleep 1000")
                watcher = Program(**script, **{"ready.a": "log:It listens", **more})
                with self.subTest(redirection=redirection, more=more):
                    process = self.probe(watcher)
                    self.assertEqual(self.probed.pop(), (1, False, ""))
                    answer = self.row(process, "a")["answer"]
                    self.assertEqual(answer, "a line with 'It listens' came")
                    self.desk.release(watcher, process)

    def test_a_text_that_does_not_come(self) -> None:
        process = self.start(Program(**shell("echo no; exec sleep 1000"), **{"ready.a": "log:yes"}))
        self.assertEqual(self.desk.unmet(process), "check a: no line with 'yes' came")

    def test_a_number_that_a_socket_has(self) -> None:
        sockets = SocketRegistry()
        self.addCleanup(sockets.close_all)
        sockets.add(CircusSocket(name="front", host="127.0.0.1", port=0))
        sockets.bind_all()
        given = {"cmd": "x $(circus.sockets.front)", "use_sockets": True, "listen_fds": True}
        template = Template("web", Program(**given).options, "run")
        with Loan(sockets) as loan:
            with self.assertRaisesRegex(ValueError, "file descriptor 3 is that of socket front"):
                template.spec(1, loan, places={3: 0})
            self.assertEqual(template.spec(1, loan, places={4: 0}).places, {4: 0})
