"""Plugins as the daemon's helpers: broken ones, stubborn ones, and their end."""

from __future__ import annotations

import os
import signal
import unittest
from pathlib import Path

from tests.support.daemon import Daemon, DaemonCase, gone
from tests.support.eventually import eventually

MODULE = """
import os, select, signal
from cvec_circus.plugins import CircusPlugin

class Writer(CircusPlugin):
    name = "writer"

    def handle_init(self):
        self.file = open("told", "a", 1)

    def handle_recv(self, data):
        self.file.write(data[0].decode() + "\\n")

    def handle_stop(self):
        self.file.write("stopped\\n")

class Fragile(Writer):
    def handle_recv(self, data):
        if data[0] == b"watcher.a.reap":
            self.file.write("dies\\n")
            os.kill(os.getpid(), signal.SIGKILL)
        super().handle_recv(data)

class Stubborn(CircusPlugin):
    name = "stubborn"

    def handle_init(self):
        open("stubborn", "w").close()

    def handle_recv(self, data):
        pass

    def handle_stop(self):
        select.select([], [], [], 1000)

class Crashing(CircusPlugin):
    name = "crashing"

    def handle_init(self):
        raise ValueError("it does not want to")

    def handle_recv(self, data):
        pass

class NoPlugin:
    pass
"""

WATCHER = "[watcher:a]\ncmd = sleep 1000\nmin_uptime = 0\n"


class TestPlugins(DaemonCase):
    """A plugin's trouble is its own."""

    def start(self, *sections: str) -> Daemon:
        return self.daemon(
            WATCHER + "\n".join(sections),
            prepare=lambda folder: (folder / "ours.py").write_text(MODULE),
        )

    def told(self, daemon: Daemon) -> list[str]:
        path = daemon.folder / "told"
        return path.read_text().splitlines() if path.exists() else []

    def test_broken_ones(self) -> None:
        daemon = self.start(
            "[plugin:gone]\nuse = no.such.Module",
            "[plugin:nameless]\nuse = ours.NoSuchClass",
            "[plugin:other]\nuse = ours.NoPlugin",
            "[plugin:off]\nuse = no.such.Module\nactive = False",
            "[plugin:crashing]\nuse = ours.Crashing\nbackoff_max = 0.05\nmin_uptime = 60",
        )
        events = daemon.wire.events
        events.wait("giveup", 3)
        events.wait("reap", 5)  # the other one is tried again, as any program is
        statuses = daemon.call("status")
        self.assertEqual(statuses["statuses"].pop("a"), "active")
        self.assertIn(statuses["statuses"].pop("plugin:crashing"), ("active", "starting"))
        self.assertEqual(
            statuses["statuses"],
            {"plugin:gone": "stopped", "plugin:nameless": "stopped", "plugin:other": "stopped"},
        )
        reasons = statuses["reasons"]
        for name, text in (("gone", "no.such"), ("nameless", "NoSuchClass"), ("other", "NoPlugin")):
            self.assertIn(text, reasons[f"plugin:{name}"])
            self.assertEqual(len(events.of("spawn", watcher=f"plugin:{name}")), 1)
        self.assertEqual(len(events.of("spawn", watcher="a")), 1)
        daemon.signal(signal.SIGTERM)
        log = "\n".join(daemon.ended())
        self.assertIn("plugin:off: not active, so not started", log)
        self.assertEqual([text for level, text in daemon.told() if level == "ERROR"], [])
        self.assertEqual(log.count("Traceback"), 1)
        again = r"handle_init raised at .*/ours\.py:\d+: ValueError: it does not want to"
        self.assertRegex(log, again)

    def test_options_that_it_does_not_have(self) -> None:
        text = "[plugin:f]\nuse = flapping\nwindwo = 3\n[DEFAULT]\nnothing_like_it = 1\n"
        daemon = self.daemon(text)
        said = daemon.log.containing("unknown option")
        self.assertRegex(
            said, r"plugin:f\[\d+\] \[WARNING\] windwo: unknown option; did you mean w"
        )
        daemon.log.containing("Starting")
        self.assertFalse(any("nothing_like_it" in line for line in daemon.log.seen))

    def test_what_one_has_written(self) -> None:
        section = "[plugin:crashing]\nuse = ours.Crashing\nlog_history = 65536\n"
        daemon = self.start(section + "stdout_stream.filename = plugin.log\nmin_uptime = 0")

        def told() -> str:
            reply = daemon.call("logs", name="plugin:crashing", stream="stderr")
            return "\n".join(line["text"] for line in reply["lines"])

        self.assertTrue(eventually(lambda: "it does not want to" in told()), told())

    def test_it_hears_the_last_event_of_every_watcher(self) -> None:
        daemon = self.start("[plugin:writer]\nuse = ours.Writer")
        self.assertTrue(eventually(lambda: "watcher.a.start" in self.told(daemon)))
        daemon.order("restart", name="a")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        told = self.told(daemon)
        self.assertEqual(told[-1], "stopped")
        self.assertEqual(told.count("watcher.a.stop"), 2)
        self.assertEqual(told.count("watcher.a.reap"), 2)

    def test_killed_over_and_over(self) -> None:
        daemon = self.start("[plugin:writer]\nuse = ours.Writer\nmin_uptime = 0")
        events = daemon.wire.events
        self.assertTrue(eventually(lambda: "watcher.a.start" in self.told(daemon)))
        before = self.files(daemon)
        for number in range(3):
            (plugin,) = daemon.wire.pids("plugin:writer")
            (process,) = daemon.wire.pids("a")
            os.kill(plugin, signal.SIGKILL)
            os.kill(process, signal.SIGKILL)
            events.wait("spawn", number + 2, watcher="plugin:writer")
            events.wait("spawn", number + 2, watcher="a")
            self.assertTrue(
                eventually(
                    lambda: self.told(daemon).count("watcher.a.spawn") == number + 2  # noqa: B023
                )
            )
        self.assertEqual(self.told(daemon).count("watcher.a.reap"), 3)
        self.assertTrue(eventually(lambda: self.files(daemon) <= before))

    def test_an_event_that_kills_it(self) -> None:
        daemon = self.start(
            "[watcher:b]\ncmd = sleep 1000",
            "[plugin:fragile]\nuse = ours.Fragile\nmin_uptime = 0",
        )
        self.assertTrue(eventually(lambda: "watcher.a.start" in self.told(daemon)))
        (process,) = daemon.wire.pids("a")
        os.kill(process, signal.SIGKILL)
        reap = daemon.wire.events.next("watcher.a.reap")
        line = f"plugin:fragile: event {reap['seq']} (watcher.a.reap) killed it twice; skipped"
        self.assertIn("[WARNING]", daemon.log.containing(line))
        daemon.order("restart", name="b")
        self.assertTrue(eventually(lambda: "watcher.b.stop" in self.told(daemon)))
        told = self.told(daemon)
        self.assertEqual(told.count("dies"), 2)
        self.assertEqual(told.count("watcher.a.spawn"), 2)  # the one that follows is delivered
        self.assertEqual(told.count("watcher.plugin:fragile.reap"), 2)
        self.assertEqual(told.count("watcher.a.start"), 1)  # and none comes twice
        self.assertEqual(daemon.wire.status("plugin:fragile")[0], "active")

    def test_one_that_is_added_later(self) -> None:
        daemon = self.start("[watcher:b]\ncmd = sleep 1000")
        events = daemon.wire.events
        for number in (1, 2, 3):
            events.wait("watcher.a.spawn", number)
            os.kill(daemon.wire.pids("a")[0], signal.SIGKILL)
        events.wait("watcher.a.spawn", 4)
        text = daemon.config.read_text()
        daemon.config.write_text(
            f"{text}\n[plugin:writer]\nuse = ours.Writer\n"
            "[plugin:flapping]\nuse = flapping\nwindow = 1000\n"
        )
        daemon.order("reloadconfig")
        events.wait("watcher.plugin:writer.start", 1)
        for number in (1, 2):
            events.wait("watcher.b.spawn", number)
            os.kill(daemon.wire.pids("b")[0], signal.SIGKILL)
        events.wait("watcher.b.stop", 1)  # so Flapping has looked at all before that
        self.assertTrue(eventually(lambda: "watcher.b.stop" in self.told(daemon)))
        self.assertNotIn("watcher.a.reap", self.told(daemon))
        self.assertEqual(events.of("watcher.a.stop"), [])
        self.assertEqual(daemon.wire.status("a")[0], "active")

    def test_one_that_was_stopped_for_a_while(self) -> None:
        daemon = self.start("[plugin:writer]\nuse = ours.Writer")
        self.assertTrue(eventually(lambda: "watcher.a.start" in self.told(daemon)))
        daemon.order("restart", name="plugin:writer")
        daemon.order("stop", name="plugin:writer")
        daemon.order("restart", name="a")
        daemon.order("start", name="plugin:writer")
        daemon.order("incr", name="a")
        self.assertTrue(eventually(lambda: "watcher.a.updated" in self.told(daemon)))
        self.assertNotIn("watcher.a.stop", self.told(daemon))

    def test_one_that_does_not_stop(self) -> None:
        daemon = self.start("[plugin:stubborn]\nuse = ours.Stubborn\ngraceful_timeout = 0.3")
        self.assertTrue(eventually((daemon.folder / "stubborn").exists))
        daemon.signal(signal.SIGTERM)
        log = "\n".join(daemon.ended(timeout=10))
        self.assertIn("plugin:stubborn: process", log)
        self.assertIn("was killed by SIGKILL", log)

    def test_it_does_not_outlive_the_daemon(self) -> None:
        daemon = self.start("[plugin:writer]\nuse = ours.Writer")
        self.assertTrue(eventually(lambda: "watcher.a.start" in self.told(daemon)))
        (plugin,) = daemon.wire.pids("plugin:writer")
        daemon.signal(signal.SIGKILL)
        self.assertTrue(gone(plugin))
        self.assertEqual(self.told(daemon)[-1], "stopped")

    def files(self, daemon: Daemon) -> int:
        return len(os.listdir(Path("/proc", str(daemon.pid), "fd")))


if __name__ == "__main__":
    unittest.main()
