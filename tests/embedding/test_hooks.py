"""Hooks of a program that has an arbiter: functions, and what they get."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import unittest
from typing import Any

from cvec_circus import get_arbiter
from cvec_circus.arbiter import Arbiter
from cvec_circus.embedding.watcher import Watcher
from cvec_circus.exc import ConfigError, OptionError
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.eventually import eventually

TIMEOUT = 30.0


class TestHooks(ArbiterCase):
    def setUp(self) -> None:
        super().setUp()
        self.got: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def next(self) -> Any:
        return self.got.get(timeout=TIMEOUT)

    def test_functions_of_a_mapping(self) -> None:
        def hook(watcher: Any, arbiter: Any, hook_name: str, **facts: Any) -> bool:
            self.got.put((watcher, arbiter, hook_name, threading.current_thread().name, facts))
            return True

        arbiter = self.started(
            {"name": "Web", "cmd": "sleep 1000", "hooks": {"after_spawn": (hook, False)}}
        )
        watcher, given, name, thread, facts = self.next()
        self.assertIs(given, arbiter)
        self.assertEqual((name, thread), ("after_spawn", "hooks:Web"))
        self.assertTrue(eventually(arbiter.get_watcher("web").is_active, TIMEOUT))
        self.assertEqual((watcher.name, watcher.pids), ("Web", [facts["pid"]]))
        self.assertIs(watcher.hooks["after_spawn"].target, hook)
        self.assertIn(".hook", dict(watcher.options("hooks"))["hooks"]["after_spawn"])
        arbiter.stop()
        self.assertEqual(watcher.status(), "stopped")
        self.nothing_left()

    def test_functions_of_a_watcher(self) -> None:
        order: list[str] = []

        def hook(hook_name: str, **_: Any) -> bool:
            order.append(hook_name)
            return True

        names = ("before_start", "before_spawn", "after_spawn", "after_start", "after_stop")
        web = Watcher("web", "sleep 1000", hooks={name: hook for name in names})
        arbiter = self.started(web)
        self.assertTrue(eventually(web.is_active, TIMEOUT))
        web.stop().result(TIMEOUT)
        arbiter.stop()
        self.assertEqual(order, list(names))
        arbiter.start()  # once more
        self.assertTrue(eventually(web.is_active, TIMEOUT))

    def test_get_arbiter(self) -> None:
        arbiter = get_arbiter(
            [{"cmd": "sleep 1000", "hooks": {"before_start": lambda **_: False}}],
            *self.endpoints,
            background=True,
        )
        arbiter.start()
        self.addCleanup(arbiter.stop)
        sleep = arbiter.get_watcher("sleep")
        error = sleep.start().exception(TIMEOUT)
        self.assertIn("hook before_start said no", str(error))

    def test_orders_to_others_and_to_the_arbiter(self) -> None:
        def hook(watcher: Any, arbiter: Any, **_: Any) -> bool:
            other = arbiter.add_watcher("other", "sleep 1000")
            self.got.put(arbiter.start_watcher("other").result(TIMEOUT))
            self.got.put(other.incr().result(TIMEOUT))
            self.got.put([watcher.status(), other.status(), sorted(arbiter.statuses())])
            arbiter.rm_watcher("other").result(TIMEOUT)
            return True

        arbiter = self.started(
            {"name": "web", "cmd": "sleep 1000", "hooks": {"before_start": hook}}
        )
        self.assertEqual(len(self.next()["started"]), 1)
        self.assertEqual(self.next(), 2)
        self.assertEqual(self.next(), ["starting", "active", ["other", "web"]])
        self.assertTrue(eventually(arbiter.get_watcher("web").is_active, TIMEOUT))
        self.assertEqual(arbiter.statuses(), {"web": "active"})

    def test_who_gives_the_orders(self) -> None:
        def hook(watcher: Any, arbiter: Any, hook_name: str, **_: Any) -> bool:
            if hook_name == "after_start":
                arbiter.get_watcher("other").incr().result(TIMEOUT)
                watcher.set_options(priority=2)
            else:
                with contextlib.suppress(TimeoutError):
                    arbiter.stop(timeout=0.01)
            return True

        hooks = {"after_start": hook, "after_stop": hook}
        arbiter = self.started(
            {"name": "other", "cmd": "sleep 1000", "priority": 1},
            {"name": "web", "cmd": "sleep 1000", "hooks": hooks},
        )
        self.assertTrue(eventually(arbiter.get_watcher("web").is_active, TIMEOUT))
        arbiter.get_watcher("other").decr().result(TIMEOUT)
        events = arbiter.ask(lambda supervisor: supervisor.events.since(0, 500)["events"])
        given = [(t, json.loads(text)["actor"]) for t, text in events if t.endswith(".updated")]
        self.assertEqual(
            given,
            [
                ("watcher.other.updated", "hook:after_start"),
                ("watcher.web.updated", "hook:after_start"),
                ("watcher.other.updated", "program"),
            ],
        )
        with self.assertLogs("cvec_circus", "INFO") as logs:
            arbiter.get_watcher("web").stop()
            arbiter.join(TIMEOUT)
        self.assertIn("stopping by hook:after_stop (stop)", "".join(logs.output))

    def test_env(self) -> None:
        def hook(watcher: Any, **_: Any) -> bool:
            watcher.env["MODE"] = watcher.env.get("MODE", "") + "x"
            return True

        cmd = f"sh -c 'echo $MODE >>{self.folder}/modes; exec sleep 1000'"
        web = Watcher("web", cmd, env={"PATH": "/usr/bin:/bin"}, hooks={"before_spawn": hook})
        arbiter = self.started(web)
        modes = self.folder / "modes"
        self.assertTrue(eventually(lambda: modes.exists() and modes.read_text() == "x\n", TIMEOUT))
        web.incr().result(TIMEOUT)
        self.assertTrue(eventually(lambda: len(modes.read_text()) == 5, TIMEOUT))
        self.assertEqual(modes.read_text().split(), ["x", "xx"])
        self.assertEqual(web.env["MODE"], "xx")
        arbiter.stop()
        modes.unlink()
        self.assertNotIn("MODE", web.env)

    def test_a_removed_watcher_is_still_shown_to_its_hook(self) -> None:
        def hook(watcher: Any, **_: Any) -> None:
            self.got.put((watcher.name, watcher.status(), watcher.pids, watcher.cmd))

        arbiter = self.started(
            {"name": "web", "cmd": "sleep 1000", "hooks": {"after_stop": hook}},
            {"name": "b", "cmd": "sleep 1000"},
        )
        web = arbiter.get_watcher("web")
        self.assertTrue(eventually(web.is_active, TIMEOUT))
        arbiter.rm_watcher("web").result(TIMEOUT)
        self.assertEqual(self.next(), ("web", "stopped", [], "sleep 1000"))
        self.assertTrue(eventually(lambda: "hooks:web" not in names(), TIMEOUT))

    def test_stop_within_a_hook_begins_the_end(self) -> None:
        def hook(arbiter: Any, **_: Any) -> bool:
            try:
                arbiter.stop(timeout=0.05)
            except TimeoutError:
                self.got.put("begun")
            return True

        arbiter = self.make()
        arbiter.add_watcher("web", "sleep 1000", hooks={"after_start": hook})
        arbiter.start()
        self.addCleanup(arbiter.stop)
        self.assertEqual(self.next(), "begun")
        arbiter.join(TIMEOUT)
        self.assertFalse(arbiter.running)

    def test_while_it_runs(self) -> None:
        arbiter = self.started({"name": "a", "cmd": "sleep 1000"})
        arbiter.add_watcher("web", "sleep 1000", hooks={"before_start": (lambda **_: False, True)})
        web = arbiter.get_watcher("web")
        self.assertIn("said no", str(web.start().exception(TIMEOUT)))
        web.set_options(hooks={"before_start": lambda **_: True}).result(TIMEOUT)
        web.start().result(TIMEOUT)
        self.assertTrue(web.is_active())

    def test_a_plugin(self) -> None:
        def hook(watcher: Any, **_: Any) -> bool:
            self.got.put(watcher.name)
            return True

        plugin = {
            "use": "cvec_circus.plugins.flapping.Flapping",
            "name": "p",
            "hooks": {"before_spawn": hook},
        }
        self.started({"name": "a", "cmd": "sleep 1000"}, plugins=[plugin])
        self.assertEqual(self.next(), "p")

    def test_slips(self) -> None:
        reason = "there is no hook 'before_strt'; did you mean before_start?"
        with self.assertRaisesRegex(OptionError, reason):
            Watcher("web", "sleep 1", hooks={"before_strt": print})
        with self.assertRaisesRegex(ConfigError, reason):
            self.make(Arbiter, {"cmd": "sleep 1", "hooks": {"before_strt": print}})


class TestMany(ArbiterCase):
    def test_threads_come_and_go_with_their_watchers(self) -> None:
        arbiter = self.started({"name": "a", "cmd": "sleep 1000"})
        hooks = {"before_start": lambda **_: True, "after_stop": lambda **_: True}
        for number in range(20):
            name = f"w{number}"
            arbiter.add_watcher(name, "sleep 1000", hooks=hooks).start().result(TIMEOUT)
            arbiter.rm_watcher(name).result(TIMEOUT)
        left = eventually(lambda: not [n for n in names() if n.startswith("hooks:")], TIMEOUT)
        self.assertTrue(left, names())


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


if __name__ == "__main__":
    unittest.main()
