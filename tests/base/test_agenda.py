"""The agenda: one deadline an item, the earliest first."""

from __future__ import annotations

import random
import unittest

from cvec_circus.base.agenda import Agenda


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


if __name__ == "__main__":
    unittest.main()
