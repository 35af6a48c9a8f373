"""Hooks by themselves: who calls them, how long they may take, what becomes of their answer."""

from __future__ import annotations

import os
import queue
import sys
import threading
import unittest
from typing import Any
from unittest import mock

from cvec_circus.base import complaints
from cvec_circus.base.thread import Worker
from cvec_circus.core.facts import Answered
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor.launching import Template
from tests.supervisor.hook_case import PATIENCE, Gate, HooksCase
from tests.support.eventually import eventually
from tests.support.idle_tornado import Timers, needs_tornado


class TestAnswers(HooksCase):
    def test_what_a_hook_gets(self) -> None:
        got: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def hook(**given: Any) -> bool:
            got.put((threading.current_thread().name, given))
            return True

        watcher = self.watcher(hooks={"after_spawn": hook})
        self.assertEqual(self.asked(watcher, "after_spawn", pid=5), "")
        thread, given = got.get(timeout=PATIENCE)
        self.assertEqual(thread, "hooks:web")
        self.assertEqual(sorted(given), ["arbiter", "hook_name", "pid", "watcher"])
        self.assertEqual((given["hook_name"], given["pid"]), ("after_spawn", 5))
        self.assertEqual(given["arbiter"], "the arbiter")
        self.assertEqual(self.about, [watcher])
        self.assertEqual(self.threads, {self.loop_thread.name})
        expected = {"watcher": "web", "action": "hook_success", "name": "after_spawn"}
        self.assertEqual(self.events, [expected])

    def test_what_the_core_does_not_know_is_added(self) -> None:
        got: queue.SimpleQueue[Any] = queue.SimpleQueue()
        hooks = {name: lambda **given: got.put(given) for name in ("before_reap", "after_reap")}
        watcher = self.watcher(hooks=hooks)
        before = self.loop.clock.time()
        self.tell(watcher, "before_reap", process_pid=5)
        self.tell(watcher, "after_reap", process_pid=5, exit_code=1)
        first, second = got.get(timeout=PATIENCE), got.get(timeout=PATIENCE)
        self.assertLessEqual(before, first["time"])
        self.assertNotIn("process_status", first)
        self.assertEqual((second["process_status"], second["exit_code"]), (2, 1))

    def test_an_answer_that_nothing_depends_on_is_an_event_only(self) -> None:
        watcher = self.watcher(
            hooks={"after_stop": lambda **_: False, "before_start": lambda **_: 1}
        )
        self.tell(watcher, "after_stop")
        self.assertEqual(self.asked(watcher, "before_start"), "")  # comes after it
        self.assertEqual(self.about, [watcher])
        names = [event["name"] for event in self.events]
        self.assertEqual(names, ["after_stop", "before_start"])

    def test_on_whose_behalf_it_acts(self) -> None:
        actors: list[str] = []
        hook = lambda **_: actors.append(self.callers[watcher].actor) or True  # noqa: E731
        watcher = self.watcher(hooks={"before_start": hook, "after_start": hook})
        self.asked(watcher, "before_start")
        self.asked(watcher, "after_start")
        self.assertEqual(actors, ["hook:before_start", "hook:after_start"])
        self.assertTrue(eventually(lambda: self.callers[watcher].actor == ""))

    def test_truth(self) -> None:
        for result, reason in (
            (1, ""),
            ("no", ""),
            ([0], ""),
            (0, "hook before_start said no"),
            ("", "hook before_start said no"),
            (None, "hook before_start said no"),
        ):
            with self.subTest(result):
                watcher = self.watcher(hooks={"before_start": lambda result=result, **_: result})
                self.assertEqual(self.asked(watcher, "before_start"), reason)
                self.assertEqual(self.events.pop()["action"], "hook_success")

    def test_none_is_told_where_it_decides(self) -> None:
        watcher = self.watcher(hooks={"before_start": lambda **_: None, "after_stop": print_none})
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            self.asked(watcher, "before_start")
            self.asked(watcher, "after_stop")
        (said,) = caught.output
        self.assertIn("web: hook before_start (", said)
        self.assertIn("has returned None, which is a no", said)

    @needs_tornado
    def test_a_timer_of_tornado_is_told_once(self) -> None:
        timers = Timers(self)
        watcher = self.watcher(hooks={"before_start": lambda **_: timers.begin() or True})
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            for _ in range(2):
                self.assertEqual(self.asked(watcher, "before_start"), "")
        (said,) = caught.output
        self.assertIn("hook before_start: tornado has calls to make on a loop that is not", said)

    def test_failures(self) -> None:
        def division(**_: Any) -> Any:
            return 1 / 0

        def leave(**_: Any) -> Any:
            sys.exit(3)

        class Odd:
            def __bool__(self) -> bool:
                raise KeyboardInterrupt

        class SilentError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        def silent(**_: Any) -> Any:
            raise SilentError

        async def later(**_: Any) -> bool:
            return True

        for hook, reason, error in (
            (division, "ZeroDivisionError: division by zero", "division by zero"),
            (leave, "it has called sys.exit(3)", "3"),
            (lambda: True, "TypeError: ", ""),
            (silent, "SilentError", "SilentError"),
            (lambda **_: Odd(), "KeyboardInterrupt", "KeyboardInterrupt"),
            (later, "TypeError: it is a coroutine function", ""),
        ):
            with self.subTest(reason), self.assertLogs("cvec_circus", "ERROR") as caught:
                watcher = self.watcher(hooks={"before_start": hook})
                said = self.asked(watcher, "before_start")
                self.assertIn(f"hook before_start failed: {reason}", said)
                event = self.events.pop()
                self.assertEqual((event["action"], event["name"]), ("hook_failure", "before_start"))
                self.assertIn(error, event["error"])
                self.assertIn("web: hook before_start failed", caught.output[0])

    def test_what_cannot_be_called_is_one_line(self) -> None:
        async def later(**_: Any) -> bool:
            return True

        given = "it is called with watcher, arbiter, hook_name; take these, or **kwargs"
        for hook, reason in (
            ("os.sep", "os.sep is of type str, and no function"),
            (lambda watcher: True, f"got an unexpected keyword argument 'arbiter'; {given}"),
            (later, "it is a coroutine function, which is never awaited"),
        ):
            with self.subTest(reason), self.assertLogs("cvec_circus", "ERROR") as caught:
                watcher = self.watcher(hooks={"before_start": hook})
                self.assertIn(reason, self.asked(watcher, "before_start"))
            [record] = caught.records
            self.assertIn(reason, record.getMessage())
            self.assertIsNone(record.exc_info)

        def fails_inside(**_: Any) -> Any:
            return len(3)  # type: ignore[arg-type]

        with self.assertLogs("cvec_circus", "ERROR") as caught:
            watcher = self.watcher(hooks={"before_start": fails_inside})
            self.assertNotIn("kwargs", self.asked(watcher, "before_start"))
        self.assertIsNotNone(caught.records[0].exc_info)

    def test_a_traceback_is_logged_once(self) -> None:
        def fail(**_: Any) -> Any:
            raise OSError("no disk")

        sooner = mock.patch.object(complaints, "INTERVAL", 0.05)
        with sooner, self.assertLogs("cvec_circus", "ERROR") as caught:
            watcher = self.watcher(hooks={"after_spawn": fail})
            for _ in range(5):
                self.assertIn("OSError: no disk", self.asked(watcher, "after_spawn"))
            self.assertTrue(eventually(lambda: len(caught.output) > 1, PATIENCE))
        self.assertEqual(["Traceback" in line for line in caught.output].count(True), 1)
        self.assertIn("web: hook after_spawn failed ", caught.output[1])
        self.assertIn("OSError: no disk", caught.output[1])

    def test_failures_that_are_ignored(self) -> None:
        def fail(**_: Any) -> Any:
            raise OSError("no disk")

        watcher = self.watcher(
            hooks={"before_start": (fail, True), "after_start": fail, "before_stop": fail}
        )
        with self.assertLogs("cvec_circus", "ERROR"):
            self.assertEqual(self.asked(watcher, "before_start"), "")
            self.assertIn("OSError: no disk", self.asked(watcher, "after_start"))
            self.assertEqual(self.asked(watcher, "before_stop"), "")  # always, as in Circus
        self.assertEqual([event["error"] for event in self.events], ["no disk"] * 3)

    def test_one_after_the_other_and_others_beside(self) -> None:
        gate = Gate()
        order: list[str] = []
        hooks = {"before_start": gate, "after_start": lambda **_: order.append("after") or True}
        first = self.watcher("first", hooks=hooks)
        second = self.watcher("second", hooks={"before_stop": lambda **_: True})
        self.ask(first, "before_start")
        self.ask(first, "after_start")
        self.assertTrue(gate.entered.wait(PATIENCE))
        self.assertEqual(self.asked(second, "before_stop"), "")
        self.assertEqual(order, [])
        self.assertTrue(self.loop.ask(self.hooks.busy))
        gate.open.set()
        self.assertEqual(self.answer(), ("before_start", ""))
        self.assertEqual(self.answer(), ("after_start", ""))
        self.assertFalse(self.loop.ask(self.hooks.busy))

    def test_a_thread_that_there_is_not_yet(self) -> None:
        watcher = self.watcher(hooks={"before_start": lambda **_: True})
        real, refused = Worker.do, []

        def do(worker: Worker, fn: Any, *args: Any) -> bool:
            if worker.name == "hooks:web" and len(refused) < 2:
                refused.append(fn)
                raise RuntimeError("can't start new thread")
            return real(worker, fn, *args)

        with mock.patch.object(Worker, "do", do):
            self.assertEqual(self.asked(watcher, "before_start"), "")
        self.assertEqual(len(refused), 2)

    def test_what_is_forgotten_ends_when_it_is_done(self) -> None:
        gate = Gate()
        watcher = self.watcher(hooks={"after_stop": gate})
        self.ask(watcher, "after_stop")
        self.assertTrue(gate.entered.wait(PATIENCE))
        self.loop.ask(self.hooks.forget, watcher)
        self.assertIn("hooks:web", names())
        gate.open.set()
        self.assertEqual(self.answer(), ("after_stop", ""))
        self.assertTrue(eventually(lambda: "hooks:web" not in names(), PATIENCE))
        self.loop.ask(self.hooks.forget, watcher)


class TestEnvironment(HooksCase):
    def test_changes_travel_back_before_the_answer(self) -> None:
        seen: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def hook(watcher: Any, **_: Any) -> bool:
            seen.put(dict(watcher.env))
            watcher.env["NEW"] = "1"
            watcher.env["PORT"] = 8080
            watcher.env.pop("OLD", None)
            return True

        watcher = self.watcher(env={"OLD": "x", "KEPT": "y"}, hooks={"before_spawn": hook})
        found: list[Any] = []

        def append(fact: Answered) -> None:
            found.append(fact.watcher.options["env"])
            HooksCase.append(self, fact)

        self.append = append  # type: ignore[method-assign]
        self.assertEqual(self.asked(watcher, "before_spawn"), "")
        self.assertEqual(seen.get(timeout=PATIENCE), {"OLD": "x", "KEPT": "y"})
        expected = {"KEPT": "y", "NEW": "1", "PORT": "8080"}
        self.assertEqual((found, watcher.options["env"]), ([expected], expected))
        self.assertEqual(watcher.settings.configured().env, {"OLD": "x", "KEPT": "y"})
        self.asked(watcher, "before_spawn")
        self.assertEqual(seen.get(timeout=PATIENCE), expected)

    def test_with_copy_env_it_is_the_whole_of_it(self) -> None:
        def hook(watcher: Any, **_: Any) -> bool:
            watcher.env = {**watcher.env, "PATH": watcher.env["PATH"] + ":/opt"}
            return True

        watcher = self.watcher(copy_env=True, env={"A": "1"}, hooks={"before_spawn": hook})
        self.asked(watcher, "before_spawn")
        self.assertEqual(watcher.options["env"], {"A": "1", "PATH": os.environ["PATH"] + ":/opt"})

    def test_what_comes_from_the_daemon_can_be_taken_away(self) -> None:
        seen: list[bool] = []

        def hook(watcher: Any, **_: Any) -> bool:
            seen.append("PATH" in watcher.env)
            watcher.env.pop("PATH", None)
            return True

        watcher = self.watcher(copy_env=True, hooks={"before_spawn": hook})
        for _ in range(2):
            self.asked(watcher, "before_spawn")
            withheld = self.loop.ask(self.hooks.withheld, watcher)
            template = Template("web", watcher.options, "run", withheld)
            env = template.spec(1, Loan(SocketRegistry())).env
            self.assertEqual({*os.environ} - {*env}, {"PATH"})
        self.assertEqual(seen, [True, False])
        self.loop.ask(self.hooks.forget, watcher)
        self.assertFalse(self.loop.ask(self.hooks.withheld, watcher))

    def test_what_is_no_environment(self) -> None:
        def hook(watcher: Any, **_: Any) -> bool:
            watcher.env["A"] = object()
            return True

        watcher = self.watcher(env={"B": "1"}, hooks={"before_spawn": hook})
        with self.assertLogs("cvec_circus", "ERROR"):
            said = self.asked(watcher, "before_spawn")
        self.assertIn("hook before_spawn failed: OptionError: env: ", said)
        self.assertEqual(watcher.options["env"], {"B": "1"})


class TestTime(HooksCase):
    def test_a_time_out_counts_as_a_failure(self) -> None:
        gate = Gate()
        watcher = self.watcher(hook_timeout=0.05, hooks={"before_start": gate, "after_start": gate})
        with self.assertLogs("cvec_circus", "ERROR"):
            self.ask(watcher, "before_start")
            self.assertTrue(gate.entered.wait(PATIENCE))
            said = "hook before_start has not answered within 0.05 s"
            self.assertEqual(self.answer(), ("before_start", said))
            # The thread is in it still; what has to wait for it has its own time.
            self.assertIn("not answered within 0.05 s", self.asked(watcher, "after_start"))
        self.assertEqual([event["action"] for event in self.events], ["hook_failure"] * 2)
        self.assertEqual(self.events[0]["error"], "has not answered within 0.05 s")
        self.assertFalse(self.loop.ask(self.hooks.busy))  # nothing waits for it any more
        with self.assertLogs("cvec_circus", "INFO") as caught:
            gate.open.set()
            self.assertTrue(eventually(lambda: bool(caught.output), PATIENCE))
        self.assertIn("hook before_start of web has returned after", caught.output[0])
        self.no_answer()
        self.assertEqual(gate.calls, 1)  # the other one was never called
        self.loop.ask(watcher.change, {"hook_timeout": None})
        self.assertEqual(self.asked(watcher, "before_start"), "")

    def test_a_time_out_that_is_ignored(self) -> None:
        gate = Gate()
        watcher = self.watcher(hook_timeout=0.05, hooks={"before_start": (gate, True)})
        with self.assertLogs("cvec_circus", "ERROR"):
            self.assertEqual(self.asked(watcher, "before_start"), "")
        gate.open.set()

    def test_without_one_there_is_a_warning(self) -> None:
        gate = Gate()
        watcher = self.watcher(hooks={"before_start": gate, "after_start": gate})
        with mock.patch("cvec_circus.supervisor.hooks.COMPLAINT_DELAY", 0.05):
            with self.assertLogs("cvec_circus", "WARNING") as caught:
                self.ask(watcher, "before_start")
                self.ask(watcher, "after_start")  # what waits behind it is not to blame
                text = "its watcher waits; calls of hooks behind it: 1"
                found = eventually(lambda: text in "".join(caught.output), PATIENCE)
                seen = list(caught.output)
                gate.open.set()
                self.assertEqual(self.answer(), ("before_start", ""))
        self.assertTrue(found, seen)
        for line in seen:
            self.assertIn("hook before_start of web has not answered for", line)

    def test_without_any_time_nothing_waits_for_it(self) -> None:
        gate = Gate()
        watcher = self.watcher(hooks={"before_stop": gate})
        self.ask(watcher, "before_stop")
        self.assertTrue(gate.entered.wait(PATIENCE))
        with self.assertLogs("cvec_circus", "ERROR") as caught:
            self.loop.ask(self.hooks.hurry, 0.0)
            self.assertEqual(self.answer(), ("before_stop", ""))
        self.assertIn("hook before_stop has not answered in time", caught.output[0])
        self.assertFalse(self.loop.ask(self.hooks.busy))
        gate.open.set()

    def test_when_the_daemon_ends_there_is_little(self) -> None:
        gate = Gate()
        watcher = self.watcher(hooks={"before_stop": gate, "after_stop": gate})
        self.ask(watcher, "before_stop")
        self.assertTrue(gate.entered.wait(PATIENCE))
        with self.assertLogs("cvec_circus", "ERROR"):
            self.loop.ask(self.hooks.hurry, 0.05)
            self.assertEqual(self.answer(), ("before_stop", ""))
            self.assertEqual(self.asked(watcher, "after_stop"), "")
        self.loop.stop()
        self.loop_thread.join(PATIENCE)
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            self.hooks.close()
        self.assertIn("hook before_stop of web has not returned, and is aband", caught.output[0])
        gate.open.set()


def print_none(**_: Any) -> None:
    pass


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


if __name__ == "__main__":
    unittest.main()
