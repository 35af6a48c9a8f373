"""The test case for programs with an arbiter: what it gives, and what it does not let pass."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from typing import Any, ClassVar

from cvec_circus import exc
from cvec_circus.plugins import CircusPlugin
from cvec_circus.testing import ArbiterTestCase, Event
from cvec_circus.watcher import Watcher
from tests.support.leaks import LeakCheckedTestCase

SLEEP = {"name": "web", "cmd": "sleep 1000", "numprocesses": 2}


class Recorder(CircusPlugin):
    """Notes on which threads it is called, and what with."""

    name = "recorder"

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.called: list[tuple[str, str]] = []
        self.actions: list[str] = []

    def note(self, what: str) -> None:
        self.called.append((what, threading.current_thread().name))

    def handle_init(self) -> None:
        self.note("init")
        if self.config.get("init"):
            raise LookupError("no init")

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        _, action, _ = self.split_data(data)
        self.actions.append(action)
        if action == self.config.get("fault"):
            raise LookupError(f"no {action}")
        if action == self.config.get("quits"):
            self.stop()

    def handle_stop(self) -> None:
        self.note("stop")
        self.statuses = self.call("status")["statuses"]
        self.alive = [t.name for t in threading.enumerate() if t.name == "plugin:recorder"]


class Strict(CircusPlugin):
    """Has a schema, and keeps the arguments of its constructor."""

    schema: ClassVar = {"tries": "integer", "loud": "boolean(default=off)"}

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.arguments = config

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Do nothing."""


class TestArbiter(ArbiterTestCase):
    """An arbiter for each test."""

    watchers = (SLEEP, Watcher("other", "sleep", "999"))
    sockets = ({"name": "s", "host": "127.0.0.1", "port": 0},)
    arbiter_options: ClassVar[dict[str, Any]] = {"check_delay": 0.5}

    def test_it_runs(self) -> None:
        self.assertEqual(self.arbiter.statuses(), {"web": "active", "other": "active"})
        self.assertEqual(self.call("numprocesses", name="web")["numprocesses"], 2)
        self.assertEqual(self.arbiter.check_delay, 0.5)
        self.assertEqual(self.refused("stop", name="none"), "program none not found")
        self.assertTrue(self.folder.is_dir())

    def test_commands_that_surprise(self) -> None:
        with self.assertRaisesRegex(AssertionError, "stop .* was refused: program none not found"):
            self.call("stop", name="none")
        with self.assertRaisesRegex(AssertionError, "status  was not refused"):
            self.refused("status")

    def test_events(self) -> None:
        first = self.wait_event("watcher.web.spawn")
        second = self.wait_event("watcher.web.spawn", wid=2)
        self.assertIsInstance(first, Event)
        self.assertLess(first.payload["seq"], second.payload["seq"])
        self.call("stop", name="web")
        topic, payload = self.wait_event("watcher.web.", cause="command:stop", exit_code=-15)
        self.assertEqual((topic, payload["watcher"]), ("watcher.web.reap", "web"))
        self.wait_event("watcher.web.stop")
        said = r"no watcher.web within 0.01 s; the last events:\n(.*\n)*watcher.web.stop "
        with self.assertRaisesRegex(AssertionError, said):
            self.wait_event("watcher.web", timeout=0.01)

    def test_a_death(self) -> None:
        old = self.call("list", name="web")["pids"]
        new = self.kill_and_wait("web")
        self.assertEqual(self.call("list", name="web")["pids"], [new, old[1]])
        newer = self.kill_and_wait(old[1], signal.SIGTERM)
        self.assertEqual(self.wait_event("watcher.web.reap").payload["process_pid"], old[0])
        reaped = self.wait_event("watcher.web.reap").payload
        self.assertEqual((reaped["exit_code"], reaped["cause"]), (-15, "exit"))
        self.assertEqual(self.call("list", name="web")["pids"], [new, newer])

    def test_a_death_without_a_successor(self) -> None:
        self.call("add", name="once", cmd="sleep 9", options={"respawn": False}, start=True)
        self.wait_event("watcher.once.spawn")
        self.assertIsNone(self.kill_and_wait("once"))
        with self.assertRaisesRegex(AssertionError, "once has no process"):
            self.kill_and_wait("once")
        with self.assertRaisesRegex(AssertionError, "no watcher has a process 1"):
            self.kill_and_wait(1)

    def test_waiting(self) -> None:
        numbers = iter(range(9))
        self.wait_until(lambda: next(numbers) == 5)
        with self.assertRaisesRegex(AssertionError, "never: not true within 0.01 s"):
            self.wait_until(lambda: False, "never", timeout=0.01)


class TestPlugin(ArbiterTestCase):
    """A plugin in the test's process."""

    watchers = (SLEEP,)

    def test_its_threads(self) -> None:
        plugin = self.run_plugin(Recorder, colour="red")
        self.assertEqual(plugin.called, [("init", "plugin:recorder")])
        self.assertEqual(plugin.config, {"name": "plugin:recorder", "colour": "red"})
        self.assertEqual(plugin.check_delay, 1.0)
        self.kill_and_wait("web")
        self.catch_up(plugin)
        self.assertEqual(plugin.actions, ["reap", "spawn"])
        self.stop_plugin(plugin)
        self.stop_plugin(plugin)
        self.assertEqual(plugin.called[1:], [("stop", threading.main_thread().name)])
        self.assertEqual(plugin.statuses, {"web": "active"})
        self.assertEqual(plugin.alive, ["plugin:recorder"])
        self.kill_and_wait("web")
        self.assertEqual(plugin.actions, ["reap", "spawn"])

    def test_its_options(self) -> None:
        plugin = self.run_plugin(Strict, tries="3")
        self.assertEqual(plugin.arguments, {"name": "plugin:Strict", "tries": 3, "loud": False})
        with self.assertRaisesRegex(exc.OptionError, "tries: 'x' is not a whole number"):
            self.run_plugin(Strict, tries="x")

    def test_two_at_once(self) -> None:
        plugins = [self.run_plugin(Recorder, name=name) for name in ("a", "b")]
        self.call("stop", name="web")
        for plugin in plugins:
            self.wait_until(lambda plugin=plugin: "stop" in plugin.actions)

    def test_one_that_ends_itself(self) -> None:
        plugin = self.run_plugin(Recorder, quits="reap")
        self.kill_and_wait("web")
        self.stop_plugin(plugin)
        self.assertEqual(plugin.actions, ["reap"])
        self.assertEqual(plugin.called[-1], ("stop", threading.main_thread().name))

    def test_faults_that_are_expected(self) -> None:
        plugin = self.run_plugin(Recorder, fault="reap")
        self.kill_and_wait("web")
        self.catch_up(plugin)
        self.assertEqual(len(self.plugin_faults), 1)
        self.assertIn("LookupError('no reap')", self.plugin_faults[0])
        self.plugin_faults.clear()

    def test_one_that_cannot_begin(self) -> None:
        with self.assertRaisesRegex(exc.PluginError, "no init"):
            self.run_plugin(Recorder, init="bad")
        with self.assertRaisesRegex(exc.PluginError, "does not implement handle_recv"):
            self.run_plugin(CircusPlugin)
        with self.assertRaisesRegex(ValueError, "is not active"):
            self.run_plugin(Recorder, active=False)

    def test_as_the_daemon_runs_it(self) -> None:
        self.assertNotIn("plugin:recorder", self.arbiter.statuses())


class TestPerClass(ArbiterTestCase):
    """One arbiter for all tests of the class."""

    per_class = True
    watchers = (SLEEP,)
    arbiters: ClassVar[set[Any]] = set()

    def test_one(self) -> None:
        self.arbiters.add(self.arbiter)
        self.kill_and_wait("web")
        self.wait_event("watcher.web.spawn")

    def test_two(self) -> None:
        self.arbiters.add(self.arbiter)
        self.kill_and_wait("web")
        self.wait_event("watcher.web.reap")
        self.assertEqual(len(self._events.seen), 2)

    def test_they_are_one(self) -> None:
        self.arbiters.add(self.arbiter)
        self.assertEqual(len(self.arbiters), 1)


class TestWhatIsNotLetPass(LeakCheckedTestCase):
    """Tests that leave something behind, run as tests, fail with its name."""

    def setUp(self) -> None:
        super().setUp()
        self.free: list[Any] = []

    def run_case(self, body: Any, **attributes: Any) -> list[str]:
        """Run a test with that body, and return what its failures say."""

        def test(case: Any) -> None:
            body(case)

        attributes = {"watchers": (SLEEP,), "leak_timeout": 0.2, "test": test, **attributes}
        case = type("Case", (ArbiterTestCase,), attributes)
        result = unittest.TestResult()
        unittest.TestSuite([case("test")]).run(result)
        return [text for _, text in (*result.failures, *result.errors)]

    def only(self, texts: list[str], *wanted: str) -> None:
        self.assertEqual(len(texts), 1, "\n".join(texts))
        for text in wanted:
            self.assertIn(text, texts[0])

    def test_nothing(self) -> None:
        self.assertEqual(self.run_case(lambda case: case.kill_and_wait("web")), [])

    def test_a_thread(self) -> None:
        go = threading.Event()
        thread = threading.Thread(target=go.wait, name="forgotten one")
        self.only(self.run_case(lambda case: thread.start()), "left behind: thread forgotten one")
        go.set()
        thread.join()

    def test_a_file_and_a_child(self) -> None:
        def body(case: Any) -> None:
            self.free.append(socket.create_server(("127.0.0.1", 0)))
            self.free.append(subprocess.Popen(["sleep", "1000"]))

        texts = self.run_case(body)
        opened, child = self.free
        child_name = f"child {child.pid}: sleep 1000"
        self.only(texts, "left behind:", child_name, f"fd {opened.fileno()}: socket:")
        opened.close()
        child.kill()
        child.wait()

    def test_a_child_that_nobody_has_collected(self) -> None:
        def body(case: Any) -> None:
            self.free.append(subprocess.Popen(["true"]))

        self.only(self.run_case(body), f"child {self.free_pid()}: has ended")
        self.free[0].wait()

    def test_what_was_there_before_may_change(self) -> None:
        child = subprocess.Popen(["sleep", "1000"])
        go = threading.Event()
        thread = threading.Thread(target=go.wait, name="before")
        thread.start()

        def body(case: Any) -> None:
            child.kill()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            thread.name = "another"

        self.assertEqual(self.run_case(body), [])
        child.wait()
        go.set()
        thread.join()

    def free_pid(self) -> str:
        return "" if not self.free else str(self.free[0].pid)

    def test_a_temporary_file(self) -> None:
        def body(case: Any) -> None:
            (case.folder / "of the test's own").touch()
            os.close(tempfile.mkstemp(prefix="left-")[0])

        before = tempfile.tempdir, os.environ.get("TMPDIR")
        self.only(self.run_case(body), "left behind: file left-")
        self.assertEqual((tempfile.tempdir, os.environ.get("TMPDIR")), before)

    def test_in_a_class(self) -> None:
        go = threading.Event()
        thread = threading.Thread(target=go.wait, name="forgotten one")
        texts = self.run_case(lambda case: thread.start(), per_class=True)
        self.only(texts, "left behind: thread forgotten one")
        go.set()
        thread.join()

    def test_what_a_plugin_raises(self) -> None:
        def body(case: Any) -> None:
            plugin = case.run_plugin(Recorder, fault="reap")
            case.kill_and_wait("web")
            case.catch_up(plugin)

        self.only(self.run_case(body), "the plugin raised: plugin:recorder", "no reap")

    def test_a_plugin_that_hangs_in_init(self) -> None:
        go = threading.Event()
        slow = type("Slow", (Recorder,), {"handle_init": lambda plugin: go.wait(1.0)})
        texts = self.run_case(lambda case: case.run_plugin(slow), timeout=0.5)
        self.only(texts, "handle_init has not returned within 0.5 s")

    def test_a_test_that_fails_by_itself(self) -> None:
        texts = self.run_case(lambda case: case.fail("by itself"))
        self.only(texts, "by itself")

    def test_an_arbiter_that_cannot_be_made(self) -> None:
        texts = self.run_case(lambda case: None, watchers=({"name": "w"},))
        self.only(texts, "[watcher:w] cmd: missing")


if __name__ == "__main__":
    unittest.main()
