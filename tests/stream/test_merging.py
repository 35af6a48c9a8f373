"""The lines of several histories in one order."""

from __future__ import annotations

import random
import unittest

from cvec_circus.stream import merging
from cvec_circus.stream.history import ROOM, Arrivals, History
from cvec_circus.stream.merging import Found, Search
from tests.support.clock import FakeClock


def result(search: Search) -> Found:
    while True:
        try:
            next(search)
        except StopIteration as end:
            return end.value


class MergingCase(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = FakeClock()
        self.arrivals = Arrivals()
        self.histories = [History(10**6, self.clock, self.arrivals) for _ in range(3)]

    def write(self, index: int, text: str, pid: int = 7) -> None:
        self.histories[index].append(text.encode(), pid)

    def last(self, count: int, not_before: float = 0.0) -> list[str]:
        search = merging.last(self.histories, count, self.arrivals.next(), not_before)
        return self.texts(result(search))

    def behind(self, number: int, **how: object) -> tuple[list[str], Found]:
        limits = {"most_lines": 1000, "most_bytes": 10**6, **how}
        found = result(merging.behind(self.histories, number, self.arrivals.next(), **limits))
        return self.texts(found), found

    def texts(self, found: Found) -> list[str]:
        return [f"{index}{line.text.decode()}" for index, line in found.lines]


class TestMerging(MergingCase):
    def test_the_order_is_that_of_the_ends(self) -> None:
        self.write(0, "a\nb")
        self.write(1, "c\nd\n")
        self.write(0, "e\n")
        self.write(2, "f")
        self.assertEqual(self.last(9), ["0a", "1c", "1d", "0be", "2f"])
        self.assertEqual(self.last(2), ["0be", "2f"])
        self.assertEqual(self.last(0), [])
        texts, found = self.behind(0)
        self.assertEqual((texts, found.more), (["0a", "1c", "1d", "0be"], False))
        self.assertEqual(self.behind(0, with_rest=True)[0][-1], "2f")
        self.write(2, "g\n")
        self.assertEqual(self.behind(found.next)[0], ["2fg"])

    def test_a_page_at_a_time(self) -> None:
        for number in range(30):
            self.write(number % 3, f"{number}\n{number}!\n")
        whole, _ = self.behind(0)
        for limits in ({"most_lines": 7}, {"most_bytes": 11}):
            texts: list[str] = []
            found = Found([], 0, True)
            while found.more:
                page, found = self.behind(found.next, **limits)
                texts += page
                self.assertTrue(0 < len(page) <= 7)
            self.assertEqual(texts, whole)
        self.assertEqual(len(whole), 60)

    def test_a_horizon(self) -> None:
        self.write(0, "a\n")
        horizon = self.arrivals.next()
        self.write(0, "b\n")
        for search in (
            merging.last(self.histories, 9, horizon),
            merging.behind(self.histories, 0, horizon, 9, 99),
        ):
            found = result(search)
            self.assertEqual((self.texts(found), found.next), (["0a"], horizon))
        self.assertEqual(self.behind(horizon)[0], ["0b"])

    def test_how_old(self) -> None:
        self.write(0, "a\nb")
        self.clock.advance(60)
        at = self.clock.time()
        self.write(0, "!\n")
        self.write(1, "c\n")
        self.assertEqual(self.last(9, at), ["1c"])
        self.write(0, "rest")
        self.clock.advance(1)
        later = self.clock.time()
        self.assertEqual(self.behind(0, not_before=at, with_rest=True)[0], ["1c", "0rest"])
        self.assertEqual(self.behind(0, not_before=later, with_rest=True)[0], [])

    def test_what_is_gone(self) -> None:
        self.histories[1].limit = 5000
        self.write(1, "first\n")
        before = self.arrivals.next()
        for number in range(2000):
            self.write(1, f"{number}\n")
        self.assertGreater(self.histories[1].dropped, before)
        texts, found = self.behind(before)
        self.assertEqual(texts[-1], "11999")
        self.assertLess(self.histories[1].dropped, found.lines[0][1].number)

    def test_large_blocks(self) -> None:
        block = b"".join(b"%07d\n" % number for number in range(ROOM // 8))
        self.histories[0].append(block, 1)
        self.histories[1].append(block, 2)
        texts, found = self.behind(0, most_lines=ROOM // 8 + 1)
        self.assertEqual((len(texts), texts[-1], found.more), (ROOM // 8 + 1, "10000000", True))
        self.assertEqual(self.behind(found.next, most_lines=1)[0], ["10000001"])

    def test_made_up_histories(self) -> None:
        for seed in range(30):
            with self.subTest(seed=seed):
                self.setUp()
                self.play(random.Random(seed))

    def play(self, chance: random.Random) -> None:
        """Write at random, read in pages now and then; a simple model keeps the order."""
        model: list[str] = []
        begun: dict[tuple[int, int], str] = {}
        seen: list[str] = []
        place = 0
        for step in range(300):
            index, pid = chance.randrange(3), chance.randrange(2)
            text = chance.choice(["x", "y\n", "\n", "ab\ncd", "z" * 5000 + "\n"])
            self.histories[index].append(text.encode(), pid)
            *lines, rest = (begun.get((index, pid), "") + text).split("\n")
            model += [f"{index}{line}" for line in lines]
            begun[index, pid] = rest
            if chance.random() < 0.1 or step == 299:
                more = True
                while more:
                    page, found = self.behind(place, most_lines=5)
                    seen += page
                    place, more = found.next, found.more
        self.assertEqual(seen, model)
        found = result(merging.last(self.histories, 50, self.arrivals.next()))
        whole = self.texts(Found([row for row in found.lines if row[1].has_end], 0))
        self.assertEqual((len(found.lines), whole), (50, model[-len(whole) :]))


class TestOneProcess(MergingCase):
    def test_its_last_lines(self) -> None:
        for number in range(100):
            self.histories[0].append(b"%d\n" % number, number % 2, 5)
        _, lines = self.histories[0].last(2, pid=0)
        self.assertEqual([(line.text, line.wid) for line in lines], [(b"96", 5), (b"98", 5)])
        self.assertEqual(self.histories[0].last(2, pid=9)[1], [])

    def test_it_is_told_when_something_comes(self) -> None:
        told: list[int] = []
        self.arrivals.tell = lambda: told.append(1)
        self.write(1, "x")
        self.write(2, "x")
        self.assertEqual(told, [1])


if __name__ == "__main__":
    unittest.main()
