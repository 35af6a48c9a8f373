"""No memory in the middle of a turn, and what is set aside for that."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import unittest
from unittest import mock

from cvec_circus.base import reserve
from tests.support.loops import LoopTestCase


def lacking():
    raise MemoryError


class TestLoop(LoopTestCase):
    def test_a_turn_without_memory_is_told_and_made_again(self):
        refused, beats, work = [MemoryError(), MemoryError()], [], self.loop._work

        def starve(readable):
            beats.append(self.loop.beats % 2)
            if refused:
                self.loop.beats -= 1  # the end of the turn is not counted either
                raise refused.pop()
            work(readable)

        self.loop.post(self.loop.stop)
        with mock.patch.object(self.loop, "_work", starve):
            self.loop.run()
        self.assertEqual(beats, [1, 1, 1])  # what the watchdog takes for work
        self.assertEqual([(type(e), name) for e, name in self.errors], 2 * [(MemoryError, "turn")])

    def test_what_lacks_memory_is_not_repeated_at_once(self):
        calls = []

        def starve():
            calls.append(None)
            raise MemoryError

        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        self.addCleanup(os.close, write_fd)
        os.write(write_fd, b"x")
        self.loop.add_reader(read_fd, starve)
        self.loop.call_later(0.5, self.loop.stop)
        self.loop.run()
        self.loop.remove_reader(read_fd)
        self.assertLess(len(calls), 20)

    def test_what_is_set_aside_is_given_back(self):
        self.addCleanup(reserve.kept.clear)
        reserve.make_room()
        self.loop.post(lacking)
        self.loop.post(self.loop.stop)
        self.loop.run()
        self.assertFalse(reserve.kept)
        reserve.make_room()

        def work(readable):
            self.loop.stop()
            raise MemoryError

        with mock.patch.object(self.loop, "_work", work):
            self.loop.run()
        self.assertFalse(reserve.kept)


class TestReserve(unittest.TestCase):
    def setUp(self) -> None:
        self.addCleanup(reserve.kept.clear)

    def test_it_takes_no_page(self) -> None:
        def resident() -> int:
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()

        before = resident()
        reserve.make_room()
        reserve.make_room()
        self.assertTrue(reserve.kept)
        self.assertLess(resident() - before, reserve.SIZE // 2)

    def test_it_is_there_when_memory_is_gone(self) -> None:
        program = (
            "import resource\n"
            "from cvec_circus.base import reserve\n"
            "reserve.make_room()\n"
            "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
            "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
            "for _ in range(2):\n"
            "    reserve.make_room()\n"
            "    print(len(reserve.kept), len(bytes(reserve.SIZE // 8)))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, timeout=60, check=True
        )
        self.assertEqual(done.stdout, 2 * (b"0 %d\n" % (reserve.SIZE // 8)))


if __name__ == "__main__":
    unittest.main()
