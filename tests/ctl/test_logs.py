"""logs, with a daemon behind it."""

from __future__ import annotations

import json
import os
import signal
import unittest

from tests.ctl.ctl_case import run
from tests.ctl.test_follow import FollowCase
from tests.support.daemon import DaemonCase, folder
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[\d+\] \| "

TEXT = """
[watcher:web]
cmd = sh -c "exec cat <>{input}"
log_history = {history}

[watcher:quiet]
cmd = sleep 1000
"""


class LogsCase(FollowCase):
    """A daemon with a child that says what it is told to."""

    history = 65536

    def setUp(self) -> None:
        DaemonCase.setUp(self)
        path = str(folder(self) / "input")
        os.mkfifo(path)
        self.input = open(path, "w+b", buffering=0)
        self.addCleanup(self.input.close)
        self.daemon_ = self.daemon(TEXT.format(input=path, history=self.history))

    def say(self, text: bytes) -> None:
        """Have the child write something, and wait until the daemon has it."""
        self.input.write(text)
        wanted = text.decode(errors="backslashreplace").splitlines()[-1]
        self.assertTrue(eventually(lambda: self.last_line() == wanted, TIMEOUT))

    def last_line(self) -> str:
        lines = self.daemon_.call("logs", name="web", lines=1)["lines"]
        return lines[0]["text"] if lines else ""

    def logs(self, *words: str) -> str:
        result = run("--endpoint", self.daemon_.endpoint, "logs", *words)
        self.assertEqual((result.code, result.err), (0, ""), words)
        return result.out

    def fails(self, *words: str) -> tuple[int, str]:
        result = run("--endpoint", self.daemon_.endpoint, "logs", *words)
        self.assertEqual(result.out, "")
        return result.code, result.err


class TestLogs(LogsCase):
    """What it prints."""

    def test_lines(self) -> None:
        self.assertEqual(self.logs("web"), "")
        self.say(b"one\n\x1b[31mred\xff\n" + b"".join(b"%d\n" % n for n in range(3000)))
        self.assertEqual(len(self.logs("web").splitlines()), 100)
        self.assertEqual(len(self.logs("web", "--lines", "2500").splitlines()), 2500)
        self.assertEqual(self.logs("web", "--lines", "0"), "")
        everything = self.logs("web", "--lines", "1000000").splitlines()
        self.assertRegex(everything[0], f"^{STAMP}one$")
        self.assertRegex(everything[1], f"^{STAMP}" + r"\\x1b\[31mred\\xff$")
        self.assertEqual(len(everything), 3002)

    def test_grep(self) -> None:
        self.say(b"".join(b"%d\n" % n for n in range(3000)))
        found = self.logs("web", "--grep", "999").splitlines()
        self.assertEqual([line.rpartition(" ")[2] for line in found], ["999", "1999", "2999"])
        found = self.logs("web", "--grep", "9", "--lines", "2").splitlines()
        self.assertEqual([line.rpartition(" ")[2] for line in found], ["2998", "2999"])
        self.say(b"a line with ^( in it\n")
        [line] = self.logs("web", "--grep", "^(").splitlines()
        self.assertTrue(line.endswith("a line with ^( in it"))

    def test_json(self) -> None:
        self.say(b"one\n")
        for switch in ("--json", "--prettify"):
            reply = json.loads(self.logs("web", switch))
            [line] = reply["lines"]
            self.assertEqual((line["text"], reply["stream"]), ("one", "stdout"))
            self.assertEqual(set(line), {"time", "pid", "text"})

    def test_the_other_output(self) -> None:
        self.say(b"one\n")
        self.assertEqual(self.logs("web", "--stderr"), "")

    def test_refusals(self) -> None:
        code, text = self.fails("quiet")
        self.assertEqual((code, text.count("\n")), (3, 1))
        self.assertIn("`cvec_circusctl set quiet log_history 64k`", text)
        code, text = self.fails("wbe")
        self.assertEqual((code, text), (3, "error: no watcher wbe; did you mean web?\n"))
        self.assertEqual(self.fails("quiet", "--follow")[0], 3)

    def test_follow(self) -> None:
        self.say(b"before\n")
        process = self.ctl("logs", "web", "--follow")
        self.assertRegex(self.line(process), f"^{STAMP}before$")
        self.input.write(b"one\ntw")
        self.assertRegex(self.line(process), f"^{STAMP}one$")
        self.input.write(b"o\n")
        self.assertRegex(self.line(process), f"^{STAMP}two$")
        self.daemon_.order("restart", name="web")
        self.input.write(b"three\n")
        self.assertRegex(self.line(process), f"^{STAMP}three$")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.stopped(process, 130), "")

    def test_follow_some(self) -> None:
        process = self.ctl("logs", "web", "--follow", "--grep", "o", "--json")
        self.input.write(b"one\nred\ntwo\n")
        texts = [json.loads(self.line(process))["text"] for _ in range(2)]
        self.assertEqual(texts, ["one", "two"])

    def test_a_reader_that_leaves(self) -> None:
        process = self.ctl("logs", "web", "--follow")
        self.input.write(b"one\n")
        self.line(process)
        process.stdout.close()
        self.input.write(b"two\n")
        self.assertEqual(process.wait(TIMEOUT), 0)


class TestASlowReader(LogsCase):
    """One that comes too late for some of it."""

    history = 1000

    def test_what_it_is_told(self) -> None:
        process = self.ctl("logs", "web", "--follow")
        self.input.write(b"first\n")
        self.line(process)
        process.send_signal(signal.SIGSTOP)
        for number in range(200):
            self.say(b"%01000d\n" % number)
        process.send_signal(signal.SIGCONT)
        self.assertRegex(process.stderr.readline(), r"^\.\.\. \d+ bytes missed$")
        self.assertTrue(self.line(process))


if __name__ == "__main__":
    unittest.main()
