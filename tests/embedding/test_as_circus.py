"""What programs for Circus rely on."""

from __future__ import annotations

import errno
import getpass
import importlib.util
import os
import threading
import unittest
from pathlib import Path
from typing import Any

from cvec_circus import exc, get_arbiter
from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.watcher import Watcher
from tests.embedding.arbiter_case import SLEEP, ArbiterCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT


class TestOrder(ArbiterCase):
    """Watchers of equal priority keep the order in which they were given."""

    GIVEN = (("c", 0), ("a", 1), ("b", 0), ("d", 1))

    def names(self, arbiter: Any, **options: Any) -> str:
        return "".join(watcher.name for watcher in arbiter.iter_watchers(**options))

    def test_before_the_start_and_while_it_runs(self) -> None:
        given = tuple(
            {"name": name, "cmd": "sleep 1000", "priority": priority}
            for name, priority in self.GIVEN
        )
        arbiter = ThreadedArbiter(given, *self.endpoints)
        self.assertEqual(
            (self.names(arbiter), self.names(arbiter, reverse=False)), ("adcb", "cbad")
        )
        arbiter.start()
        self.addCleanup(arbiter.stop)
        arbiter.start_watchers().result(TIMEOUT)
        self.assertEqual(
            (self.names(arbiter), self.names(arbiter, reverse=False)), ("adcb", "cbad")
        )
        started = [
            (one.processes[pid].started, one.name) for one in arbiter.watchers for pid in one.pids
        ]
        self.assertEqual("".join(arbiter.statuses()), "cabd")
        begun = [name for _, name in sorted(started)]
        self.assertEqual("".join(begun), "adcb")


class TestEnvironment(ArbiterCase):
    def test_names_in_a_mapping_are_replaced_and_empty_if_not_set(self) -> None:
        os.environ["CIRCUS_TEST_SET"] = "set"
        self.addCleanup(os.environ.pop, "CIRCUS_TEST_SET")
        env = {"A": " $CIRCUS_TEST_SET:$CIRCUS_TEST_UNSET- ", "B": "$lower ${X}", "N": 8080}
        expected = {"A": "set:-", "B": "$lower ${X}", "N": "8080"}
        described = {"name": "w", "cmd": "sleep 1000", "env": env}
        self.assertEqual(get_arbiter([described]).get_watcher("w").env, expected)
        self.assertEqual(Watcher.load_from_config(described).env, expected)
        self.assertEqual(described["env"], env)

    def test_those_of_a_watcher_are_not(self) -> None:
        env = {"A": "$CIRCUS_TEST_UNSET"}
        arbiter = Arbiter([Watcher("w", "sleep 1000", env=env)])
        self.assertEqual(arbiter.get_watcher("w").env, env)


class TestOptions(ArbiterCase):
    def test_umask_reaches_children_and_is_put_back(self) -> None:
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        path = self.folder / "umask"
        one = {"name": "w", "cmd": f"sh -c 'umask > {path}'", "respawn": False, "copy_env": True}
        arbiter = self.make(Arbiter, one, umask="027")

        def written(started: Any) -> None:
            eventually(lambda: path.exists() and path.read_text(), TIMEOUT)
            arbiter.stop()

        arbiter.start(written)
        self.assertEqual(path.read_text(), "0027\n")
        path.unlink()
        now = os.umask(0o022)
        self.assertEqual(now, 0o022)

    def test_a_negative_check_delay(self) -> None:
        self.assertEqual(get_arbiter([], check_delay=-1).check_delay, -1)

    def test_an_endpoint_that_cannot_be_opened_is_an_os_error(self) -> None:
        absent = self.folder / "absent"
        with self.assertRaises(OSError) as caught:
            Arbiter([], f"ipc://{absent}/control", f"ipc://{absent}/events").start()
        self.assertIsInstance(caught.exception, exc.SocketError)
        self.assertIsInstance(caught.exception, FileNotFoundError)
        self.assertEqual(caught.exception.errno, errno.ENOENT)
        self.assertIn(f"ipc://{absent}/", str(caught.exception))

    def test_nameless_watchers_of_one_program(self) -> None:
        arbiter = get_arbiter([{"cmd": "sleep 1"}, {"cmd": "/bin/sleep 2"}, {"cmd": "x"}])
        self.assertEqual([one.name for one in arbiter.watchers], ["sleep", "sleep-2", "x"])

    def test_one_mapping_in_place_of_a_list(self) -> None:
        with self.assertRaisesRegex(exc.ConfigError, "this is not a mapping of names to values"):
            get_arbiter({"cmd": "sleep 1"})

    def test_what_no_option_is_named_so_is_refused(self) -> None:
        with self.assertRaisesRegex(exc.ConfigError, "unknown"):
            get_arbiter([], chek_delay=1)


class TestHooks(ArbiterCase):
    def test_what_hooks_for_circus_touch(self) -> None:
        seen: list[Any] = []

        def hook(watcher: Any, arbiter: Any, hook_name: str, **facts: Any) -> bool:
            seen.append((watcher._options, watcher.arbiter is arbiter, hook_name))
            return True

        hooks = {"before_start": (hook, False)}
        one = {"name": "w", "cmd": "sleep 1000", "hooks": hooks, "port.base": "8090"}
        arbiter = self.started(one)
        arbiter.start_watchers().result(TIMEOUT)
        self.assertEqual(seen, [({"port.base": "8090"}, True, "before_start")])

    def test_the_object_of_the_program(self) -> None:
        seen: list[Any] = []

        class Tagged(Watcher):
            def tag(self) -> str:
                return f"tag of {self.name}"

        def hook(watcher: Any, arbiter: Any, **facts: Any) -> bool:
            others = [one.name for one in arbiter.iter_watchers() if one != watcher]
            seen.append((watcher.tag(), watcher == mine, watcher in set(arbiter.watchers), others))
            watcher.calls = getattr(watcher, "calls", 0) + 1
            return True

        hooks = {"before_start": (hook, False), "after_spawn": (hook, False)}
        mine = Tagged("mine", "sleep 1000", hooks=hooks)
        arbiter = self.started(mine, {"name": "other", "cmd": "sleep 1000"})
        arbiter.start_watchers().result(TIMEOUT)
        self.assertEqual(seen, [("tag of mine", True, True, ["other"])] * 2)
        self.assertEqual(mine.calls, 2)

    def test_before_an_arbiter_has_it(self) -> None:
        watcher = Watcher("w", "sleep 1000", **{"port.base": "8090"})
        self.assertEqual((watcher._options, watcher.arbiter), ({"port.base": "8090"}, None))
        arbiter = Arbiter([watcher])
        self.assertIs(watcher.arbiter, arbiter)

    def test_a_module_with_a_dash(self) -> None:
        (self.folder / "my-hooks.py").write_text(
            "def check(watcher, **facts):\n    watcher.env['FROM'] = 'my-hooks'\n    return True\n"
        )
        self.addCleanup((self.folder / "my-hooks.py").unlink)
        one = {
            "name": "w",
            "cmd": "sleep 1000",
            "hooks": {"before_spawn": ["my-hooks.check", False]},
            "env": {"PYTHONPATH": str(self.folder)},
        }
        arbiter = self.started(one)
        arbiter.start_watchers().result(TIMEOUT)
        [pid] = arbiter.get_watcher("w").pids
        environ = Path(f"/proc/{pid}/environ")  # empty while the process executes its program
        self.assertTrue(eventually(lambda: b"FROM=my-hooks\0" in environ.read_bytes(), TIMEOUT))


class TestAtRest(unittest.TestCase):
    """A watcher that no arbiter has is its options, and every call of Circus' watcher works."""

    def test_what_it_shows(self) -> None:
        watcher = Watcher("w", "sleep 1")
        shown = watcher.args, watcher.env, watcher.rlimits, watcher.stdout_stream_conf
        self.assertFalse(any(shown))
        self.assertEqual(watcher.working_dir, os.getcwd())
        hooked = Watcher("w", "sleep 1", hooks={"before_start": (len, True)})
        self.assertEqual(hooked.hooks, {"before_start": (len, True)})

    def test_what_it_does(self) -> None:
        watcher = Watcher("w", "sleep 1", numprocesses=3)
        watcher.set_opt("numprocesses", "5").result()
        watcher.set_opt("env", {"A": "b"}).result()
        watcher.set_opt("stop_signal", "SIGINT")
        self.assertEqual((watcher.numprocesses, watcher.env), (5, {"A": "b"}))
        self.assertEqual(watcher.stop_signal, 2)
        watcher.set_numprocesses(4)
        self.assertEqual(watcher.numprocesses, 4)
        self.assertEqual((watcher.incr(2).result(), watcher.decr().result()), (6, 5))
        self.assertEqual(watcher.decr(9).result(), 0)
        self.assertEqual(Watcher("w", "sleep 1", singleton=True).incr().result(), 1)
        for key, value in (("graceful_timeout", "x"), ("nope", 1)):
            with self.assertRaisesRegex(ValueError, key):
                watcher.set_opt(key, value)
        self.assertEqual((watcher.info(), watcher.processes, watcher.status()), ({}, {}, "stopped"))
        self.assertIsNone(watcher.kill_processes().result())
        watcher.send_signal(99999, 15)
        with self.assertRaisesRegex(exc.SupervisorStopped, "w is in no arbiter"):
            watcher.start()


class TestCallbacks(ArbiterCase):
    """What the callback of `start` does, on the supervisor thread."""

    def seen_by(self, begun: Any) -> list[Any]:
        """Return what `begun` adds to a list, called with an arbiter when that has started."""
        seen: list[Any] = []
        told = threading.Event()

        def cb(started: Any) -> None:
            try:
                begun(arbiter, seen)
            finally:
                told.set()

        arbiter = self.make(ThreadedArbiter)
        arbiter.start(cb)
        self.addCleanup(arbiter.stop)
        self.assertTrue(told.wait(TIMEOUT))
        return seen

    def test_it_measures(self) -> None:
        def begun(arbiter: Any, seen: list[Any]) -> None:
            watcher = arbiter.get_watcher("a")
            one, other = watcher.pids
            process = watcher.processes[one].info()
            wids = {pid: info["wid"] for pid, info in watcher.info().items()}
            seen.append(wids == {one: 1, other: 2})
            seen.append((watcher.process_info(other)["pid"] == other, process["wid"]))
            seen.append(process.keys())
            seen.append(watcher)
            with self.assertRaises(KeyError) as raised:
                watcher.process_info(1)
            seen.append(str(raised.exception))

        alike, one, keys, watcher, said = self.seen_by(begun)
        self.assertEqual(said, "process 1 not found in 'a'")
        self.assertEqual((alike, one), (True, (True, 1)))
        elsewhere = next(iter(watcher.info().values()))
        self.assertEqual(keys, elsewhere.keys())

    def test_what_it_adds_and_removes(self) -> None:
        def begun(arbiter: Any, seen: list[Any]) -> None:
            added = arbiter.add_watcher("b", "sleep 1000", own="x")
            seen.append((added._options, added.status(), arbiter.get_watcher("B") is added))
            seen.append([one.name for one in arbiter.watchers])
            arbiter.rm_watcher("a")
            seen.append([one.name for one in arbiter.iter_watchers()])
            with self.assertRaises(KeyError):
                arbiter.get_watcher("a")

        seen = self.seen_by(begun)
        self.assertEqual(seen, [({"own": "x"}, "stopped", True), ["a", "b"], ["b"]])

    def test_users_are_looked_up_at_once(self) -> None:
        def begun(arbiter: Any, seen: list[Any]) -> None:
            added = arbiter.add_watcher("b", "sleep 1000", uid=getpass.getuser())
            seen.append((added.uid, arbiter.get_watcher("b") is added))
            added.set_opt("gid", 0)
            seen.append(added.gid)
            with self.assertRaisesRegex(exc.CircusError, "no user no_such_user"):
                arbiter.add_watcher("c", "sleep 1000", uid="no_such_user")
            with self.assertRaisesRegex(exc.CircusError, "no group no_such_group"):
                added.set_opt("gid", "no_such_group")
            seen.append([one.name for one in arbiter.watchers])

        seen = self.seen_by(begun)
        self.assertEqual(seen, [(getpass.getuser(), True), 0, ["a", "b"]])

    def test_an_order_that_makes_no_sense(self) -> None:
        def begun(arbiter: Any, seen: list[Any]) -> None:
            with self.assertRaises(exc.AlreadyExist):
                arbiter.add_watcher("A", "sleep 1000")
            with self.assertRaisesRegex(exc.CircusError, "max_retry"):
                arbiter.add_watcher("b", "sleep 1000", max_retry="x")
            seen.append([one.name for one in arbiter.watchers])

        self.assertEqual(self.seen_by(begun), [["a"]])

    def test_a_callback_of_a_promise_has_a_turn_of_its_own(self) -> None:
        seen: list[Any] = []
        told = threading.Event()

        def ended(order: Any) -> None:
            arbiter.add_watcher("b", "sleep 1000")
            seen.append([one.name for one in arbiter.watchers])
            told.set()

        arbiter = self.started()
        arbiter.get_watcher("a").restart().add_done_callback(ended)
        self.assertTrue(told.wait(TIMEOUT))
        self.assertEqual(seen, [["a", "b"]])

    def test_what_a_hook_adds_and_removes(self) -> None:
        seen: list[Any] = []

        def hook(watcher: Any, arbiter: Any, **facts: Any) -> bool:
            arbiter.add_watcher("b", "sleep 1000", uid="root")
            seen.append([one.name for one in arbiter.watchers])
            arbiter.rm_watcher("b")
            seen.append([one.name for one in arbiter.watchers])
            return True

        arbiter = self.started({"name": "a", "cmd": "sleep 1000", "hooks": {"before_start": hook}})
        arbiter.start_watchers().result(TIMEOUT)
        self.assertEqual(seen, [["a", "b"], ["a"]])


class TestPlugins(ArbiterCase):
    """Those of a program have the names that it gives them."""

    def test_names(self) -> None:
        plugins = [
            {"use": "os.Own", "name": "look"},
            {"use": "os.Own", "name": "plugin:seen"},
            {"use": "os.Own"},
        ]
        arbiter = Arbiter([], *self.endpoints, plugins=plugins)
        self.assertEqual(list(arbiter.statuses()), ["look", "plugin:seen", "os.Own"])

    def test_one_of_a_watchers_name(self) -> None:
        with self.assertRaisesRegex(exc.ConfigError, "a"):
            self.make(Arbiter, plugins=[{"use": "os.Own", "name": "A"}])

    def test_no_other_plugin_takes_one_for_a_watcher_of_the_program(self) -> None:
        dog = {"use": "cvec_circus.plugins.watchdog.WatchDog", "name": "dog", "port": 0}
        path = self.folder / "log"
        logger = {
            "use": "cvec_circus.demo.logger.Logger",
            "name": "look",
            "filename": str(path),
        }
        arbiter = self.started(plugins=[dog, logger])
        self.assertTrue(eventually(lambda: "active" in arbiter.statuses()["look"], TIMEOUT))
        helpers = arbiter.ask(lambda supervisor: supervisor.desks.helpers._surroundings(0))
        self.assertEqual(helpers["helpers"], ["dog", "look"])


class OnThread(Arbiter, threading.Thread):
    """An arbiter that is a thread, too, as programs for Circus make one."""

    def __init__(self, *args: Any) -> None:
        Arbiter.__init__(self, *args)
        threading.Thread.__init__(self, daemon=True)

    def start(self, cb: Any = None) -> Any:
        self._cb = cb
        threading.Thread.start(self)

    def run(self) -> None:
        Arbiter.start(self, self._cb)


class TestThread(ArbiterCase):
    def test_one_that_is_a_thread(self) -> None:
        arbiter = OnThread([SLEEP], *self.endpoints)
        up = threading.Event()
        arbiter.start(lambda started: up.set())
        self.assertTrue(up.wait(TIMEOUT))
        self.assertEqual((arbiter.is_alive(), arbiter.running), (True, True))
        arbiter.stop()
        arbiter.join(TIMEOUT)
        self.assertEqual((arbiter.is_alive(), arbiter.running), (False, False))
        self.nothing_left()


class TestCoroutines(ArbiterCase):
    """Orders are awaited as in Circus, whose methods return futures of tornado's."""

    def test_in_one_of_asyncio(self) -> None:
        asyncio = importlib.import_module("asyncio")  # a program's, which has a loop of its own
        arbiter = self.started()

        async def restart() -> Any:
            watcher = arbiter.get_watcher("a")
            await watcher.stop()
            state = watcher.status()
            started = await watcher.start()
            with self.assertRaisesRegex(exc.CircusError, "nb: -1 is less than 0"):
                await asyncio.wait_for(arbiter.get_watcher("a").incr(-1), TIMEOUT)
            return state, len(started["started"])

        self.assertEqual(asyncio.run(restart()), ("stopped", 2))
