"""Waiting replies of other orders, time-outs, and answers that give orders."""

from __future__ import annotations

import errno
import math
import unittest

from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Configure, Start, Stop
from cvec_circus.wire.outcome import Outcome, Wait
from tests.core.waiting_case import WaitingCase
from tests.support.world import IMMORTAL, STUBBORN, FakeWorld

MISSING = FileNotFoundError(errno.ENOENT, "no such file")


class TestSizes(WaitingCase):
    def test_more_when_they_run(self) -> None:
        watcher = self.world.up(warmup_delay=5)
        outcomes = self.resize(watcher, 3)
        self.world.advance(9.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        outcome = self.assert_done(outcomes)
        self.assertEqual((outcome.started, outcome.numprocesses), ([101, 102], 3))

    def test_fewer_when_the_others_are_gone(self) -> None:
        watcher = self.world.up(numprocesses=3)
        outcomes = self.resize(watcher, 1)
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        self.assertEqual(self.assert_done(outcomes).stopped, [100, 101])

    def test_of_a_watcher_that_is_down_at_once(self) -> None:
        self.assert_done(self.resize(self.world.add(), 3))

    def test_and_of_one_that_is_stopping(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assert_done(self.resize(watcher, 3))

    def test_overtaken_by_a_later_stop(self) -> None:
        watcher = self.world.up("w1", warmup_delay=5)
        outcomes = self.resize(watcher, 3)
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assert_fails(
            outcomes, "change of numprocesses of w1 abandoned: a later order stopped it"
        )

    def test_overtaken_by_another_size(self) -> None:
        """One that goes on in the same direction leaves the order its wish."""
        for size, later, is_done in (
            *((3, 2, False), (3, 0, False), (3, 3, True), (3, 4, True)),
            *((1, 2, False), (1, 3, False), (1, 1, True), (1, 0, True)),
        ):
            with self.subTest(size=size, later=later):
                self.setUp()
                watcher = self.world.up(numprocesses=2, warmup_delay=5)
                self.world.advance(5)
                outcomes = self.resize(watcher, size)
                self.resize(watcher, later)
                by = f"a later order set numprocesses to {later}"
                said = f"change of numprocesses of web abandoned: {by}"
                if not is_done:
                    self.assert_fails(outcomes, said)
                self.world.advance(30)
                self.assertEqual([one.error for one in outcomes], [None if is_done else said])

    def test_a_set_wants_its_very_number(self) -> None:
        for later, is_done in ((2, False), (3, True), (4, False)):
            with self.subTest(later):
                self.setUp()
                watcher = self.world.up(warmup_delay=5)
                outcomes, wait = self.world.wait()
                self.world.set_options(watcher, {"numprocesses": 3}, "command:set", wait)
                self.world.settle()
                self.resize(watcher, later)
                self.world.advance(30)
                said = f"set of web abandoned: a later order set numprocesses to {later}"
                self.assertEqual([one.error for one in outcomes], [None if is_done else said])

    def test_by_whom(self) -> None:
        for actor, why, by in (
            ("client (pid 7, uid 0)", "", "client (pid 7, uid 0) stopped it"),
            ("plugin:flapping", "flaps", "plugin:flapping stopped it (flaps)"),
            ("", "", "a later order stopped it"),
        ):
            with self.subTest(actor):
                watcher = self.world.up(f"of{actor[:6]}", warmup_delay=5)
                outcomes = self.resize(watcher, 3)
                self.roster.give(Stop([watcher], Cause("command:stop", actor, why)))
                self.world.settle()
                text = f"change of numprocesses of {watcher.name} abandoned: {by}"
                self.assert_fails(outcomes, text)

    def test_a_process_that_does_not_end_is_named(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(numprocesses=2, graceful_timeout=1)
        outcomes = self.resize(watcher, 1)
        self.world.advance(6)
        self.assert_fails(outcomes, "change of numprocesses of web: process 100 does not end")


class TestHopeless(WaitingCase):
    """The end of a chain was stopped, and is not started but by an order."""

    def setUp(self) -> None:
        super().setUp()
        self.db = self.world.add("db")
        self.cache = self.world.add("cache", depends_on=["db"])
        self.web = self.world.add("web", part_of=["cache"])
        self.behind = "waits for cache to be ready, which waits for db to be ready"

    def test_known_before(self) -> None:
        self.order("stop", [self.db])
        why = f"it {self.behind}: it was stopped"
        for word in ("start", "reload", "restart"):
            with self.subTest(word):
                self.assert_fails(self.order(word, [self.web]), f"{word} of web: {why}")

    def test_a_reload_of_all_asks_nothing_of_what_waits(self) -> None:
        other = self.world.up("other", min_uptime=0)
        self.order("start", [self.web])
        self.order("stop", [self.db])
        self.world.advance(2)
        self.order("stop", [self.cache])
        self.order("start", [self.web, self.cache])
        outcomes = self.order("reload", None)
        self.assertEqual(outcomes, [])
        self.world.advance(2)
        self.assert_done(outcomes)
        self.assertTrue(other.is_up)

    def test_but_waits_for_what_it_tries_again(self) -> None:
        self.world.refuse = MISSING
        self.order("start", [self.web])
        self.world.advance(60)
        self.assertEqual(self.db.goal.word, "giveup")
        self.world.refuse = None
        outcomes = self.order("reload", None)
        self.assertEqual(outcomes, [])
        self.world.advance(20)
        self.assert_done(outcomes)
        self.assertTrue(self.web.is_up)

    def test_it_comes_about_meanwhile(self) -> None:
        outcomes = self.order("start", [self.web])
        self.assertEqual(outcomes, [])
        self.world.remove(self.db, "command:rm", False, None)
        self.world.advance(2)
        why = f"it {self.behind}; there is no watcher db"
        self.assert_fails(outcomes, f"start of web: {why}")

    def test_another_size_or_option_is_taken_all_the_same(self) -> None:
        self.order("stop", [self.db])
        self.order("start", [self.web])
        outcomes = self.resize(self.web, 3)
        said = f"it {self.behind}: it was stopped"
        self.assert_fails(outcomes, f"change of numprocesses of web: {said}")
        self.assertEqual(self.web.goal.numprocesses, 3)
        for proved in (False, True):
            with self.subTest(proved=proved):
                outcomes: list[Outcome] = []
                wait = Wait(outcomes.append, proved=proved)
                self.world.set_options(self.web, {"cmd": f"{proved}"}, "command:set", wait)
                self.world.settle()
                self.assert_done(outcomes)

    def test_a_job_that_was_over_before_it_was_ready(self) -> None:
        """What has done its work was ready; what has failed was not, and how is said."""
        for code, said in ((0, ""), (3, "process 100 exited with 3")):
            with self.subTest(code):
                self.setUp()
                world = FakeWorld()
                job = world.add("job", respawn=False)
                web = world.add("web", depends_on={"job": "ready"})
                world.start(None, "config", None)
                world.advance(0.3)
                world.die(100, code)
                world.advance(1)
                self.assertEqual(web.is_up, code == 0)
                self.assertTrue(job.has_completed)
                why = world.why(web)
                self.assertEqual(why, f"waits for job to be ready: {said}" if said else "")

    def test_a_circle(self) -> None:
        self.world.set_options(self.db, {"part_of": ["web"]}, "command:set", None)
        outcomes = self.order("start", [self.web])
        why = "it waits for cache to be ready, which waits for itself: a circle of depends_on"
        self.assert_fails(outcomes, f"start of web: {why}")
        self.assertFalse(self.roster.turn())


class TestKill(WaitingCase):
    def kill(self, watcher: Watcher, *wids: int) -> list[Outcome]:
        outcomes, wait = self.world.wait()
        chosen = [watcher.places.slots[wid] for wid in wids]
        self.world.kill(watcher, chosen, None, None, wait)
        self.world.settle()
        return outcomes

    def test_when_those_are_gone_with_all_they_left(self) -> None:
        self.world.leftovers = 1.0
        watcher = self.world.up(numprocesses=2)
        outcomes = self.kill(watcher, 1)
        self.world.advance(1.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assertEqual(self.assert_done(outcomes).stopped, [100])

    def test_nobody_to_kill_is_done(self) -> None:
        self.assert_done(self.kill(self.world.add()))

    def test_one_that_does_not_end_is_named(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        outcomes = self.kill(watcher, 1)
        self.world.advance(6)
        self.assert_fails(outcomes, "kill of web: process 100 does not end")


class TestTimeouts(WaitingCase):
    def test_the_answer_says_what_is_missing(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(graceful_timeout=30)
        outcomes = self.order("stop", [watcher], timeout=3)
        self.world.advance(2.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assert_fails(
            outcomes,
            "stop timed out after 3 s: web is stopping"
            " (process 100 has not ended; SIGKILL in 27.0 s)",
        )
        self.world.advance(60)
        self.assertEqual(len(outcomes), 1)

    def test_three_of_many_are_named(self) -> None:
        self.world.temper = STUBBORN
        for name in "abcde":
            self.world.up(name)
        outcomes = self.order("stop", None, timeout=0.5)
        self.world.advance(1)
        error = outcomes[0].error or ""
        self.assertTrue(error.startswith("stop timed out after 0.5 s: a is stopping"), error)
        self.assertTrue(error.endswith("; and 2 more"), error)
        self.assertEqual(error.count("has not ended"), 3)

    def test_three_of_many_that_fail_are_told(self) -> None:
        """The others are named, and counted: the reasons of thirty are no line to read."""
        self.world.refuse = MISSING
        watchers = [self.world.add(f"w{number}", max_retry=0) for number in range(10)]
        outcomes, wait = self.world.wait()
        starts = [Start([one], Cause("command:start")) for one in watchers]
        self.roster.give(Configure(starts, (), Cause("command:start")), wait)
        self.world.settle()
        (outcome,) = outcomes
        error = outcome.error or ""
        self.assertEqual(error.count(" gave up: "), 3, error)
        self.assertTrue(error.endswith("; 7 more failed: w3, w4, w5, w6, w7 and 2 more"), error)
        self.assertEqual(len(outcome.failed), 10)

    def test_a_watcher_is_described_once(self) -> None:
        """An order that comes to several for one watcher waits for several ends of it."""
        self.world.temper = STUBBORN
        watchers = [self.world.up(name) for name in "abc"]
        stops = [Stop([one], Cause("command:stop")) for one in (*watchers, *watchers)]
        outcomes, wait = self.world.wait(0.5)
        self.roster.give(Configure(stops, (), Cause("command:stop")), wait)
        self.world.advance(1)
        error = outcomes[0].error or ""
        self.assertEqual((error.count("has not ended"), error.count("more")), (3, 0), error)

    def test_why_it_does_not_start(self) -> None:
        self.world.luck = 0.5
        self.world.refuse = MISSING
        outcomes = self.order("start", [self.world.add(max_retry=-1)], timeout=0.25)
        self.world.advance(1)
        self.assert_fails(
            outcomes,
            "start timed out after 0.25 s: "
            "web is in backoff ([Errno 2] no such file; next start in 0.1 s)",
        )

    def test_an_answer_that_came_in_time_leaves_no_deadline(self) -> None:
        watcher = self.world.up()
        self.assert_done(self.order("start", [watcher], timeout=60))
        self.world.advance(1)  # it has been proved by then
        self.assertEqual(self.world.next_at(), math.inf)

    def test_the_order_itself_goes_on(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(graceful_timeout=5)
        self.order("stop", [watcher], timeout=1)
        self.world.advance(5)
        self.assertTrue(watcher.is_gone)


class TestGone(WaitingCase):
    """Nobody is kept in mind for ever."""

    def test_a_client_that_is_gone_is_forgotten(self) -> None:
        self.world.temper = STUBBORN
        a, b = self.world.up("a"), self.world.up("b", graceful_timeout=5)
        outcomes, wait = self.world.wait()
        self.world.stop([a, b], "command:stop", wait)
        self.world.settle()
        others = self.order("stop", [b])
        wait.gone()
        self.world.advance(60)
        self.assertEqual(outcomes, [])
        self.assert_done(others)
        self.world.advance(1)  # it has been proved by then
        self.assertEqual(self.world.next_at(), math.inf)

    def test_its_order_goes_on(self) -> None:
        watcher = self.world.up()
        _, wait = self.world.wait(60)
        self.world.stop([watcher], "command:stop", wait)
        wait.gone()
        self.world.advance(2)
        self.assertTrue(watcher.is_gone)
        self.world.advance(1)  # it has been proved by then
        self.assertEqual(self.world.next_at(), math.inf)

    def test_after_the_answer_it_means_nothing(self) -> None:
        watcher = self.world.up()
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        wait.gone()
        self.assert_done(outcomes)

    def test_a_reply_waits_for_an_hour_at_most(self) -> None:
        self.world.answers["before_stop"] = None
        watcher = self.world.up(hooks=["before_stop"])
        plain = self.order("stop", [watcher])
        longer = self.order("stop", [watcher], timeout=7200)
        self.world.advance(3599.9)
        self.assertEqual((plain, longer), ([], []))
        self.world.advance(0.1)
        hook = "web is stopping (waits for the answer of its hook before_stop)"
        self.assert_fails(plain, f"stop timed out after 3600 s: {hook}")
        self.assert_fails(longer, f"stop timed out after 3600 s: {hook}")


class TestAnswersThatOrder(WaitingCase):
    def test_who_is_answered_may_give_an_order_on_the_spot(self) -> None:
        watcher = self.world.up()
        outcomes: list[Outcome] = []

        def start(outcome: Outcome) -> None:
            self.world.start([watcher], "command:start", Wait(outcomes.append))

        self.world.stop([watcher], "command:stop", Wait(start))
        self.world.advance(5)
        self.assertEqual(self.assert_done(outcomes).started, [101])


if __name__ == "__main__":
    unittest.main()
