"""What programs for Circus give by position, in its order."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus import get_arbiter
from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.base.calling import in_order
from cvec_circus.watcher import Watcher
from tests.embedding.arbiter_case import SLEEP, ArbiterCase


class TestInOrder(unittest.TestCase):
    @staticmethod
    @in_order("b c")
    def call(a: int, *, b: int = 0, **options: Any) -> tuple[int, int, dict[str, Any]]:
        return a, b, options

    def test_what_it_takes(self) -> None:
        self.assertEqual(self.call(1), (1, 0, {}))
        self.assertEqual(self.call(1, 2, 3), (1, 2, {"c": 3}))
        self.assertEqual(self.call(1, 2, c=3, d=4), (1, 2, {"c": 3, "d": 4}))

    def test_what_it_refuses(self) -> None:
        with self.assertRaisesRegex(TypeError, "4 arguments by position, of 3 that there are"):
            self.call(1, 2, 3, 4)
        with self.assertRaisesRegex(TypeError, "b is given by position and by name"):
            self.call(1, 2, b=2)


class TestByPosition(ArbiterCase):
    def test_a_watcher(self) -> None:
        watcher = Watcher(
            *("web", "sleep 1", ["2"], 3, 0.5, "/", True, None, "root", 9, None, True, 2, True),
            *({"A": "b"}, 7.0, None, {"nofile": 9}, "/bin/sleep", None, None, 4, None, False, True),
        )
        shown = {
            key: getattr(watcher, key)
            for key in "args numprocesses uid max_retry send_hup stop_signal stop_children".split()
        }
        self.assertEqual(list(shown.values()), [["2"], 3, "root", 9, True, 2, True])
        self.assertEqual((watcher.env, watcher.graceful_timeout), ({"A": "b"}, 7.0))
        self.assertEqual((watcher.rlimits, watcher.executable), ({"nofile": 9}, "/bin/sleep"))
        self.assertEqual((watcher.priority, watcher.use_sockets), (4, True))

    def test_an_arbiter(self) -> None:
        own = [{"use": "os.Own", "name": "own"}]
        arbiter = Arbiter(
            *([SLEEP], *self.endpoints, 2.0, None, None, None, False, None, False, None),
            *(own, [{"name": "s", "port": 0}], 1, False, "localhost", 8080, False, False),
            *(False, None, "me", f"{self.folder}/pid", None, None, None, "blue", 0o22, None),
        )
        self.assertEqual([one.name for one in arbiter.watchers], ["own", "a"])
        self.assertEqual((list(arbiter.sockets), arbiter.warmup_delay), (["s"], 1))
        self.assertEqual((arbiter.proc_name, arbiter.umask), ("me", 0o22))
        self.assertTrue(arbiter.fqdn.startswith("blue@"))
        with self.assertRaisesRegex(TypeError, "plugins is given by position and by name"):
            Arbiter([], "a", "b", 1, None, None, None, 0, None, 0, None, own, plugins=own)

    def test_get_arbiter(self) -> None:
        arbiter = get_arbiter(
            *((SLEEP,), *self.endpoints, False, None, False, None, {}, None, None, True),
            *("thread", False, None, False, "circusd", None, 3.0),
        )
        self.assertIsInstance(arbiter, ThreadedArbiter)
        self.assertEqual((arbiter.check_delay, arbiter.proc_name), (3.0, "circusd"))
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            get_arbiter([SLEEP], *self.endpoints, env={"A": "b"}, httpd_port=8080)
        said = [record.getMessage() for record in caught.records]
        self.assertEqual(said, ["get_arbiter: env has no effect; give it to the watchers"])

    def test_some_of_the_watchers(self) -> None:
        second = {"name": "b", "cmd": "sleep 1000"}
        third = {"name": "c", "cmd": "sleep 1000", "autostart": False}
        arbiter = self.started(SLEEP, second, third)

        def chosen(reverse: bool = True) -> list[Watcher]:
            return [one for one in arbiter.iter_watchers(reverse) if one.name != "a"]

        arbiter.stop_watchers(chosen).result()
        stopped = {"a": "active", "b": "stopped", "c": "stopped"}
        self.assertEqual(arbiter.statuses(), stopped)
        arbiter.start_watchers(watcher_iter_func=chosen).result()
        self.assertEqual(arbiter.statuses(), {**stopped, "b": "active"})
        before = arbiter.get_watcher("a").pids
        arbiter.restart(False, chosen).result()
        self.assertEqual(arbiter.get_watcher("a").pids, before)
        arbiter.restart(watcher_iter_func=lambda: []).result()


if __name__ == "__main__":
    unittest.main()
