"""Following a process group, with a process table that says what the test wants."""

from __future__ import annotations

import os
import signal
from typing import Any
from unittest import mock

from cvec_circus.supervisor import leftovers
from cvec_circus.supervisor.leftovers import Leftovers
from cvec_circus.system import proctable
from cvec_circus.system.proctable import ProcessRow
from tests.support.leaks import LeakCheckedTestCase

LEADER = 4_000_001


class Process:
    """All that is asked of a process here."""

    pid = LEADER


class Immediate:
    """A loop and its chores in one: everything happens at once, but what is put off."""

    def __init__(self) -> None:
        self.later: list[Any] = []

    def do(self, fn: Any, *args: Any) -> None:
        fn(*args)

    post = do

    def do_later(self, fn: Any, *args: Any) -> None:
        self.later.append((fn, args))


class Exits:
    """An exit watcher of processes that are there as long as `there` says so."""

    def __init__(self, there: set[int]) -> None:
        self.there = there
        self.sent: list[tuple[int, int]] = []

    def add(self, pid: int, start_time: int | None = None) -> bool:
        return pid in self.there

    def discard(self, pid: int) -> None:
        self.there.discard(pid)

    def send_signal(self, pid: int, signum: int) -> bool:
        self.sent.append((pid, signum))
        return True


def row(pid: int) -> ProcessRow:
    return ProcessRow(pid, 1, LEADER, "S", 12345)


class TestLeftovers(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.emptied: list[Any] = []
        self.tables: list[list[ProcessRow]] = []
        self.empty = False
        for target, name, stub in (
            (proctable, "members", lambda pgid: iter(self.tables.pop(0))),
            (leftovers, "is_empty", lambda pgid: self.empty),
        ):
            patch = mock.patch.object(target, name, stub)
            patch.start()
            self.addCleanup(patch.stop)
        self.world: Any = Immediate()
        self.exits: Any = Exits({10, 11, 12})
        self.process: Any = Process()
        self.leftovers = Leftovers(
            self.world,
            self.world,
            self.exits,
            lambda watcher, process: self.emptied.append(process),
        )

    def track(self, *tables: list[int]) -> None:
        self.tables = [[row(pid) for pid in table] for table in tables]
        self.leftovers.track(mock.Mock(), self.process)

    def test_nobody_is_left(self) -> None:
        self.track([])
        self.assertEqual(self.emptied, [self.process])

    def test_survivors_go_one_by_one(self) -> None:
        self.track([10, 11])
        self.assertTrue(self.leftovers.exited(10))
        self.assertEqual(self.emptied, [])
        self.empty = True
        self.assertTrue(self.leftovers.exited(11))
        self.assertEqual(self.emptied, [self.process])
        self.assertFalse(self.leftovers.exited(11))

    def test_survivors_with_children_of_their_own(self) -> None:
        self.track([10], [11, 12], [])
        self.assertEqual(self.exits.sent, [])  # SIGTERM has gone to the whole group
        self.leftovers.exited(10)
        self.assertEqual(self.exits.sent, [(11, signal.SIGTERM), (12, signal.SIGTERM)])
        self.exits.sent.clear()
        self.leftovers.kill(self.process)
        self.assertEqual(set(self.exits.sent), {(11, signal.SIGKILL), (12, signal.SIGKILL)})
        self.leftovers.exited(12)
        self.leftovers.exited(11)
        self.assertEqual(self.emptied, [self.process])

    def test_one_that_turns_up_after_the_kill(self) -> None:
        self.track([10], [11], [])
        self.leftovers.kill(self.process)
        self.leftovers.exited(10)
        self.assertEqual(self.exits.sent, [(10, signal.SIGKILL), (11, signal.SIGKILL)])

    def test_one_that_was_gone_before_it_was_watched(self) -> None:
        self.track([99], [])
        self.assertEqual(self.emptied, [self.process])

    def test_a_number_that_is_used_again(self) -> None:
        # A stranger has got the leader's number, and has children in a group of that number.
        self.exits.there |= {LEADER}
        self.track([10], [LEADER, 11, 12])
        self.leftovers.kill(self.process)
        self.leftovers.exited(10)
        self.assertEqual(self.emptied, [self.process])
        self.assertEqual(self.exits.sent, [(10, signal.SIGKILL)])


class TestIsEmpty(LeakCheckedTestCase):
    def test_a_group(self) -> None:
        self.assertFalse(leftovers.is_empty(os.getpgrp()))
        self.assertTrue(leftovers.is_empty(LEADER))
