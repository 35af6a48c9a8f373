"""How often the children are listed while very many of them end."""

from __future__ import annotations

import unittest
from collections import deque
from unittest import mock

from cvec_circus.base.loop import Loop
from cvec_circus.supervisor.families import Families
from cvec_circus.supervisor.reaper import Reaper


class FakeFinder:
    """Counts the looks that are not served by the one before."""

    def __init__(self) -> None:
        self.is_fresh = False
        self.lists: list[int] = []
        self.exited: deque[int] = deque()

    def new_batch(self) -> None:
        self.is_fresh = False

    def look(self, done: object) -> None:
        if not self.is_fresh:
            self.lists.append(len(self.exited))
        self.is_fresh = True

    def soon(self) -> None:
        pass


class TestLooks(unittest.TestCase):
    def setUp(self) -> None:
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        self.finder = FakeFinder()
        outsiders = mock.Mock(**{"exited.return_value": None})
        self.exited = self.finder.exited
        self.reaper = Reaper(
            self.loop,
            self.loop.wakeup.fd,  # type: ignore[arg-type]  # something that can be read
            mock.Mock(),
            Families(),
            outsiders,
            self.finder,  # type: ignore[arg-type]
            mock.Mock(),
            self.exited,
            mock.Mock(),
        )

    def work(self) -> bool:
        """Collect one exit: no turn is long enough for two."""
        return self.reaper.work(lambda: True)

    def test_one_look_serves_all_that_were_dead_before_it(self) -> None:
        self.exited.extend(range(1000, 2000))
        while self.work():
            pass
        self.assertEqual(len(self.finder.lists), 1)

    def test_those_that_die_later_are_looked_for_anew(self) -> None:
        self.exited.extend((1000, 1001, 1002))
        self.work()
        self.exited.extend((1003, 1004))
        while self.work():
            pass
        self.assertEqual(self.finder.lists, [2, 1])
        self.exited.append(1005)
        self.work()
        self.assertEqual(self.finder.lists, [2, 1, 0])


if __name__ == "__main__":
    unittest.main()
