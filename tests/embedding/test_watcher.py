"""Watchers as objects: before the start of their arbiter, while it runs, and afterwards."""

from __future__ import annotations

import os
import signal
import sys
import threading
import unittest
from typing import Any

from cvec_circus import exc
from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.process import RUNNING, UNEXISTING, Process
from cvec_circus.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Add
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT


def sleeper(name: str = "w", **options: Any) -> Watcher:
    return Watcher(name=name, cmd="sleep", args=["1000"], **options)


def environment(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/environ") as file:
        return dict(item.partition("=")[::2] for item in file.read().split("\0") if item)


class TestBefore(ArbiterCase):
    """While no arbiter runs, a watcher is its options."""

    def test_options_are_attributes(self) -> None:
        watcher = sleeper(numprocesses="2", stop_signal="INT", **{"flapping.attempts": "3"})
        self.assertEqual(watcher.name, "w")
        self.assertEqual((watcher.cmd, watcher.args), ("sleep", ["1000"]))
        self.assertEqual((watcher.numprocesses, watcher.stop_signal), (2, signal.SIGINT))
        self.assertEqual((watcher.graceful_timeout, watcher.singleton), (30.0, False))
        self.assertEqual(getattr(watcher, "flapping.attempts"), "3")
        self.assertEqual(watcher.stdout_stream_conf, watcher.stdout_stream)
        self.assertFalse(hasattr(watcher, "numproceses"))
        self.assertIn(("numprocesses", 2), watcher.options())
        self.assertEqual(watcher.options("cmd"), [("cmd", "sleep")])
        self.assertEqual((watcher.status(), watcher.pids, len(watcher)), ("stopped", [], 0))
        self.assertTrue(watcher and watcher.is_stopped())
        watcher.numprocesses = 3
        self.assertEqual(watcher.numprocesses, 3)

    def test_what_an_option_does_not_take(self) -> None:
        with self.assertRaisesRegex(exc.OptionError, "numprocesses: 'two' is not a whole number"):
            sleeper(numprocesses="two")
        with self.assertRaisesRegex(exc.OptionError, "numprocesses: a singleton has one process"):
            sleeper(numprocesses=2, singleton=True)
        with self.assertRaises(exc.OptionError):
            sleeper().graceful_timeout = -1
        with self.assertRaisesRegex(TypeError, "loop: .*; leave it out, and write background=True"):
            sleeper(loop=object())  # type: ignore[arg-type]

    def test_none_is_not_given(self) -> None:
        watcher = sleeper(uid=None, stdout_stream=None, env=None, rlimits=None, max_retry=None)
        self.assertEqual((watcher.max_retry, watcher.env), (5, {}))

    def test_orders_without_an_arbiter(self) -> None:
        leave = "; leave it out: the start of an arbiter starts its watchers"
        with self.assertRaisesRegex(exc.SupervisorStopped, f"start: w is in no arbiter{leave}"):
            sleeper().start()
        with self.assertRaisesRegex(exc.SupervisorStopped, "reload: .*; start the arbiter first"):
            sleeper().reload()
        watcher = sleeper()
        self.make(ThreadedArbiter, watcher)
        with self.assertRaisesRegex(exc.SupervisorStopped, f"is not running{leave}"):
            watcher.start()

    def test_environment(self) -> None:
        os.environ["CIRCUS_TEST_LEFT"] = "x"
        self.addCleanup(os.environ.pop, "CIRCUS_TEST_LEFT")
        watcher = sleeper(copy_env=True, env={"A": "1"})
        self.assertEqual((watcher.env["A"], watcher.env["CIRCUS_TEST_LEFT"]), ("1", "x"))
        watcher.env["B"] = "2"
        watcher.env.update(C="3", CIRCUS_TEST_LEFT="y")
        arbiter = self.started(watcher)
        arbiter.start_watchers().result(TIMEOUT)
        # A program that has just begun shows no environment for a moment.
        self.assertTrue(eventually(lambda: "A" in environment(watcher.pids[0])))
        env = environment(watcher.pids[0])
        self.assertEqual([env[key] for key in ("A", "B", "C")], ["1", "2", "3"])
        self.assertEqual((env["CIRCUS_TEST_LEFT"], env["PATH"]), ("y", os.environ["PATH"]))
        shown = dict(watcher.options())["env"]
        self.assertEqual(shown, {"A": "1", "B": "2", "C": "3", "CIRCUS_TEST_LEFT": "y"})

    def test_the_arbiter_has_it_before_the_start(self) -> None:
        low, high = sleeper("low"), sleeper("high", priority=9)
        arbiter = self.make(Arbiter, low, {"cmd": "sleep 1", "priority": 5}, high)
        self.assertIs(arbiter.get_watcher("LOW"), low)
        names = [watcher.name for watcher in arbiter.iter_watchers()]
        self.assertEqual(names, ["high", "sleep", "low"])
        backwards = [watcher.name for watcher in arbiter.iter_watchers(reverse=False)]
        self.assertEqual(backwards, names[::-1])
        self.assertEqual(arbiter.get_watcher("sleep").cmd, "sleep 1")
        self.assertEqual((arbiter.numwatchers(), arbiter.numprocesses()), (3, 0))
        with self.assertRaisesRegex(KeyError, "program none not found"):
            arbiter.get_watcher("none")

    def test_added_and_removed_before_the_start(self) -> None:
        arbiter = self.make(ThreadedArbiter, sleeper(), {"name": "dict", "cmd": "sleep 9"})
        added = arbiter.add_watcher("new", "sleep 1000", numprocesses=2, env={"X": "1"})
        with self.assertRaises(exc.AlreadyExist):
            arbiter.add_watcher("W", "sleep")
        with self.assertRaises(exc.ConfigError):
            arbiter.add_watcher("bad name \n", "")
        arbiter.rm_watcher("w").result(0)
        arbiter.rm_watcher("dict").result(0)
        arbiter.start()
        self.addCleanup(arbiter.stop)
        arbiter.start_watchers().result(TIMEOUT)
        self.assertEqual(arbiter.statuses(), {"new": "active"})
        self.assertEqual(len(added.pids), 2)


class TestRunning(ArbiterCase):
    """Orders and snapshots."""

    def setUp(self) -> None:
        super().setUp()
        self.watcher = sleeper(numprocesses=2)
        self.arbiter = self.started(self.watcher, {"name": "other", "cmd": "sleep 1000"})
        self.arbiter.start_watchers().result(TIMEOUT)

    def test_attributes_are_of_this_moment(self) -> None:
        self.assertEqual((self.watcher.status(), self.watcher.numprocesses), ("active", 2))
        self.assertTrue(self.watcher.is_active())
        self.watcher.incr(2).result(TIMEOUT)
        self.assertEqual((self.watcher.numprocesses, len(self.watcher)), (4, 4))
        self.watcher.env["LOST"] = "1"
        self.watcher.hooks["before_start"] = None
        self.assertNotIn("LOST", self.watcher.env)
        self.assertEqual(self.watcher.hooks, {})

    def test_to_set_an_attribute_is_an_order(self) -> None:
        self.watcher.numprocesses = 1
        self.watcher.env = {"NEW": "1"}
        self.assertTrue(eventually(lambda: self.watcher.numprocesses == 1))
        self.assertTrue(eventually(lambda: "NEW" in self.watcher.env))
        self.watcher.mine = 7
        self.assertEqual(self.watcher.mine, 7)
        with self.assertRaisesRegex(Exception, "numprocesses: 'many' is not a whole number"):
            self.watcher.numprocesses = "many"

    def test_orders_have_results(self) -> None:
        old = self.watcher.pids
        done = self.watcher.restart().result(TIMEOUT)
        self.assertEqual((done["stopped"], done["started"]), (old, self.watcher.pids))
        old = self.watcher.pids
        self.assertEqual(self.watcher.reload().result(TIMEOUT)["stopped"], old)
        self.watcher.reload(sequential=True).result(TIMEOUT)
        self.watcher.reload(graceful=False).result(TIMEOUT)
        self.assertEqual(self.watcher.decr().result(TIMEOUT), 1)
        self.assertIsNone(self.watcher.stop().result(TIMEOUT))
        self.assertTrue(self.watcher.is_stopped())
        done = self.watcher.start().result(TIMEOUT)
        self.assertEqual((len(done["started"]), done["kept"]), (1, []))
        self.watcher.set_numprocesses(3).result(TIMEOUT)
        self.watcher.set_opt("graceful_timeout", 5).result(TIMEOUT)
        self.assertEqual((len(self.watcher), self.watcher.graceful_timeout), (3, 5.0))
        self.watcher.kill_processes("KILL").result(TIMEOUT)

    def test_stopped_and_started_by_name(self) -> None:
        for name in ("w", "W"):
            self.arbiter.get_watcher(name).stop().result(TIMEOUT)
            self.assertEqual(self.arbiter.statuses(), {"w": "stopped", "other": "active"})
            self.arbiter.start_watcher(self.watcher).result(TIMEOUT)
            self.arbiter.start_watcher("other").result(TIMEOUT)
        self.assertIs(self.arbiter.get_watcher("w"), self.watcher)
        self.assertEqual(self.arbiter.numprocesses(), 3)

    def test_an_order_that_is_overtaken(self) -> None:
        # Nothing comes of this signal, so it does not end before its time is up.
        self.watcher.set_options(stop_signal="URG").result(TIMEOUT)
        stop = self.watcher.stop()
        start = self.watcher.start()
        with self.assertRaisesRegex(exc.CircusError, "stop of w abandoned: .* started it"):
            stop.result(TIMEOUT)
        self.arbiter.ask(lambda supervisor: supervisor.roster.hurry())
        self.assertEqual(len(start.result(TIMEOUT)["started"]), 2)

    def test_an_order_that_comes_to_nothing(self) -> None:
        # Its failure is the promise's, however soon it comes.
        missing = self.arbiter.add_watcher("none", "/no/such/program", max_retry=0)
        for _ in range(50):
            with self.assertRaisesRegex(exc.CircusError, "none gave up"):
                starting = missing.start()
                self.assertIsNotNone(starting.exception(TIMEOUT))
                starting.result()

    def test_orders_that_make_no_sense(self) -> None:
        with self.assertRaises(exc.MessageError):
            self.watcher.incr(-1)
        with self.assertRaises(exc.CircusError):
            self.watcher.set_options(numprocesses="two")
        with self.assertRaises(exc.MessageError):
            self.watcher.set_options(numproceses=2)
        with self.assertRaises(exc.MessageError):
            self.watcher.send_signal(1, 999)
        with self.assertRaises(exc.MessageError):
            self.watcher.send_signal(1, "HUP")

    def test_processes(self) -> None:
        processes = self.watcher.processes
        self.assertEqual([one.wid for one in processes.values()], [1, 2])
        self.assertEqual(list(processes), self.watcher.pids)
        first, second = processes.values()
        self.assertEqual((first.name, first.pid), ("w", self.watcher.get_active_pids()[0]))
        self.assertGreater(first.started, 1.7e9)
        self.assertLess(first.age(), 100)
        self.assertEqual((first.status, first.children(), first.is_child(1)), (RUNNING, [], False))
        # In the middle of its exec a process has no command line.
        self.assertTrue(eventually(lambda: first.info()["cmdline"] == "sleep", TIMEOUT))
        self.assertEqual(first.info()["wid"], 1)
        self.assertEqual(self.watcher.info()[second.pid]["wid"], 2)
        self.assertEqual(self.watcher.process_info(first.pid)["pid"], first.pid)
        first.stop().result(TIMEOUT)
        self.assertEqual((first.status, first.is_alive(), first.info()), (UNEXISTING, False, {}))
        with self.assertRaises(exc.MessageError):
            first.send_signal("TERM")
        second.send_signal("KILL")
        self.assertTrue(eventually(lambda: second.pid not in self.watcher.processes))

    def test_each_is_a_process(self) -> None:
        process = self.watcher.get_active_processes()[0]
        self.assertIsInstance(process, Process)
        self.assertIs(process.watcher, self.watcher)
        self.assertEqual((process.cmd, process.args), ("sleep", ["1000"]))
        self.assertEqual((process.env, process.rlimits), (self.watcher.env, {}))
        self.assertEqual((process.working_dir, process.shell), (os.getcwd(), False))
        self.assertEqual((process.uid, process.gid, process.username), (None, None, None))
        self.assertEqual((process.executable, process.use_fds), (None, False))
        self.assertEqual((process.stdout, process.pipe_stdout), (None, False))
        self.assertEqual(process.format_args(), ["sleep", "1000"])
        self.assertEqual(
            (process.poll(), process.returncode, process.is_alive()), (None, None, True)
        )
        process.spawn()
        with self.assertRaisesRegex(exc.GoneError, "stop.*result"):
            process.wait()
        self.watcher.send_signal(process.pid, "KILL")
        self.assertTrue(eventually(lambda: process.poll() == -signal.SIGKILL, TIMEOUT))
        process.close_output_channels()

    def test_signals(self) -> None:
        pid = self.watcher.pids[0]
        self.watcher.send_signal(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: pid not in self.watcher.pids))

    def test_children(self) -> None:
        shell = self.arbiter.add_watcher("sh", "sh", args=["-c", "sleep 1000 & wait; exec sleep 9"])
        self.arbiter.start_watcher(shell).result(TIMEOUT)
        [process] = shell.get_active_processes()
        self.assertTrue(eventually(lambda: len(process.children()) == 1))
        [child] = process.children(recursive=True)
        self.assertTrue(process.is_child(child))
        process.send_signal_child(child, "KILL")
        self.assertTrue(eventually(lambda: not process.is_child(child)))
        process.send_signal_children("TERM")
        shell.send_signal_child(process.pid, child, "TERM")
        shell.send_signal_children(process.pid, "TERM", recursive=True)

    def test_added_and_removed(self) -> None:
        added = self.arbiter.add_watcher("new", "sleep 1000", numprocesses=2)
        self.assertEqual((added.status(), added.numprocesses), ("stopped", 2))
        self.assertIs(self.arbiter.get_watcher("new"), added)
        with self.assertRaises(exc.AlreadyExist):
            self.arbiter.add_watcher("New", "sleep")
        added.start().result(TIMEOUT)
        self.arbiter.rm_watcher("new").result(TIMEOUT)
        with self.assertRaises(KeyError):
            self.arbiter.get_watcher("new")
        with self.assertRaisesRegex(exc.MessageError, "program new not found"):
            added.status()
        with self.assertRaises(KeyError):
            self.arbiter.rm_watcher("new")

    def test_added_by_a_client(self) -> None:
        def add(supervisor: Any) -> None:
            watcher = supervisor.target.new_watcher("wire", {"cmd": "sleep 7"})
            supervisor.target.give(Add(watcher, Cause("command:add")))

        self.arbiter.ask(add)
        self.assertEqual(self.arbiter.get_watcher("wire").cmd, "sleep 7")
        self.assertIn("wire", [watcher.name for watcher in self.arbiter.watchers])

    def test_the_whole_arbiter(self) -> None:
        old = self.watcher.pids
        self.arbiter.reload().result(TIMEOUT)
        self.arbiter.restart().result(TIMEOUT)
        self.assertFalse(set(old) & set(self.watcher.pids))
        self.arbiter.stop_watchers().result(TIMEOUT)
        self.assertEqual(set(self.arbiter.statuses().values()), {"stopped"})

    def test_afterwards(self) -> None:
        self.watcher.incr().result(TIMEOUT)
        [process, *_] = self.watcher.get_active_processes()
        self.arbiter.stop()
        self.assertFalse(process.is_alive())
        self.assertEqual((self.watcher.status(), self.watcher.numprocesses), ("stopped", 2))
        self.watcher.numprocesses = 1
        self.arbiter.start()
        self.arbiter.start_watchers().result(TIMEOUT)
        self.assertEqual(len(self.watcher), 1)

    def test_in_two_arbiters(self) -> None:
        with self.assertRaisesRegex(exc.ConflictError, "w belongs to another arbiter"):
            ThreadedArbiter([self.watcher])
        self.arbiter.stop()
        ThreadedArbiter([self.watcher])

    def test_many_threads(self) -> None:
        errors: list[Exception] = []

        def use(number: int) -> None:
            try:
                for _ in range(20):
                    self.assertIsNotNone(self.watcher.pids or self.watcher.env)
                    getattr(self.watcher, "incr" if number % 2 else "decr")()
                    self.arbiter.statuses()
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])


class TestPrereload(ArbiterCase):
    """What a program does before processes are replaced."""

    def begin(self, **functions: Any) -> None:
        self.called: list[Any] = []
        one = sleeper("one", prereload_fn=functions.get("one"))
        two = sleeper("two", prereload_fn=functions.get("two"))
        self.arbiter = self.started(one, two, prereload_fn=functions.get("arbiter"))
        self.arbiter.start_watchers().result(TIMEOUT)
        self.one, self.two = one, two

    def note(self, subject: Any) -> None:
        self.called.append((subject, threading.current_thread().name))
        self.arbiter.statuses()  # it may ask

    def test_all(self) -> None:
        self.begin(arbiter=self.note, one=self.note)
        old = self.one.pids
        self.arbiter.reload().result(TIMEOUT)
        self.assertEqual(self.called, [(self.arbiter, "prereload"), (self.one, "prereload")])
        self.assertNotEqual(self.one.pids, old)

    def test_one(self) -> None:
        self.begin(arbiter=self.note, one=self.note, two=self.note)
        self.two.reload().result(TIMEOUT)
        self.assertEqual(self.called, [(self.two, "prereload")])

    def test_it_raises(self) -> None:
        self.begin(arbiter=lambda arbiter: 1 / 0)
        old = self.one.pids
        with self.assertLogs("cvec_circus", "ERROR"):
            with self.assertRaisesRegex(exc.CircusError, "prereload_fn raised ZeroDivisionError"):
                self.arbiter.reload().result(TIMEOUT)
        self.assertEqual(self.one.pids, old)

    def test_it_exits(self) -> None:
        self.begin(one=lambda watcher: sys.exit(3))
        with self.assertLogs("cvec_circus", "ERROR"):
            with self.assertRaisesRegex(exc.CircusError, "prereload_fn raised SystemExit"):
                self.one.reload().result(TIMEOUT)

    def test_it_is_removed_or_stopped_meanwhile(self) -> None:
        go = threading.Event()
        self.begin(one=lambda watcher: go.wait(TIMEOUT))
        self.addCleanup(go.set)
        reloading = self.one.reload()
        self.arbiter.rm_watcher("one").result(TIMEOUT)
        go.set()
        reloading.result(TIMEOUT)
        self.assertEqual(self.arbiter.statuses(), {"two": "active"})
        go.clear()

    def test_the_end_overtakes_it(self) -> None:
        go = threading.Event()
        self.begin(one=lambda watcher: go.wait(0.2))
        reloading = self.one.reload()
        self.arbiter.stop()
        self.assertIsInstance(reloading.exception(TIMEOUT), exc.CircusError)


if __name__ == "__main__":
    unittest.main()
