"""The plugins of the cookbook, each with a real arbiter and real processes."""

from __future__ import annotations

import configparser
import contextlib
import datetime
import json
import os
import re
import signal
import socket
import sqlite3
import sys
import textwrap
import time
import unittest
from typing import Any, ClassVar
from unittest import mock

from cvec_circus.runtime.catalogue import summary
from cvec_circus.runtime.inspection import look
from cvec_circus.testing import ArbiterTestCase
from tests.test_docs import DOCS, module_of

COOKBOOK = DOCS / "examples" / "cookbook"
SLEEP = {"cmd": "sleep 3600", "graceful_timeout": 5}


def recipe(name: str) -> Any:
    """Return the class of a recipe."""
    class_name = "".join(word.title() for word in name.split("_"))
    return getattr(module_of(COOKBOOK / f"{name}.py"), class_name)


class RecipeCase(ArbiterTestCase):
    """An arbiter with a watcher "web" of one process."""

    watchers: ClassVar = ({"name": "web", **SLEEP},)

    def pid(self, name: str = "web") -> int:
        """The one process of a watcher."""
        [pid] = self.call("list", name=name)["pids"]
        return pid

    def status(self, name: str) -> str:
        return self.call("status", name=name)["status"]

    def run_recipe(self, name: str, **config: Any) -> Any:
        """Run one with options as a file has them."""
        return self.run_plugin(recipe(name), **{key: str(one) for key, one in config.items()})


class TestRecipes(RecipeCase):
    def test_reload_on_change(self) -> None:
        source = self.folder / "program.py"
        source.write_text("1")
        pattern = self.folder / "*.py"
        before = self.pid()
        self.run_recipe("reload_on_change", watcher="web", files=pattern, interval="0.02")
        os.utime(source, (1, 1))
        self.wait_event("watcher.web.reload")
        self.assertNotEqual(self.pid(), before)

    def test_pid_map(self) -> None:
        file = self.folder / "pids.prom"
        plugin = self.run_recipe("pid_map", file=file)
        line = 'cvec_circus_process{{watcher="web",pid="{}"}} 1\n'
        self.assertEqual(file.read_text(), line.format(self.pid()))
        self.call("incr", name="web", waiting=True)
        self.kill_and_wait("web")
        self.catch_up(plugin)
        pids = self.call("list", name="web")["pids"]
        self.assertEqual(file.read_text(), "".join(map(line.format, pids)))
        self.call("rm", name="web", waiting=True)
        self.catch_up(plugin)
        self.assertEqual(file.read_text(), "")
        self.assertEqual(list(self.folder.glob("*.new")), [])

    def test_death_alert(self) -> None:
        told = self.folder / "told"
        command = f"""sh -c 'echo "$@" >{told}.new && mv {told}.new {told}' sh"""
        plugin = self.run_recipe("death_alert", command=command)
        pid = self.pid()
        self.call("restart", name="web", waiting=True)
        self.catch_up(plugin)
        self.assertFalse(told.exists(), "somebody has asked for that")
        pid = self.pid()
        self.kill_and_wait(pid)
        self.wait_until(told.exists)
        self.assertEqual(told.read_text(), f"web {pid} -9\n")

    def test_death_alert_that_fails(self) -> None:
        self.run_recipe("death_alert", command="sh -c 'exit 3'")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.kill_and_wait("web")
            self.wait_until(lambda: any("the alert has failed" in each for each in logs.output))

    def test_nightly_restart(self) -> None:
        plugin_class = recipe("nightly_restart")
        before = self.pid()
        clock = mock.Mock(wraps=datetime.datetime)
        clock.now.side_effect = [
            datetime.datetime(2030, 1, 1, 3, 59, 58, 900_000),
            datetime.datetime(2030, 1, 1, 3, 59, 59, 999_999),
        ]
        with mock.patch.dict(plugin_class.plan.__globals__, {"datetime": clock}):
            self.run_plugin(plugin_class, watcher="web")
            self.wait_event("watcher.web.start", cause="command:restart")
            self.assertNotEqual(self.pid(), before)
            self.wait_until(lambda: clock.now.call_count == 2)

    def test_nightly_restart_when_summer_time_ends(self) -> None:
        """That day has 25 hours, and is to have one restart."""
        plan = recipe("nightly_restart").plan
        plugin = mock.Mock(at=datetime.time(3, 30))
        clock = mock.Mock(wraps=datetime.datetime)
        clock.now.return_value = datetime.datetime(2030, 10, 26, 3, 30)
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}):
            time.tzset()
            with mock.patch.dict(plan.__globals__, {"datetime": clock}):
                plan(plugin)
        plugin.loop.call_later.assert_called_once_with(25 * 3600.0, plugin.restart)

    def test_canary(self) -> None:
        plugin = self.run_recipe("canary", deaths=2)
        self.call("set", name="web", options={"numprocesses": 3}, waiting=True)
        self.kill_and_wait("web")
        self.catch_up(plugin)
        self.assertEqual(self.call("numprocesses", name="web")["numprocesses"], 3)
        os.kill(self.call("list", name="web")["pids"][0], signal.SIGKILL)
        self.wait_event("watcher.web.updated", numprocesses=2, reason="2 deaths at once")

    def test_event_database(self) -> None:
        file = self.folder / "events.db"
        plugin = self.run_recipe("event_database", file=file)
        pid = self.pid()
        self.kill_and_wait(pid)
        self.catch_up(plugin)
        self.stop_plugin(plugin)
        with contextlib.closing(sqlite3.connect(file)) as database:
            query = "SELECT watcher, action, message FROM events WHERE pid = ? AND action = 'reap'"
            [(watcher, action, message)] = database.execute(query, (pid,)).fetchall()
        self.assertEqual((watcher, action), ("web", "reap"))
        self.assertEqual(json.loads(message)["exit_code"], -9)

    def test_heartbeat(self) -> None:
        file = self.folder / "alive"
        plugin = self.run_recipe("heartbeat", file=file, interval="0.02")
        self.wait_until(file.exists)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.call("stop", name="web", waiting=True)
            self.wait_until(lambda: any("no heartbeat: web" in each for each in logs.output))
        self.stop_plugin(plugin)
        file.unlink()
        self.run_recipe("heartbeat", file=file, interval="0.02", only="web")
        self.call("start", name="web", waiting=True)
        self.wait_until(file.exists)

    def test_feed(self) -> None:
        plugin = self.run_recipe("feed", port=0)
        with socket.create_connection(plugin.listener.getsockname()) as reader:
            self.wait_until(lambda: plugin.readers)
            reader.settimeout(self.timeout)
            with reader.makefile() as lines:
                self.call("incr", name="web", waiting=True)
                topic, message = next(iter(lines)).split(" ", 1)
                self.assertEqual(topic, "watcher.web.updated")
                self.assertEqual(json.loads(message)["watcher"], "web")
        self.call("incr", name="web", waiting=True)
        self.call("incr", name="web", waiting=True)
        self.wait_until(lambda: not plugin.readers)

    def test_feed_for_one_who_does_not_read(self) -> None:
        """Who has got half a line gets no other one after it."""
        kept, theirs = socket.socketpair()
        plugin = mock.Mock(readers=[theirs])
        with kept, theirs:
            while plugin.readers:
                recipe("feed").handle_recv(plugin, (b"topic", b"x" * 10_000))
            blocks = iter(lambda: kept.recv(1 << 16), b"")
            lines = b"".join(blocks).split(b"\n")
        self.assertEqual(set(lines[:-1]), {b"topic " + b"x" * 10_000})


class TestNamesWithBlanks(RecipeCase):
    watchers: ClassVar = ({"name": "Big One", **SLEEP},)

    def test_pid_map(self) -> None:
        file = self.folder / "pids.prom"
        plugin = self.run_recipe("pid_map", file=file)
        self.kill_and_wait("Big One")
        self.catch_up(plugin)
        line = f'cvec_circus_process{{watcher="Big One",pid="{self.pid("Big One")}"}} 1\n'
        self.assertEqual(file.read_text(), line)


class TestTogether(RecipeCase):
    watchers: ClassVar = ({"name": "web", **SLEEP}, {"name": "worker", **SLEEP})

    def test_it(self) -> None:
        plugin = self.run_recipe("together", first="web", then="worker")
        worker = self.pid("worker")
        self.kill_and_wait("web")
        self.catch_up(plugin)
        self.assertEqual(self.pid("worker"), worker)
        for order in ("restart", "reload"):
            self.call(order, name="web", waiting=True)
            self.wait_event("watcher.worker.start", cause="command:restart")
            self.assertNotEqual(self.pid("worker"), worker)


class TestStandIn(RecipeCase):
    watchers: ClassVar = (
        {"name": "web", "cmd": "sleep 3600", "max_retry": 0, "graceful_timeout": 5},
        {"name": "sorry", "autostart": False, **SLEEP},
    )

    def test_it(self) -> None:
        self.run_recipe("stand_in", watcher="web", stand_in="sorry")
        self.assertEqual(self.status("sorry"), "stopped")
        missing = {"cmd": "/nowhere/at/all"}
        self.call("set", name="web", options=missing)
        self.client.send_message("restart", name="web", waiting=True)
        self.wait_event("watcher.web.giveup")
        self.wait_event("watcher.sorry.start")
        self.call("set", name="web", options={"cmd": "sleep 3600"}, waiting=True)
        self.call("start", name="web", waiting=True)
        self.wait_event("watcher.sorry.stop")


class TestPage(unittest.TestCase):
    """What the page says of them."""

    def test_they_are_short(self) -> None:
        files = sorted(COOKBOOK.glob("*.py"))
        self.assertEqual(len(files), 10)
        for path in files:
            self.assertLess(len(path.read_text().splitlines()), 30, path.name)
            self.assertTrue(summary(recipe(path.stem)), path.name)

    def test_their_sections(self) -> None:
        page = (DOCS / "cookbook.rst").read_text(encoding="utf-8")
        blocks = re.findall(r"^\.\. code-block:: ini\n\n((?:    ?.*\n|\n)+)", page, re.MULTILINE)
        sections = configparser.RawConfigParser()
        sections.read_string("".join(map(textwrap.dedent, blocks)))
        seen = set()
        with mock.patch.object(sys, "path", [str(COOKBOOK.parent), *sys.path]):
            for name in sections.sections():
                config = dict(sections[name])
                use = config.pop("use")
                found = look(use, config, {})
                nothing = {"unusable": "", "problems": [], "unknown": [], "own": []}
                self.assertEqual(found, nothing, name)
                seen.add(use.split(".")[1])
        self.assertEqual(seen, {path.stem for path in COOKBOOK.glob("*.py")})

    def tearDown(self) -> None:
        for name in [each for each in sys.modules if each.split(".")[0] == "cookbook"]:
            del sys.modules[name]


if __name__ == "__main__":
    unittest.main()
