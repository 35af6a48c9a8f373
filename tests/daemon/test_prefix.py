"""Captured output on its way to the daemon's own: with --prefix, and without."""

from __future__ import annotations

import os
import signal
import unittest
from typing import Any

from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT

TALKER = """
[watcher:{name}]
cmd = sh -c "exec cat <>{DIR}/{name}"
{more}
"""

FLOOD = """
[watcher:flood]
cmd = yes a line of a flood
[watcher:beat]
cmd = sh -c "while read line; do echo $line >>{DIR}/beats; echo $line; done <>{DIR}/asked"
"""


class PrefixCase(DaemonCase):
    """Watchers that say what comes down a pipe of each."""

    def talkers(self, *arguments: object, circus: str = "", **talkers: str) -> Daemon:
        """Start a daemon with them; the values are more lines of their sections."""
        text = "".join(
            TALKER.replace("{name}", name).replace("{more}", more) for name, more in talkers.items()
        )

        def prepare(folder: Any) -> None:
            self.inputs = {}
            for name in talkers:
                os.mkfifo(folder / name)
                self.inputs[name] = open(folder / name, "w+b", buffering=0)
                self.addCleanup(self.inputs[name].close)

        self.daemon_ = self.daemon(text, *arguments, circus=circus, prepare=prepare)
        return self.daemon_

    def say(self, name: str, text: str) -> None:
        self.inputs[name].write(text.encode())

    def kept(self, name: str) -> list[str]:
        return [line["text"] for line in self.daemon_.call("logs", name=name)["lines"]]


class TestPrefix(PrefixCase):
    def test_lines_with_names(self) -> None:
        daemon = self.talkers("--prefix", web="numprocesses = 1", two="numprocesses = 2")
        self.say("web", "hello\npart")
        self.assertEqual(daemon.out.next(), "web | hello")
        self.say("two", "hi\n")
        self.assertRegex(daemon.out.next() or "", r"^(web \| part|two\.[12] \| hi)$")
        self.assertTrue(eventually(lambda: self.kept("web") == ["hello", "part"]))
        self.assertEqual(self.kept("two"), ["hi"])

    def test_what_has_a_stream_stays_there(self) -> None:
        daemon = self.talkers(
            "--prefix", web="stdout_stream.filename = {DIR}/log", db="", off="log_history = 0"
        )
        self.say("web", "hello\n")
        self.assertTrue(eventually(lambda: self.kept("web") == ["hello"]))
        self.say("off", "seen\n")
        self.assertEqual(daemon.out.next(), "off | seen")
        self.assertIn("log_history is 0", daemon.wire.refused("logs", name="off"))
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertEqual(daemon.out.rest(), ["off | seen"])
        self.assertEqual((daemon.folder / "log").read_text(), "hello\n")

    def test_the_helpers_stay_in_the_log(self) -> None:
        text = "[plugin:flapping]\nuse = cvec_circus.plugins.flapping.Flapping\n"
        daemon = self.daemon(text, "--prefix")
        self.assertIn("flapping[", daemon.log.containing("Starting"))
        self.assertIn("the daemon's log", daemon.wire.refused("logs", name="plugin:flapping"))
        self.assertEqual(daemon.call("logs")["lines"], [])
        self.assertNotIn("unkept", daemon.call("logs"))

    def test_a_stream_that_writes_there(self) -> None:
        web, fancy = (f"stdout_stream.class = {word}StdoutStream" for word in ("", "Fancy"))
        daemon = self.talkers("--prefix", web=web, fancy=fancy)
        self.say("web", "hello\n")
        self.assertEqual(daemon.out.next(), "web | hello")
        self.say("fancy", "hi\n")
        self.assertRegex(daemon.out.next() or "", r"\[\d+\] \| hi")
        self.assertTrue(eventually(lambda: self.kept("web") == ["hello"]))

    def test_a_reader_that_stops(self) -> None:
        def prepare(folder: Any) -> None:
            os.mkfifo(folder / "asked")
            self.asked = open(folder / "asked", "w+b", buffering=0)
            self.addCleanup(self.asked.close)

        daemon = self.daemon(FLOOD, "--prefix", prepare=prepare)
        told = daemon.log.containing("takes nothing")
        self.assertRegex(told, r"flood: the daemon's standard output takes nothing; \d+ bytes")
        beats = daemon.folder / "beats"
        for number in range(20):
            self.asked.write(b"%d\n" % number)
            seen = [f"{n}\n" for n in range(number + 1)]
            self.assertTrue(
                eventually(lambda seen=seen: beats.exists() and beats.read_text() == "".join(seen))
            )
        self.daemon_ = daemon
        self.assertTrue(eventually(lambda: self.kept("beat")[-1:] == ["19"]))
        daemon.order("stop")
        daemon.signal(signal.SIGTERM)
        log = daemon.ended(timeout=TIMEOUT)
        self.assertTrue(any("was not passed on in time" in line for line in log))


class TestWithoutPrefix(PrefixCase):
    def test_a_stream_that_writes_there(self) -> None:
        daemon = self.talkers(web="stdout_stream.class = StdoutStream")
        self.say("web", "hello\n")
        self.assertEqual(daemon.out.next(), "hello")

    def test_a_history_passes_on_what_it_keeps(self) -> None:
        daemon = self.talkers(web="log_history = 1000", db="")
        self.say("web", "hello\n")
        self.assertEqual(daemon.out.next(), "hello")
        self.assertEqual(self.kept("web"), ["hello"])
        self.say("db", "not kept\n")
        self.assertEqual(daemon.out.next(), "not kept")
        daemon.order("set", name="web", options={"log_history": 0})
        self.say("web", "still there\n")
        self.assertEqual(daemon.out.next(), "still there")
        daemon.order("restart", name="web")
        self.say("web", "by itself\n")
        self.assertEqual(daemon.out.next(), "by itself")

    def test_a_history_of_all(self) -> None:
        daemon = self.talkers(
            circus="log_history = 1k", web="", db="log_history = 0", api="log_history = 5000"
        )
        for name in ("web", "db", "api"):
            self.say(name, f"{name}\n")
            self.assertEqual(daemon.out.next(), name)
        for name in ("web", "api"):
            self.assertEqual(self.kept(name), [name])
        self.assertIn("log_history is 0", daemon.wire.refused("logs", name="db"))
        self.assertIsNone(
            daemon.call("get", name="web", keys=["log_history"])["options"]["log_history"]
        )

    def test_a_history_of_all_from_now_on(self) -> None:
        daemon = self.talkers(web="", db="log_history = 0")
        [pid] = daemon.wire.pids("web")
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace("[circus]\n", "[circus]\nlog_history = 2k\n"))
        daemon.call("reloadconfig", waiting=True)
        self.assertEqual(daemon.wire.pids("web"), [pid])
        self.assertEqual(set(daemon.call("logs")["unkept"]), {"web"})
        daemon.order("restart", name="web")
        self.say("web", "hello\n")
        self.assertEqual(daemon.out.next(), "hello")
        self.assertEqual(self.kept("web"), ["hello"])
        daemon.config.write_text(text)
        daemon.call("reloadconfig", waiting=True)
        self.say("web", "goes on\n")
        self.assertEqual(daemon.out.next(), "goes on")
        self.assertIn("is not kept", daemon.wire.refused("logs", name="web"))

    def test_one_that_comes_to_be_captured(self) -> None:
        """A process that is spawned by itself, in a watcher that is up."""
        daemon = self.talkers(web="close_child_stdout = True\nlog_history = 1000")
        daemon.order("set", name="web", options={"close_child_stdout": False})
        self.say("web", "hello\n")
        self.assertEqual(daemon.out.next(), "hello")
        self.assertEqual(self.kept("web"), ["hello"])


if __name__ == "__main__":
    unittest.main()
