"""What is in the ledger at which moment of a turn, and what that costs, in a fake world."""

from __future__ import annotations

import os
import unittest
from typing import Any
from unittest import mock

from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.survival.bookkeeper import AT, Bookkeeper, LedgerBookkeeper
from cvec_circus.supervisor.survival.ledger import VERSION, Head, Ledger, read
from cvec_circus.system.statedir import StateDir
from tests.core.test_costs import took
from tests.support.daemon import folder
from tests.support.world import FakeWorld

PROCESSES = 50

MOST = 200e-6
"""Seconds of processor time that a respawn may cost: ten times what it may on a quiet machine."""


class BooksCase(unittest.TestCase):
    """Worlds with a ledger. Owned by the test."""

    def setUp(self) -> None:
        self.folder = StateDir(str(folder(self) / "state"))
        self.folder.hold()
        self.addCleanup(self.folder.close)

    def books(self, is_in_memory: bool = True) -> LedgerBookkeeper:
        """Return what keeps a ledger on such a file system."""
        self.folder.is_in_memory = is_in_memory
        loop = Loop()
        self.addCleanup(loop.close)
        ledger = Ledger(self.folder, Head(VERSION, "boot", 7, ["run"], 1), {}, print)
        made = LedgerBookkeeper(ledger, loop)
        self.addCleanup(made.end, False)
        return made

    def world(self, books: Bookkeeper) -> FakeWorld:
        """Return a world in which these are kept."""
        with mock.patch("tests.support.world.Bookkeeper", return_value=books):
            return FakeWorld()

    def entries(self) -> dict[str, Any]:
        """Return what a daemon would find that came now."""
        found = read(self.folder)
        assert found is not None
        return found[1]


class TestAnnounced(BooksCase):
    """A crash between the start of a process and the line about it does not lose the process."""

    def test_until_the_end_of_the_turn(self) -> None:
        books = self.books()
        world = self.world(books)
        with mock.patch.object(books, "launched", wraps=books.launched) as launched:
            seen: list[bool] = []
            launched.side_effect = lambda *_: seen.append(AT in self.entries()) or mock.DEFAULT
            watcher = world.up(numprocesses=3)
            books.flush()
            self.assertNotIn(AT, self.entries())
            world.die(watcher.places.pids()[0])
            books.flush(more=True)
            self.assertIn(AT, self.entries())
            world.settle()
            self.assertEqual(seen, [True] * 4)
            books.flush()
        self.assertNotIn(AT, self.entries())

    def test_a_new_watcher_is_there_before_its_first_process(self) -> None:
        seen: list[bool] = []
        patient = mock.patch("cvec_circus.supervisor.survival.ledger.SETTLE_TIMEOUT", 10)
        for is_in_memory in (True, False):
            books = self.books(is_in_memory)
            world = self.world(books)
            with patient, mock.patch.object(books, "launched") as launched:
                launched.side_effect = lambda *_: seen.append("watcher 1" in self.entries())
                world.up()
        self.assertEqual(seen, [True, True])

    def test_an_order_is_there_when_it_is_answered(self) -> None:
        """On a thread too, and before anything else of it is done."""
        patient = mock.patch("cvec_circus.supervisor.survival.ledger.SETTLE_TIMEOUT", 10)
        for is_in_memory in (True, False):
            books = self.books(is_in_memory)
            world = self.world(books)
            with patient:
                watcher = world.up()
                world.stop([watcher], "command:stop", None)
                books.ordered(world.roster.touched)
                _, is_up, *_ = self.entries()["watcher 1"]["goal"]
                self.assertFalse(is_up)
                path = self.folder.file("ledger")
                before = os.path.getsize(path)
                books.ordered(world.roster.touched)
                self.assertEqual(os.path.getsize(path), before, "nothing is new")

    def test_that_a_process_is_asked_to_end(self) -> None:
        """It is known before the signal, or its end would look like one of its own."""
        world = self.world(self.books())
        watcher = world.up()
        seen: list[bool] = []

        def send(process: ManagedProcess, signum: int) -> None:
            seen.append("stopping 1 1" in self.entries())

        with mock.patch.object(world.ports.signals, "send", send):
            world.stop([watcher], "command:stop", None)
            world.settle()
        self.assertEqual(seen, [True, True])  # SIGCONT follows


class TestCosts(BooksCase):
    def up(self, books: Bookkeeper) -> tuple[FakeWorld, Watcher]:
        """Return a world whose processes run."""
        world = self.world(books)
        watcher = world.up(numprocesses=PROCESSES, backoff=False, min_uptime=0)
        world.advance(60)
        books.flush()
        return world, watcher

    def die(self, world: FakeWorld, watcher: Watcher, at_once: int) -> None:
        """Let so many processes end in each turn, until all have."""
        for number, pid in enumerate(watcher.places.pids(), 1):
            world.die(pid, 1)
            if number % at_once == 0:
                world.books.flush(more=True)
                world.settle()
                world.books.flush()
        self.assertEqual(len(world.alive), PROCESSES)

    def test_a_respawn(self) -> None:
        for at_once in (1, PROCESSES):
            with self.subTest(at_once=at_once):
                without, with_one = (
                    min(self.respawn(*self.up(books), at_once) for _ in range(3))
                    for books in (Bookkeeper(), self.books())
                )
                self.assertLess(with_one - without, MOST)

    def respawn(self, world: FakeWorld, watcher: Watcher, at_once: int, rounds: int = 10) -> float:
        """Return the seconds of one."""

        def die() -> None:
            for _ in range(rounds):
                self.die(world, watcher, at_once)

        return took(die) / rounds / PROCESSES

    def test_the_writes_of_a_turn_do_not_depend_on_what_it_starts(self) -> None:
        world, watcher = self.up(self.books())
        for at_once in (1, PROCESSES):
            with self.subTest(at_once=at_once):
                with mock.patch("os.write", side_effect=os.write) as write:
                    self.die(world, watcher, at_once)
                self.assertEqual(write.call_count, 2 * PROCESSES / at_once)


if __name__ == "__main__":
    unittest.main()
