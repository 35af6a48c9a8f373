"""Deadlines and timers: order, cancelling, and what a pass may not do."""

from __future__ import annotations

import gc
import random
import sys
import unittest
import weakref

from cvec_circus.base.timers import FEW, Agenda, TimerQueue


class TestAgenda(unittest.TestCase):
    def setUp(self) -> None:
        self.agenda: Agenda[str] = Agenda()

    def test_the_earliest_comes_first(self) -> None:
        for item, at in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
            self.agenda.set(item, at)
        self.assertEqual(self.agenda.next_at(), 1.0)
        self.assertEqual(self.agenda.pop_due(2.0), ["a", "b"])
        self.assertEqual(self.agenda.next_at(), 3.0)
        self.assertEqual(len(self.agenda), 1)

    def test_equal_deadlines_keep_their_order(self) -> None:
        for item in "cab":
            self.agenda.set(item, 1.0)
        self.assertEqual(self.agenda.pop_due(1.0), ["c", "a", "b"])

    def test_another_deadline_replaces_the_first(self) -> None:
        self.agenda.set("a", 1.0)
        self.agenda.set("a", 5.0)
        self.assertEqual(self.agenda.pop_due(4.0), [])
        self.agenda.set("a", 2.0)
        self.assertEqual(self.agenda.pop_due(4.0), ["a"])
        self.assertEqual(self.agenda.pop_due(9.0), [])

    def test_back_to_the_first_deadline_is_still_one(self) -> None:
        for at in (1.0, 2.0, 1.0):
            self.agenda.set("a", at)
        self.assertEqual(self.agenda.pop_due(3.0), ["a"])

    def test_none_strikes_it_off(self) -> None:
        self.agenda.set("a", 1.0)
        self.agenda.set("a", None)
        self.agenda.set("b", None)
        self.assertIsNone(self.agenda.next_at())
        self.assertNotIn("a", self.agenda)

    def test_who_is_on_it_and_when(self) -> None:
        self.agenda.set("a", 1.0)
        self.agenda.set("b", 2.0)
        self.agenda.set("a", 3.0)
        self.assertIn("a", self.agenda)
        self.assertEqual((self.agenda.at("a"), self.agenda.at("c")), (3.0, None))
        self.assertEqual(sorted(self.agenda.entries()), [("a", 3.0), ("b", 2.0)])
        self.assertEqual(len(self.agenda), 2)

    def test_a_deadline_moved_for_ever_does_not_fill_the_heap(self) -> None:
        self.agenda.set("b", 1e9)
        for number in range(10_000):
            self.agenda.set("a", float(number))
        self.assertLess(len(self.agenda._heap), 200)
        self.assertEqual(self.agenda.pop_due(1e9), ["a", "b"])

    def test_what_is_struck_off_is_let_go_of(self) -> None:
        for number in range(10_000):
            self.agenda.set(str(number), 1e9)
        for number in range(10_000):
            self.agenda.set(str(number), None)
        self.assertLess(len(self.agenda._heap), 200)

    def test_an_emptied_one_takes_no_more_than_a_new_one(self) -> None:
        self.agenda.set("a", 1.0)
        self.agenda.pop_due(1.0)
        self.assertEqual(sys.getsizeof(self.agenda._due_at), sys.getsizeof({}))

    def test_against_a_plain_dictionary(self) -> None:
        rng = random.Random(1)
        agenda: Agenda[int] = Agenda()
        plain: dict[int, float] = {}
        for now in range(3000):
            item, at = rng.randrange(50), now + rng.choice([0.0, 1.0, 20.0])
            agenda.set(item, at)
            plain[item] = at
            if rng.random() < 0.2:
                agenda.set(item := rng.randrange(50), None)
                plain.pop(item, None)
            self.assertEqual(agenda.next_at(), min(plain.values(), default=None))
            due = agenda.pop_due(float(now))
            self.assertEqual(sorted(due), sorted(i for i, at in plain.items() if at <= now))
            plain = {item: at for item, at in plain.items() if at > now}


class TimerQueueTest(unittest.TestCase):
    def setUp(self):
        self.queue = TimerQueue()
        self.calls = []

    def at(self, when, word):
        return self.queue.call_at(when, self.calls.append, word)

    def test_runs_what_is_due_soonest_first(self):
        self.at(3.0, "c")
        self.at(1.0, "a")
        self.at(2.0, "b")
        self.queue.run_due(2.0)
        self.assertEqual(self.calls, ["a", "b"])
        self.assertEqual(self.queue.next_at(), 3.0)

    def test_equal_instants_keep_the_order_of_the_asking(self):
        for word in "abcde":
            self.at(1.0, word)
        self.queue.run_due(1.0)
        self.assertEqual("".join(self.calls), "abcde")

    def test_nothing_to_come(self):
        self.assertIsNone(self.queue.next_at())
        self.queue.run_due(1e9)
        self.assertEqual(len(self.queue), 0)

    def test_a_cancelled_one_is_not_called_and_is_no_deadline(self):
        first = self.at(1.0, "a")
        self.at(2.0, "b")
        first.cancel()
        first.cancel()
        self.assertFalse(first.pending)
        self.assertEqual(len(self.queue), 1)
        self.assertEqual(self.queue.next_at(), 2.0)
        self.queue.run_due(5.0)
        self.assertEqual(self.calls, ["b"])

    def test_cancelling_what_has_run_changes_nothing(self):
        timer = self.at(1.0, "a")
        self.at(2.0, "b")
        self.queue.run_due(1.0)
        self.assertFalse(timer.pending)
        timer.cancel()
        self.assertEqual(len(self.queue), 1)

    def test_one_may_cancel_another_of_the_same_pass(self):
        timers = []
        self.queue.call_at(1.0, lambda: timers[0].cancel())
        timers.append(self.at(2.0, "b"))
        self.queue.run_due(2.0)
        self.assertEqual(self.calls, [])

    def test_one_may_cancel_itself_while_it_runs(self):
        timers = []
        timers.append(self.queue.call_at(1.0, lambda: timers[0].cancel()))
        self.queue.run_due(1.0)
        self.assertEqual(len(self.queue), 0)

    def test_what_is_asked_for_in_a_pass_waits_for_the_next(self):
        def again():
            self.calls.append("again")
            self.queue.call_at(0.0, again)

        self.queue.call_at(1.0, again)
        self.at(2.0, "other")
        self.queue.run_due(2.0)
        self.assertEqual(self.calls, ["again", "other"])
        self.queue.run_due(2.0)
        self.assertEqual(self.calls, ["again", "other", "again"])

    def test_one_that_raises_does_not_lose_the_others(self):
        def fail():
            raise RuntimeError("no")

        self.queue.call_at(1.0, fail)
        self.at(2.0, "b")
        self.at(3.0, "c")
        with self.assertRaises(RuntimeError):
            self.queue.run_due(5.0)
        self.assertEqual(len(self.queue), 2)
        self.queue.run_due(5.0)
        self.assertEqual(self.calls, ["b", "c"])

    def test_a_cancelled_timer_lets_go_of_its_call_at_once(self):
        class Thing:
            pass

        thing = Thing()
        alive = weakref.ref(thing)
        timer = self.queue.call_at(1.0, print, thing)
        del thing
        timer.cancel()
        gc.collect()
        self.assertIsNone(alive())

    def test_the_heap_does_not_grow_with_cancelled_deadlines(self):
        for n in range(10_000):
            self.queue.call_at(1e6 + n, print).cancel()
        self.at(1.0, "a")
        self.assertLessEqual(len(self.queue._heap), FEW + 2)
        self.queue.run_due(1.0)
        self.assertEqual(self.calls, ["a"])

    def test_agrees_with_a_sorted_list_whatever_happens(self):
        rng = random.Random(7)
        expected = {}
        for n in range(3000):
            act = rng.random()
            if act < 0.6:
                when = rng.uniform(0, 100)
                expected[n] = (when, self.at(when, n))
            elif act < 0.95 and expected:
                expected.pop(rng.choice(list(expected)))[1].cancel()
            else:
                now = rng.uniform(0, 20)
                due = sorted((when, n) for n, (when, _) in expected.items() if when <= now)
                self.calls.clear()
                self.queue.run_due(now)
                self.assertEqual(self.calls, [n for _, n in due])
                for _, n in due:
                    del expected[n]
            self.assertEqual(len(self.queue), len(expected))
