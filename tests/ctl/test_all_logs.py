"""logs of several watchers, with a daemon behind it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import unittest

from tests.ctl.ctl_case import run
from tests.ctl.test_logs import STAMP, LogsCase
from tests.support.daemon import script
from tests.support.wire import TIMEOUT

NOTE = (
    "(quiet: its output goes to the daemon's own stdout and stderr and is not kept; "
    "`cvec_circusctl set quiet log_history 64k` replaces no process, "
    "and keeps it from the next start on)\n"
)


class TestAllLogs(LogsCase):
    """What it prints of all of them, and of some."""

    def all_logs(self, *words: str) -> list[str]:
        """The lines of all watchers, less their stamps."""
        result = run("--endpoint", self.daemon_.endpoint, "logs", *words)
        self.assertEqual((result.code, result.err), (0, NOTE), words)
        for line in result.out.splitlines():
            self.assertRegex(line, rf"^\S+ \| {STAMP}")
        return [
            f"{line.split(' ')[0]} {line.partition('] | ')[2]}" for line in result.out.splitlines()
        ]

    def test_lines(self) -> None:
        self.assertEqual(self.all_logs(), [])
        self.say(b"one\ntwo\n\x1b[31mred")
        self.assertEqual(self.all_logs(), ["web one", "web two", r"web \x1b[31mred"])
        self.assertEqual(self.all_logs("--lines", "1"), [r"web \x1b[31mred"])
        self.assertEqual(self.all_logs("--grep", "w"), ["web two"])
        self.assertEqual(self.all_logs("--grep", "["), [r"web \x1b[31mred"])
        self.assertEqual(self.all_logs("--since", "1h", "web", "quiet"), self.all_logs())
        self.assertEqual(self.all_logs("--since", "0s"), [])
        self.assertEqual(self.all_logs("*")[:2], ["web one", "web two"])
        self.assertEqual(len(self.logs("web", "--since", "10m").splitlines()), 3)

    def test_many_lines(self) -> None:
        self.say(b"".join(b"%d\n" % number for number in range(3000)))
        self.assertEqual(self.all_logs(), [f"web {number}" for number in range(2900, 3000)])
        self.assertEqual(len(self.all_logs("--lines", "2500")), 2500)
        self.assertEqual(len(self.all_logs("--since", "1d")), 3000)
        self.assertEqual(self.all_logs("--grep", "999", "--lines", "2"), ["web 1999", "web 2999"])

    def test_refusals(self) -> None:
        code, text = self.fails("web", "nope")
        self.assertEqual((code, text), (3, "error: no watcher nope\n"))
        self.assertEqual(self.fails("qu*"), (3, f"error: {NOTE[1:-2]}\n"))
        self.assertEqual(self.fails("qu*", "--follow")[0], 3)
        code, text = self.fails("--since", "soon")
        self.assertEqual(code, 2)
        self.assertIn("--since: 'soon'", text)

    def test_json(self) -> None:
        self.say(b"one\n")
        result = run("--endpoint", self.daemon_.endpoint, "logs", "--json")
        reply = json.loads(result.out)
        self.assertEqual([line["watcher"] for line in reply["lines"]], ["web"])
        self.assertEqual((set(reply["unkept"]), result.err), ({"quiet"}, ""))

    def test_on_a_terminal(self) -> None:
        self.say(b"one\n")
        for variables, expected in (
            ({"TERM": "xterm"}, rf"^\x1b\[36mweb \|\x1b\[0m {STAMP}one\r\n"),
            ({"TERM": "xterm", "NO_COLOR": "1"}, rf"^web \| {STAMP}one\r\n"),
        ):
            master, slave = pty.openpty()
            command = script("cvec_circusctl", "--endpoint", self.daemon_.endpoint, "logs")
            environ = {k: v for k, v in os.environ.items() if k not in ("TERM", "NO_COLOR")}
            done = subprocess.run(
                command,
                stdout=slave,
                stderr=subprocess.PIPE,
                env={**environ, **variables},
                timeout=TIMEOUT,
                check=False,
            )
            text = os.read(master, 1000).decode()
            while not text.endswith("\n"):  # a terminal may give a line in parts
                text += os.read(master, 1000).decode()
            os.close(master)
            os.close(slave)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(text, expected)


class TestFollowingAll(LogsCase):
    """What it survives."""

    def follows(self, process: subprocess.Popen[str], text: str) -> None:
        """Have the child say something, and see it come."""
        self.input.write(text.encode() + b"\n")
        self.assertRegex(self.line(process), rf"^web \| {STAMP}{text}$")

    def all(self, *words: str) -> subprocess.Popen[str]:
        process = self.ctl("logs", "--follow", *words)
        self.assertEqual(process.stderr.readline(), NOTE)
        return process

    def test_orders(self) -> None:
        process = self.all()
        self.follows(process, "one")
        self.daemon_.order("restart", name="web")
        self.follows(process, "two")
        self.daemon_.order("reload", name="web")
        self.follows(process, "three")
        options = {"log_history": 1000, "copy_env": True}
        self.daemon_.order("add", name="new", cmd="echo hi", options=options, start=True)
        self.assertRegex(self.line(process), rf"^new \| {STAMP}hi$")
        self.daemon_.order("rm", name="new")
        self.daemon_.order("rm", name="quiet")
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(process.stderr.read(), "")

    def test_another_daemon(self) -> None:
        process = self.all("--grep", "o", "--timeout", "1")
        self.follows(process, "one")
        self.input.write(b"red\n")
        self.again(signal.SIGTERM)
        # It may end, and even be there again, between two questions.
        gone = r"^\(the daemon (has stopped|does not answer); waiting for it to come back\)$"
        said = process.stderr.readline()
        if said != "(the daemon was restarted)\n":
            self.assertRegex(said, gone)
            self.assertEqual(process.stderr.readline(), "(the daemon was restarted)\n")
        self.follows(process, "two")
        self.again(signal.SIGKILL)
        self.input.write(b"more\n")
        seen = [process.stderr.readline()]
        if "does not answer" in seen[0]:  # it may have been quicker than the next question
            seen.append(process.stderr.readline())
        self.assertEqual(seen[-1], "(the daemon was restarted)\n")
        self.assertRegex(self.line(process), rf"^web \| {STAMP}more$")

    def again(self, signum: int) -> None:
        """End the daemon, and start it with the same configuration."""
        daemon = self.daemon_
        daemon.signal(signum)
        daemon.process.wait(TIMEOUT)
        daemon._clean_up()
        daemon._start(script("cvec_circusd", daemon.config), os.environ)
        daemon.log.containing(" is up: ")
        daemon.connect()

    def test_a_reader_that_leaves(self) -> None:
        process = self.all()
        self.follows(process, "one")
        process.stdout.close()
        self.input.write(b"two\n")
        self.assertEqual(process.wait(TIMEOUT), 0)


if __name__ == "__main__":
    unittest.main()
