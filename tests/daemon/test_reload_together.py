"""reloadconfig beside other orders, and with plugins."""

from __future__ import annotations

import json
import os
import signal
import unittest
from pathlib import Path

from tests.support import hanging
from tests.support.daemon import Daemon, child, folder, gone
from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.support.reloads import ReloadCase

SLEEP = "cmd = sleep 600\n"
STUBBORN = f"cmd = {child('wait', 'ignore', 'TERM')}\n"

PLUGIN = """
import json, os
from cvec_circus.plugins import CircusPlugin

class Noter(CircusPlugin):
    name = "noter"
    def handle_init(self):
        with open(self.config["file"], "a") as file:
            print(json.dumps([type(self).__name__, self.config["word"]]), file=file)
    def handle_recv(self, data):
        pass

class Other(Noter):
    name = "other"
"""


class TestTogether(ReloadCase):
    """Several orders at a time."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)
        self.hanging = hanging.library(self, self.folder)

    def begin(self, text: str) -> Daemon:
        """Start a daemon in which files can hang."""
        wrapper = hurried({"supervisor.supervisor.CHORES_TIMEOUT": 0.2})
        return self.up(text, env=self.hanging, wrapper=wrapper)

    def hang(self, text: str) -> Path:
        """A file that nobody can open for now."""
        return hanging.hang(self.folder / "hanging.ini", text)

    def test_others_are_answered_while_a_file_is_read(self) -> None:
        daemon = self.begin(f"[watcher:a]\n{SLEEP}")
        path = self.hang(f"[watcher:a]\n{SLEEP}[watcher:b]\n{SLEEP}")
        asking = self.asking()
        first = asking.ask("reloadconfig", path=str(path))
        restart = asking.ask("restart", waiting=True)
        last = asking.ask("reloadconfig", path=self.other(f"[watcher:c]\n{SLEEP}"), waiting=True)
        asking.until(asking.ask("incr", name="a", waiting=True))
        self.assertFalse(asking.answered(first) or asking.answered(restart))
        hanging.let_go(path)
        answers = asking.until(first, restart, last)
        self.assertEqual([one["status"] for one in (answers[0], answers[2])], ["ok"] * 2)
        # What it waits for has been removed by the next one, if that was quicker.
        self.assertIn(" removed it", answers[1].get("reason", " removed it"))
        self.assertTrue(eventually(lambda: self.statuses() == {"c": "active"}))
        topics = [topic for topic, _ in daemon.call("events", since=0)["events"]]
        self.assertLess(topics.index("watcher.b.add"), topics.index("watcher.a.stop"))
        self.assertLess(topics.index("watcher.a.stop"), topics.index("watcher.c.add"))

    def test_no_client_waits_for_what_another_one_sends(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}[watcher:none]\n{SLEEP}numprocesses = 0\n")
        for _ in range(5):
            asking = self.asking()
            commands = ("restart", "restart", "reloadconfig") * 2
            asking.until(*[asking.ask(command, waiting=True) for command in commands])

    def test_time_is_up_while_a_file_is_read(self) -> None:
        daemon = self.begin(f"[watcher:a]\n{SLEEP}")
        path = self.hang(f"[watcher:b]\n{SLEEP}")
        for waiting in (True, False):
            reason = daemon.wire.refused(
                "reloadconfig", path=str(path), waiting=waiting, timeout=0.2
            )
            self.assertIn("timed out after 0.2 s: nothing has changed", reason)
        hanging.let_go(path)
        self.assertFalse(self.reload()["changes"])
        self.assertEqual(self.statuses(), {"a": "active"})

    def test_the_end_comes_while_a_file_is_read(self) -> None:
        daemon = self.begin(f"[watcher:a]\n{STUBBORN}graceful_timeout = 600\n")
        daemon.out.until("ready")
        [pid] = self.pids("a")
        path, asking = self.hang(f"[watcher:b]\n{SLEEP}"), self.asking()
        first, second = asking.ask("reloadconfig", path=str(path)), asking.ask("reloadconfig")
        asking.until(asking.ask("ping"))
        daemon.signal(signal.SIGTERM)
        for answer in asking.until(first, second):
            self.assertEqual(answer["reason"], "arbiter is stopping")
        hanging.let_go(path)
        self.assertEqual(daemon.wire.refused("reloadconfig"), "arbiter is stopping")
        os.kill(pid, signal.SIGKILL)
        daemon.ended()

    def test_the_end_does_not_wait_for_a_file(self) -> None:
        daemon = self.begin(f"[watcher:a]\n{SLEEP}")
        path, asking = self.hang(f"[watcher:b]\n{SLEEP}"), self.asking()
        first = asking.ask("reloadconfig", path=str(path))
        asking.until(asking.ask("ping"))
        daemon.signal(signal.SIGTERM)
        [answer] = asking.until(first)
        self.assertEqual(answer["status"], "error")
        daemon.ended()

    def test_everything_else_goes_on_while_a_file_hangs(self) -> None:
        daemon = self.begin(f"[watcher:a]\n{SLEEP}min_uptime = 0\n")
        asking = self.asking()
        asking.ask("reloadconfig", path=str(self.hang("")))
        stats = daemon.call("stats", name="a")["info"]
        self.assertEqual(list(map(int, stats)), self.pids("a"))
        daemon.call("add", name="b", cmd="sleep 600", options={"uid": os.getuid()}, start=True)
        daemon.order("set", name="b", options={"gid": os.getgid()})
        daemon.order("signal", name="a", signum="KILL", recursive=True)
        daemon.wire.events.next("reap")
        daemon.order("restart", name="b")
        daemon.order("stop", name="a")

    def test_only_regular_files_are_read(self) -> None:
        self.up(f"[watcher:a]\n{SLEEP}")
        fifo = self.folder / "fifo.ini"
        os.mkfifo(fifo)
        with self.within(20.0):
            for path in (fifo, "/dev/zero", "/dev/stdin", self.served.folder / "control"):
                reason = self.served.wire.refused("reloadconfig", path=str(path))
                self.assertIn(f"{path}: cannot be read: not a regular file", reason)
        self.assertFalse(self.reload()["changes"])

    def test_during_a_sequential_reload(self) -> None:
        text = f"[watcher:a]\n{SLEEP}numprocesses = 3\n"
        self.up(text)
        before, asking = self.pids("a"), self.asking()
        asking.ask("reload", sequential=True)
        self.reload(text.replace("= 3", "= 4") + "[env]\nX = 1\n")
        self.assertTrue(gone(*before))
        self.assertTrue(eventually(lambda: len(self.pids("a")) == 4))

    def test_all_has_changed_when_it_is_answered(self) -> None:
        daemon = self.up(f"[watcher:a]\n{STUBBORN}graceful_timeout = 600\n")
        daemon.out.until("ready")
        [old] = self.pids("a")
        self.write(f"[watcher:a]\n{SLEEP}graceful_timeout = 600\n")
        asking = self.asking()
        waiting = asking.ask("reloadconfig", waiting=True)
        asking.until(asking.ask("reloadconfig"))
        self.assertFalse(asking.answered(waiting))
        os.kill(old, signal.SIGKILL)
        [answer] = asking.until(waiting)
        self.assertEqual(answer["info"]["stopped"], [old])
        self.assertEqual(answer["info"]["started"], self.pids("a"))

    def test_another_order_comes_between(self) -> None:
        daemon = self.up(f"[watcher:a]\n{STUBBORN}graceful_timeout = 600\n")
        daemon.out.until("ready")
        [old] = self.pids("a")
        self.write(f"[watcher:a]\n{SLEEP}graceful_timeout = 600\n")
        asking = self.asking()
        waiting = asking.ask("reloadconfig", waiting=True)
        asking.until(asking.ask("reloadconfig"))
        daemon.call("stop", name="a")
        [answer] = asking.until(waiting)
        self.assertIn("of a abandoned: ", answer["reason"])
        os.kill(old, signal.SIGKILL)

    def test_a_name_can_be_used_again_at_once(self) -> None:
        daemon = self.up(f"[watcher:a]\n{STUBBORN}graceful_timeout = 600\n[watcher:b]\n{SLEEP}")
        daemon.out.until("ready")
        [old] = self.pids("a")
        self.write(f"[watcher:b]\n{SLEEP}")
        daemon.call("reloadconfig")
        daemon.call("add", name="a", cmd="sleep 600", start=True)
        os.kill(old, signal.SIGKILL)
        self.assertTrue(eventually(lambda: self.statuses()["a"] == "active"))


class TestPlugins(ReloadCase):
    """Plugins."""

    def noted(self) -> list[list[str]]:
        path = self.served.folder / "noted"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def text(self, name: str = "Noter", word: str = "one", env: str = "") -> str:
        return (
            f"[watcher:a]\n{SLEEP}[plugin:noter]\nuse = noting.{name}\nfile = {{DIR}}/noted\n"
            f"word = {word}\n[env:plugin:*]\nPYTHONPATH = {{DIR}}\n{env}"
        )

    def test_a_plugin(self) -> None:
        self.up(
            self.text(),
            prepare=lambda folder: (folder / "noting.py").write_text(PLUGIN, encoding="utf-8"),
        )
        wanted = [["Noter", "one"]]
        self.assertTrue(eventually(lambda: self.noted() == wanted))
        self.assertFalse(self.reload(self.text())["changes"])
        a = self.pids("a")
        for name, word in (("Noter", "two"), ("Other", "two")):
            [step] = self.reload(self.text(name, word))["plugins"]
            self.assertEqual((step["name"], step["processes"]), ("plugin:noter", "replace"))
            wanted.append([name, word])
            self.assertTrue(eventually(lambda: self.noted() == wanted), (self.noted(), wanted))
        self.reload(self.text("Other", "two", "X = 1\n"))
        wanted.append(["Other", "two"])
        self.assertTrue(eventually(lambda: self.noted() == wanted))
        [step] = self.reload(f"[watcher:a]\n{SLEEP}")["plugins"]
        self.assertEqual(step["action"], "remove")
        self.assertEqual(self.statuses(), {"a": "active"})
        [step] = self.reload(self.text())["plugins"]
        self.assertEqual((step["action"], step["processes"]), ("add", "start"))
        wanted.append(["Noter", "one"])
        self.assertTrue(eventually(lambda: self.noted() == wanted))
        self.assertEqual(self.pids("a"), a)


if __name__ == "__main__":
    unittest.main()
