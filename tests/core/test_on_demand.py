"""Watchers that start when somebody connects."""

from __future__ import annotations

import unittest
from unittest import mock

from cvec_circus.core.watcher import Watcher
from tests.support.world import FakeWorld


class TestOnDemand(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5

    def up(self, **options: object) -> Watcher:
        return self.world.up(on_demand=True, use_sockets=True, **options)

    def connect(self, watcher: Watcher) -> None:
        self.world.connect(watcher)
        self.world.advance(0)

    def test_nothing_runs_before_somebody_connects(self) -> None:
        watcher = self.up(numprocesses=2)
        self.world.advance(60)
        self.assertEqual((watcher.status, self.world.spawned), ("stopped", []))
        self.assertEqual(self.world.why(watcher), "waits for a connection")
        self.connect(watcher)
        self.assertEqual((watcher.status, len(watcher.places.fresh)), ("active", 2))
        self.assertEqual(self.world.listening, set())
        self.assertEqual([p["cause"] for p in self.world.payloads("start")], ["connection"])

    def test_a_start_is_done_when_it_waits(self) -> None:
        watcher = self.world.add(on_demand=True, use_sockets=True)
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        self.assertIsNone(outcomes[0].error)

    def test_what_ends_is_not_replaced_before_the_next_connection(self) -> None:
        watcher = self.up(numprocesses=2)
        self.connect(watcher)
        first, second = self.world.spawned
        self.world.advance(60)
        self.world.die(first)
        self.world.advance(60)
        self.assertEqual((watcher.status, self.world.listening), ("active", set()))
        self.world.die(second)
        self.world.advance(60)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(self.world.listening, {watcher})
        self.connect(watcher)
        self.assertEqual(len(watcher.places.fresh), 2)

    def test_a_command_that_dies_at_once_backs_off(self) -> None:
        watcher = self.up()
        for _ in range(200):
            self.world.connect(watcher)  # the connection is still there
            self.world.advance(0.05)
            if self.world.alive:
                self.world.die(next(iter(self.world.alive)), 1)
            self.world.settle()
        self.assertLess(len(self.world.spawned), 20)
        self.assertIn("backoff", self.world.actions())

    def test_an_order_lets_it_start_at_once(self) -> None:
        watcher = self.up()
        for _ in range(8):
            self.world.connect(watcher)
            self.world.advance(3)
            self.world.die(next(iter(self.world.alive)), 1)
            self.world.settle()
        count = len(self.world.spawned)
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.connect(watcher)
        self.assertEqual(len(self.world.spawned), count + 1)

    def test_a_stop_ends_the_waiting(self) -> None:
        watcher = self.up()
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assertEqual(self.world.listening, set())

    def test_a_connection_at_the_moment_of_a_stop_is_forgotten(self) -> None:
        watcher = self.world.up(on_demand=True, use_sockets=True)
        self.world.connect(watcher)
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(self.world.spawned, [])
        self.assertTrue(watcher.rests)

    def test_a_removal_ends_it_too(self) -> None:
        for nostop in (False, True):
            watcher = self.up()
            self.world.remove(watcher, "command:rm", nostop, None)
            self.world.settle()
            self.assertEqual(self.world.listening, set())

    def test_the_end_ends_it_too(self) -> None:
        self.up()
        self.world.shut_down("command:quit")
        self.world.settle()
        self.assertEqual(self.world.listening, set())
        self.assertTrue(self.world.roster.is_down)

    def test_a_restart_ends_what_runs_and_waits_again(self) -> None:
        watcher = self.up()
        self.connect(watcher)
        outcomes, wait = self.world.wait()
        self.world.restart([watcher], "command:restart", wait)
        self.world.advance(1)
        self.assertEqual(self.world.listening, {watcher})
        self.assertIsNone(outcomes[0].error)

    def test_a_reload_replaces_what_runs(self) -> None:
        watcher = self.up(numprocesses=2)
        self.connect(watcher)
        outcomes, wait = self.world.wait()
        self.world.reload([watcher], "command:reload", False, wait)
        self.world.advance(1)
        self.assertEqual(self.world.pids(watcher), self.world.spawned[2:])
        self.assertIsNone(outcomes[0].error)

    def test_a_reload_of_what_waits_is_done(self) -> None:
        watcher = self.up()
        outcomes, wait = self.world.wait()
        self.world.reload([watcher], "command:reload", False, wait)
        self.world.settle()
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(self.world.listening, {watcher})

    def test_a_size_is_for_the_next_connection(self) -> None:
        watcher = self.up()
        outcomes, wait = self.world.wait()
        self.world.resize(watcher, 3, "command:incr", wait)
        self.world.settle()
        self.assertIsNone(outcomes[0].error)
        self.connect(watcher)
        self.assertEqual(len(watcher.places.fresh), 3)

    def test_it_can_be_switched_while_it_runs(self) -> None:
        watcher = self.up()
        self.world.set_options(watcher, {"on_demand": False}, "command:set", None)
        self.world.settle()
        self.assertEqual((watcher.status, self.world.listening), ("active", set()))
        self.world.set_options(watcher, {"on_demand": True}, "command:set", None)
        self.world.die(self.world.spawned[0])
        self.world.settle()
        self.assertEqual(self.world.listening, {watcher})

    def test_another_command_may_have_other_sockets(self) -> None:
        watcher = self.up()
        with mock.patch.object(self.world, "listen") as listens:
            self.world.set_options(watcher, {"cmd": "other"}, "command:set", None)
            self.assertEqual(self.world.listening, set())
            self.world.settle()
            listens.assert_called_once_with(watcher)

    def test_without_a_socket_it_gives_up(self) -> None:
        watcher = self.world.add(on_demand=True, use_sockets=True)
        watcher.change({"use_sockets": False})
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(watcher.reason, "it has no socket")

    def test_lower_priorities_do_not_wait_for_a_connection(self) -> None:
        self.world.add("db", on_demand=True, use_sockets=True, priority=5)
        web = self.world.add("web")
        self.world.start(None, "config", None)
        self.world.settle()
        self.assertEqual(web.status, "active")

    def test_hooks_stand_before_the_start_that_a_connection_asks_for(self) -> None:
        self.world.answers["before_start"] = None
        watcher = self.up(hooks=["before_start"])
        self.assertEqual(self.world.hook_calls, [])
        self.connect(watcher)
        self.assertEqual(self.world.spawned, [])
        self.world.answer("before_start")
        self.world.advance(0)
        self.assertEqual(len(watcher.places.fresh), 1)


if __name__ == "__main__":
    unittest.main()
