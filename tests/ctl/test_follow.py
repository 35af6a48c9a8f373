"""listen and events --follow, with a daemon behind them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pty
import select
import signal
import subprocess
import unittest
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from cvec_circus.commands.events import event_line
from cvec_circus.control.server import Request
from cvec_circus.ctl.follow import Complaints, Concealed
from tests.ctl.ctl_case import CtlCase, run
from tests.support.daemon import DaemonCase, script
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT

TEXT = """
[watcher:web]
cmd = sleep 1000

[watcher:One Shot]
cmd = sh -c "exit 3"
respawn = False
"""


class FollowCase(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        self.daemon_ = self.daemon(TEXT)
        self.daemon_.wire.events.wait("stop", 1)

    def ctl(self, *words: object, **options: Any) -> subprocess.Popen[str]:
        """Start a command line that does not end by itself."""
        process = subprocess.Popen(
            script("cvec_circusctl", "--endpoint", self.daemon_.endpoint, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

        def end() -> None:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

        self.addCleanup(end)
        return process

    def line(self, process: subprocess.Popen[str]) -> str:
        """Read a line."""
        assert process.stdout is not None
        line = process.stdout.readline()
        self.assertTrue(line.endswith("\n"), process.poll())
        return line[:-1]

    def stopped(self, process: subprocess.Popen[str], code: int) -> str:
        """Wait for the quiet end; return what had not been read."""
        self.assertEqual((process.wait(TIMEOUT), process.stderr.read()), (code, ""))
        return process.stdout.read()

    def last(self) -> int:
        """The number of the last event."""
        return int(self.daemon_.call("events", since=0, limit=0)["seq"])


class TestEvents(FollowCase):
    def test_all_of_them_and_then_what_happens(self) -> None:
        process = self.ctl("events", "--follow", "--json")
        before = self.last()
        events = [json.loads(self.line(process)) for _ in range(before)]
        for _ in range(3):
            self.daemon_.order("restart", name="web")
        events += [json.loads(self.line(process)) for _ in range(self.last() - before)]
        seqs = [event["payload"]["seq"] for event in events]
        self.assertEqual(seqs, list(range(1, self.last() + 1)))
        replayed = self.daemon_.call("events", since=0)["events"]
        told = [[event["topic"], event["payload"]] for event in events]
        self.assertEqual(told, [[topic, json.loads(text)] for topic, text in replayed])
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.stopped(process, 130), "")

    def test_since_a_number(self) -> None:
        process = self.ctl("events", "--follow", "--since", self.last())
        self.daemon_.order("stop", name="web")
        line = self.line(process)
        self.assertRegex(
            line, rf'^\S+ \S+ #{self.last() - 2} web kill actor="client.*" cause=command:stop '
        )
        process.send_signal(signal.SIGINT)
        self.stopped(process, 130)

    def test_the_latest_and_then_what_happens(self) -> None:
        process = self.ctl("events", "--follow", "--limit", 2)
        before = self.last()
        lines = [self.line(process) for _ in range(2)]
        self.daemon_.order("stop", name="web")
        lines.append(self.line(process))
        numbers = [f"#{before + n}" for n in (-1, 0, 1)]
        self.assertEqual([line.split()[2] for line in lines], numbers)
        process.send_signal(signal.SIGINT)
        self.stopped(process, 130)

    def test_the_daemon_ends(self) -> None:
        process = self.ctl("events", "--follow", "--since", self.last())
        self.daemon_.order("stop", name="web")
        while " web stop " not in self.line(process):
            pass
        self.daemon_.call("quit", waiting=True)
        self.daemon_.ended()
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.stopped(process, 130)

    def test_a_reader_that_leaves(self) -> None:
        process = self.ctl("events", "--follow")
        self.line(process)
        process.stdout.close()
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertEqual(process.stderr.read(), "")


class TestListen(FollowCase):
    def heard(self, process: subprocess.Popen[str]) -> bool:
        """Make something happen, and tell whether something is printed."""
        self.daemon_.order("restart", name="One Shot")
        self.daemon_.order("restart", name="web")
        return bool(select.select([process.stdout], [], [], 0)[0])

    def test_some_topics(self) -> None:
        for topic in ("web", "watcher.web", "WEB"):
            process = self.ctl("listen", topic)
            self.assertTrue(eventually(lambda process=process: self.heard(process), TIMEOUT))
            process.send_signal(signal.SIGINT)
            lines = self.stopped(process, 130).splitlines()
            self.assertEqual({line.split()[3] for line in lines}, {"web"})

    def test_without_topics(self) -> None:
        process = self.ctl("listen")
        self.assertTrue(eventually(lambda: self.heard(process), TIMEOUT))
        self.daemon_.order("restart", name="One Shot")  # it may have begun to listen after that
        while ' "One Shot" ' not in self.line(process):
            pass
        process.send_signal(signal.SIGINT)
        self.stopped(process, 130)

    def test_a_reader_that_leaves_while_nothing_happens(self) -> None:
        read, write = os.pipe()
        line = script("cvec_circusctl", "--endpoint", self.daemon_.endpoint, "listen")
        process = subprocess.Popen(line, stdout=write, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        os.close(write)
        os.close(read)
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertEqual(process.stderr.read(), b"")

    def test_no_daemon(self) -> None:
        for words in (["listen"], ["events", "--follow"]):
            done = run("--endpoint", "ipc:///no/such", "--timeout", "0.1", *words)
            self.assertEqual((done.code, done.out), (4, ""))
            self.assertIn("there is no such socket", done.err)


class TestSecrets(DaemonCase):
    """A terminal shows none of the values that the daemon knows as secrets."""

    TEXT = """
[watcher:web]
cmd = /no/hunter2word
max_retry = 1
autostart = False

[env:web]
DB_PASSWORD = hunter2word
"""

    def setUp(self) -> None:
        super().setUp()
        self.daemon_ = self.daemon(self.TEXT)

    def shown(self, *words: str) -> str:
        """Return the first event `giveup` that a command line shows at a terminal."""
        ours, theirs = pty.openpty()
        with open(ours, "rb", buffering=0) as page, open(theirs, "wb", buffering=0) as terminal:
            process = subprocess.Popen(
                script("cvec_circusctl", "--endpoint", self.daemon_.endpoint, *words),
                stdout=terminal,
                stderr=subprocess.DEVNULL,
            )
            try:
                text = b""
                deadline = SYSTEM.monotonic() + TIMEOUT
                while b"giveup" not in text or not text.endswith(b"\n"):
                    self.assertLess(SYSTEM.monotonic(), deadline, text)
                    if select.select([page], [], [], 0.1)[0]:
                        text += page.read(4096)
                    elif words[0] == "listen":  # when it has subscribed, nothing tells
                        self.daemon_.call("start", name="web")
            finally:
                process.kill()
                process.wait()
        return next(line for line in text.decode().splitlines() if "giveup" in line)

    def test_what_is_followed(self) -> None:
        self.daemon_.call("start", name="web")
        self.daemon_.wire.events.wait("giveup", 1)
        for words in (["events", "--follow"], ["listen"], ["listen", "web"]):
            with self.subTest(words):
                self.assertIn("cannot run /no/***: No such file", self.shown(*words))
                self.assertIn("cannot run /no/hunter2word", self.shown(*words, "--show-secrets"))

    def test_a_daemon_that_does_not_answer(self) -> None:
        payload = '{"seq": 7, "time": 1.0, "reason": "x"}'
        with Client("ipc:///no/such") as client:
            self.assertEqual(Concealed(client, 0.1).payload(payload), payload)
            payload = {"time": 1.0, "why": "2 deaths in 6 s", "cause": "exit", "none": None}
        line = event_line("watcher.a.stop", json.dumps(payload))
        self.assertTrue(line.endswith(' a stop cause=exit none=None why="2 deaths in 6 s"'), line)
        for odd in ("[]", "{}", "x", "3", '{"seq": "z"}'):
            self.assertEqual(Concealed(client, 0.1).payload(odd), odd)


class TestComplaints(unittest.TestCase):
    def test_an_error_is_named(self) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            for error in (None, (ValueError, ValueError("boom"), None)):
                record = logging.LogRecord("x", logging.ERROR, "", 0, "%s fails", ("it",), error)
                Complaints().emit(record)
        self.assertEqual(said.getvalue(), "it fails\nit fails: ValueError('boom')\n")


class TestOlderDaemons(CtlCase):
    def test_a_daemon_without_a_history(self) -> None:
        def older(request: Request) -> None:
            found = {"status": "error", "reason": "unknown command: events", "errno": 2}
            request.send(json.dumps({**found, "id": json.loads(request.frames[0])["id"]}).encode())

        self.loop.ask(setattr, self, "dispatch", older)
        done = self.fails(3, "events", "--follow")
        self.assertEqual((done.out, done.err), ("", "error: unknown command: events\n"))
        done = self.fails(3, "events", "--follow", "--json")
        self.assertEqual(json.loads(done.out)["errno"], 2)


class TestLines(unittest.TestCase):
    def test_events(self) -> None:
        payload = {"time": 0.25, "seq": 7, "run": "ab", "watcher": "A b", "cause": "exit", "wid": 1}
        line = event_line("watcher.a_b.reap", json.dumps(payload))
        self.assertRegex(line, r'^\d{4}-\d\d-\d\d \S+\.250 #7 "A b" reap cause=exit wid=1$')
        line = event_line("watcher.a.b.kill", '{"time": 1.0, "process_pid": 5}')
        self.assertRegex(line, r"^\S+ \S+\.000 a\.b kill process_pid=5$")
        payload = {"time": 1.0, "answer": "HTTP 200", "took": 0.5, "why": "", "kept": [1, 2]}
        line = event_line("watcher.a.check", json.dumps(payload))
        self.assertTrue(line.endswith(' a check answer="HTTP 200" kept=[1, 2] took=0.5 why=""'))
        payload = {"time": 1.0, "why": "2 deaths in 6 s", "cause": "exit", "none": None}
        line = event_line("watcher.a.stop", json.dumps(payload))
        self.assertTrue(line.endswith(' a stop cause=exit none=None why="2 deaths in 6 s"'), line)
        for odd in ("[]", "{}", "x", '{"time": "z"}', '{"time": 1e300}', "3"):
            self.assertEqual(event_line("a.b", odd), f"a.b {odd}")


if __name__ == "__main__":
    unittest.main()
