"""A test case that leaves nothing behind."""

from __future__ import annotations

import functools
import gc
import os
import threading
import unittest
from collections.abc import Callable

import psutil

from tests.support.eventually import eventually


class LeakCheckedTestCase(unittest.TestCase):
    """Fails a test that leaves a thread, a file descriptor or a child process behind.

    A `setUp` of its own begins with `super().setUp()`, so that what it adds to the clean-up runs
    before the check.
    """

    def setUp(self) -> None:
        super().setUp()
        _spare_what_is_loaded()
        gc.collect()
        self.addCleanup(self._assert_nothing_new, [(look, look()) for look in LOOKS])

    def _assert_nothing_new(self, before: list[tuple[Callable[[], dict], dict]]) -> None:
        gc.collect()
        new: list[str] = []

        def nothing_new() -> bool:
            new[:] = [
                name
                for look, known in before
                for key, name in look().items()
                if known.get(key) != name
            ]
            return not new

        if not eventually(nothing_new, 2.0):
            self.fail(f"left behind: {sorted(new)}")


@functools.cache
def _spare_what_is_loaded() -> None:
    """Have no collection look at the modules of the suite, which stay: 30 ms, twice a test."""
    gc.collect()
    gc.freeze()


def threads() -> dict[object, str]:
    """Name the threads of this process that have begun.

    An exception of a signal handler in `Thread.start` can leave two kinds of threads behind: one
    that is in the list of `threading` and was never started, and one that waits forever for the
    lock of its own "has started" event. Nothing can end either.
    """
    begun = [thread for thread in threading.enumerate() if thread.is_alive()]
    return {thread: f"thread {thread.name}" for thread in begun}


def files() -> dict[object, str]:
    """Name the open files of this process."""
    names = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            names[fd] = f"fd {fd}: {os.readlink(f'/proc/self/fd/{fd}')}"
        except OSError:
            pass  # the one that the listing itself was made with
    return dict(names)


def children() -> dict[object, str]:
    """Name the child processes of this process, zombies too."""
    found: dict[object, str] = {}
    for pid in child_pids():
        try:
            found[pid] = f"child {pid} {psutil.Process(pid).status()}"
        except psutil.NoSuchProcess:
            pass  # somebody has collected it meanwhile
    return found


def child_pids() -> list[int]:
    """List the pids of the children; the kernel keeps a list for each thread."""
    pids: list[int] = []
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children") as file:
                pids += map(int, file.read().split())
    except FileNotFoundError:
        pids = [child.pid for child in psutil.Process().children()]
    return pids


LOOKS = (threads, files, children)
