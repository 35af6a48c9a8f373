"""depends_on and part_of: what waits for what, at the start and at the stop."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.campaign import stop_order
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome
from tests.support.world import STUBBORN, FakeWorld


class DependencyCase(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0

    def add(self, name: str, needs: Any = None, **options: Any) -> Watcher:
        return self.world.add(name, depends_on=needs or {}, **options)

    def start(self, *watchers: Watcher) -> None:
        self.world.start(list(watchers) or None, "command:start", None)
        self.world.settle()

    def order(self, action: str) -> list[str]:
        """The watchers in the order in which they did that."""
        return [name for _, name, done, _ in self.world.events if done == action]


class TestStart(DependencyCase):
    def test_each_condition(self) -> None:
        for condition, at in (("started", 0.0), ("ready", 2.0), (None, 2.0)):
            with self.subTest(condition):
                self.setUp()
                self.add("db", min_uptime=2.0)
                self.add("web", {"db": condition})
                self.start()
                self.world.advance(10)
                began = [when for when, name, action, _ in self.world.events if action == "start"]
                self.assertEqual(self.order("start"), ["db", "web"])
                self.assertEqual(began[1] - began[0], at)

    def test_of_what_runs_once(self) -> None:
        for condition, exit_code, starts in (
            (None, 0, True),
            (None, 1, False),
            ("succeeded", 1, False),
            ("completed", 1, True),
        ):
            with self.subTest(condition=condition, exit_code=exit_code):
                self.setUp()
                self.add("migrate", respawn=False)
                web = self.add("web", {"migrate": condition})
                self.start()
                self.assertIn("waits for migrate", self.world.why(web))
                self.world.advance(5)
                self.world.die(100, exit_code)
                self.world.settle()
                self.assertEqual(web.is_up, starts)

    def test_a_chain_and_a_diamond(self) -> None:
        self.add("d", ["b", "c"])
        self.add("b", ["a"])
        self.add("c", ["a"])
        self.add("a")
        self.start()
        self.world.advance(1.5)
        self.assertEqual(self.order("start"), ["a", "b", "c"])
        self.world.advance(10)
        self.assertEqual(self.order("start"), ["a", "b", "c", "d"])

    def test_a_chain_of_a_hundred(self) -> None:
        names = [f"w{number:02}" for number in range(100)]
        for name, before in zip(names[::-1], [*names[-2::-1], None]):
            self.add(name, before and [before])
        self.start()
        self.world.advance(200)
        self.assertEqual(self.order("start"), names)

    def test_a_fan_of_five_hundred(self) -> None:
        for number in range(500):
            self.add(f"w{number}", ["db"])
        self.add("db")
        self.start()
        self.assertEqual(self.order("start"), ["db"])
        self.world.advance(1)
        self.assertEqual(len(self.order("start")), 501)

    def test_a_circle_waits_and_says_so(self) -> None:
        watchers = [self.add(f"w{n}", [f"w{(n + 1) % 20}"]) for n in range(20)]
        self.start()
        self.world.advance(100)
        self.assertEqual(self.world.spawned, [])
        said = "waits for w1 to be ready, which waits for itself: a circle of depends_on"
        self.assertEqual(self.world.why(watchers[0]), said)
        self.world.stop(None, "command:stop", None)
        self.world.advance(1)
        self.assertTrue(self.world.roster.is_down)

    def test_it_wins_over_the_priority(self) -> None:
        self.add("web", ["db"], priority=10)
        self.add("db", priority=1)
        self.add("other", priority=0)
        self.start()
        self.world.advance(1)
        self.assertEqual(self.order("start"), ["db", "other", "web"])

    def test_one_that_does_not_exist_yet(self) -> None:
        web = self.add("web", ["db"])
        self.start()
        self.assertEqual(self.world.why(web), "waits for db to be ready; there is no watcher db")
        db = self.add("DB")
        self.start(db)
        self.world.advance(1)
        self.assertTrue(web.is_up)

    def test_what_is_needed_is_started_too(self) -> None:
        self.add("a", autostart=False)
        self.add("b", ["a"], autostart=False)
        web = self.add("web", ["b"], autostart=False)
        self.start(web)
        self.world.advance(5)
        self.assertEqual(self.order("start"), ["a", "b", "web"])

    def test_unless_an_order_stopped_it(self) -> None:
        db, web = self.add("db"), self.add("web", ["db"])
        self.start()
        self.world.advance(5)
        self.world.stop([db, web], "command:stop", None)
        self.world.advance(5)
        outcomes, wait = self.world.wait()
        self.world.start([web], "command:start", wait)
        self.world.advance(5)
        self.assertEqual(db.status, "stopped")
        said = "waits for db to be ready: it was stopped"
        self.assertEqual(self.world.why(web), said)
        self.assertEqual(outcomes[0].error, f"start of web: it {said}")
        self.start(db)
        self.world.advance(1)
        self.assertTrue(web.is_up)

    def test_what_has_done_its_work_is_not_run_again(self) -> None:
        self.add("migrate", respawn=False)
        web = self.add("web", ["migrate"])
        self.start()
        self.world.die(100, 0)
        self.world.settle()
        self.world.restart([web], "command:restart", None)
        self.world.advance(5)
        self.assertEqual(self.order("spawn"), ["migrate", "web", "web"])

    def test_one_that_fails_is_named_and_waited_for(self) -> None:
        db, web = self.add("db", max_retry=1), self.add("web", ["db"])
        self.world.refuse = FileNotFoundError(2, "no such file")
        self.start()
        self.world.advance(1)
        self.assertIn("waits for db to be ready: [Errno 2] no such file", self.world.why(web))
        self.world.refuse = None
        self.start(db)
        self.world.advance(1)
        self.assertTrue(web.is_up)

    def test_a_dependency_given_while_it_waits(self) -> None:
        self.add("db"), self.add("cache", autostart=False)
        web = self.add("web", ["nothing"])
        self.start()
        self.world.set_options(web, {"depends_on": {"db": ""}}, "command:set", None)
        self.world.advance(1)
        self.assertTrue(web.is_up)

    def test_a_crash_of_what_is_needed_stops_nothing(self) -> None:
        self.add("db"), self.add("web", ["db"])
        self.start()
        self.world.advance(5)
        self.world.die(100, -9)
        self.world.advance(5)
        self.assertNotIn("stop", self.world.actions("web"))


class TestStop(DependencyCase):
    def test_of_all_goes_backwards_and_waits_for_real_ends(self) -> None:
        self.add("db"), self.add("web", ["db"]), self.add("proxy", ["web"]), self.add("other")
        self.start()
        self.world.advance(10)
        self.world.stop(None, "command:stop", None)
        self.world.advance(0.5)
        self.assertEqual(sorted(self.order("kill")), ["other", "proxy"])
        self.world.advance(10)
        self.assertEqual(sorted(self.order("stop")[:2]), ["other", "proxy"])
        self.assertEqual(self.order("stop")[2:], ["web", "db"])

    def test_no_longer_than_the_timeout_of_the_shutdown(self) -> None:
        self.add("db", graceful_timeout=2)
        self.add("web", ["db"], graceful_timeout=2)
        self.start()
        self.world.advance(5)
        self.world.temper = "immortal"
        self.world.stop(None, "command:stop", None)
        self.world.advance(6.9)
        self.assertEqual(self.order("kill"), ["web"])
        self.world.advance(0.2)
        self.assertEqual(self.order("kill"), ["web", "db"])

    def test_a_quit_goes_backwards_too(self) -> None:
        self.world.temper = STUBBORN
        self.add("db", graceful_timeout=1), self.add("web", ["db"], graceful_timeout=1)
        self.start()
        self.world.advance(5)
        self.world.shut_down("signal:TERM")
        self.world.advance(10)
        self.assertEqual(self.order("stop"), ["web", "db"])
        self.assertTrue(self.world.roster.is_down)


class TestParts(DependencyCase):
    def up(self) -> tuple[Watcher, Watcher]:
        db = self.add("db")
        web = self.world.add("web", part_of="db")
        self.start()
        self.world.advance(10)
        self.assertTrue(web.is_up)
        return db, web

    def test_a_stop_takes_it_down_and_a_start_brings_it_back(self) -> None:
        db, web = self.up()
        self.world.stop([db], "command:stop", None)
        self.world.advance(5)
        self.assertEqual((db.life.value, web.life.value), ("down", "waiting"))
        self.assertTrue(web.goal.up)
        self.assertIn("waits for db", self.world.why(web))
        self.start(db)
        self.world.advance(5)
        self.assertTrue(web.is_up)

    def test_a_restart_restarts_it(self) -> None:
        db, web = self.up()
        self.world.restart([db], "command:restart", None)
        self.world.advance(5)
        self.assertTrue(db.is_up and web.is_up)
        self.assertEqual(self.order("stop").count("web"), 1)

    def test_so_does_a_giving_up(self) -> None:
        db, web = self.up()
        self.world.roster.steps.give_up(db, "it cannot go on")
        self.world.roster.touch(db)
        self.world.advance(5)
        self.assertEqual(web.life.value, "waiting")

    def test_a_crash_and_a_rollout_do_not(self) -> None:
        db, _ = self.up()
        self.world.die(100, 1)
        self.world.advance(5)
        self.world.reload([db], "command:reload", False, None)
        self.world.advance(5)
        self.assertNotIn("stop", self.world.actions("web"))

    def test_a_stop_waits_for_its_end(self) -> None:
        self.world.temper = STUBBORN
        db = self.add("db", graceful_timeout=1)
        web = self.world.add("web", part_of="db", graceful_timeout=1)
        leaf = self.world.add("leaf", part_of="web", graceful_timeout=3)
        self.start()
        self.world.advance(10)
        outcomes, wait = self.world.wait()
        self.world.stop([db], "command:stop", wait)
        self.world.advance(2)
        self.assertEqual((db.is_gone, web.is_gone, leaf.is_gone, outcomes), (True, True, False, []))
        self.world.advance(5)
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertTrue(leaf.is_gone and leaf.goal.up)

    def test_a_part_of_a_part(self) -> None:
        db, _ = self.up()
        leaf = self.world.add("leaf", part_of=["web"])
        self.start(leaf)
        self.world.advance(5)
        self.world.stop([db], "command:stop", None)
        self.world.advance(5)
        self.assertEqual(leaf.life.value, "waiting")


class TestStopWithDependants(DependencyCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.add("db")
        self.add("web", ["db"])
        self.front = self.add("front", ["web"])
        self.add("part", part_of=["db"])
        self.add("other")
        self.start()
        self.world.advance(10)

    def stop(self, with_dependants: bool) -> list[Outcome]:
        outcomes, wait = self.world.wait()
        order = orders.Stop([self.db], Cause("command:stop"), with_dependants=with_dependants)
        self.world.roster.give(order, wait)
        self.world.settle()
        return outcomes

    def test_each_after_what_depends_on_it(self) -> None:
        outcomes = self.stop(True)
        ends = [(at, name) for at, name, action, _ in self.world.events if action == "stop"]
        self.assertEqual((ends, outcomes), ([], []))
        self.world.advance(10)
        ended = {name: at for at, name, action, _ in self.world.events if action == "stop"}
        self.assertEqual(set(ended), {"db", "web", "front", "part"})
        self.assertEqual((ended["front"], ended["web"]), (ended["part"], ended["front"] + 1))
        self.assertEqual(ended["db"], ended["web"] + 1)
        self.assertEqual([outcome.error for outcome in outcomes], [None])

    def test_in_the_order_that_is_told(self) -> None:
        found = self.world.roster.with_dependants([self.db])
        told = [one.name for one in stop_order(found)]
        self.stop(True)
        self.world.advance(10)
        ended = [name for _, name, action, _ in self.world.events if action == "stop"]
        self.assertEqual((set(told), told[-2:]), (set(ended), ["web", "db"]))
        self.assertLess(told.index("front"), told.index("web"))

    def test_the_order_of_a_circle(self) -> None:
        self.world.set_options(self.db, {"depends_on": {"web": ""}}, "command:set", None)
        found = self.world.roster.with_dependants([self.db])
        told = [one.name for one in stop_order(found)]
        self.assertEqual(sorted(told), ["db", "front", "part", "web"])
        self.assertLess(told.index("front"), told.index("web"))

    def test_one_that_is_down_is_left_alone(self) -> None:
        self.world.stop([self.front], "command:start", None)
        self.world.advance(5)
        found = self.world.roster.with_dependants([self.db])
        self.assertEqual([one.name for one in found], ["db", "part", "web"])

    def test_without_them(self) -> None:
        self.stop(False)
        self.world.advance(10)
        self.assertEqual(sorted(self.order("stop")), ["db", "part"])

    def test_those_in_a_circle_stop_together(self) -> None:
        self.world.set_options(self.db, {"depends_on": {"web": ""}}, "command:set", None)
        self.world.stop(None, "command:stop", None)
        self.world.advance(5)
        ended = {name: at for at, name, action, _ in self.world.events if action == "stop"}
        self.assertEqual(ended["db"], ended["web"])
        self.assertEqual(ended["web"], ended["front"] + 1)

    def test_amid_a_start_of_all(self) -> None:
        self.world.add("last", priority=-1)
        self.world.restart(None, "command:restart", None)
        self.world.advance(0.5)
        self.stop(True)
        self.world.advance(120)
        up = {one.name for one in self.world.roster.watchers() if one.is_up}
        self.assertEqual(up, {"other", "last"})


if __name__ == "__main__":
    unittest.main()
