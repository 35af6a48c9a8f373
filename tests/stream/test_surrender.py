"""Pumps that give their pipes back."""

import os
import threading
import unittest

from cvec_circus.stream.pumps import Pumps
from tests.stream.support import never
from tests.stream.test_pumps import PumpsTestCase, filled, threads


class SurrenderTest(PumpsTestCase):
    def test_pipes_are_surrendered_unread(self):
        writers = {}
        for name in ("x/log", "y/log"):
            self.open(name, name)
            writers[name] = self.pipe(name)
            writers[name].write(b"before\nhalf")
            self.assert_shows(b"before\n", name)
        reached, taken = threading.Event(), []
        self.pump.reach(reached.set)
        self.assertTrue(reached.wait(20))
        self.assertTrue(self.pump.surrender(taken.extend))
        self.assertTrue(self.pump.join(20))
        self.assertEqual(sorted(pipe.key for pipe in taken), ["x/log", "y/log"])
        self.assertEqual(threads(), [])
        for writer in writers.values():
            writer.write(b" after\n")
        self.pump = Pumps(self.context, never)
        for name in ("x/log", "y/log"):
            self.open(name, name)
        for pipe in taken:
            self.assertEqual(filled(pipe.fd), len(b" after\n"))
            self.pump.add(pipe.key, pipe.fd, pipe.pid, pipe.source, None, pipe.line)
        for name in ("x/log", "y/log"):
            self.assert_shows(b"before\nhalf after\n", name)

    def test_what_is_closing_is_read_before(self):
        self.open("x", "x/log")
        writer = self.pipe("x")
        writer.write(b"first\n")
        self.assert_shows(b"first\n", "x/log")
        taken = []
        hold = threading.Event()
        self.pump._lanes["0:2"].do(hold.wait, 20)
        self.pump.close("x", 60)
        writer.write(b"last\n")
        hold.set()
        self.pump.surrender(taken.extend)
        self.assertTrue(self.pump.join(20))
        self.assertEqual(self.text("x/log"), b"first\nlast\n")
        (pipe,) = taken
        os.close(pipe.fd)

    def test_one_that_hangs_is_not_reached(self):
        gate, reached = threading.Event(), threading.Event()
        self.addCleanup(gate.set)
        self.open("x", "x/log")
        self.flush()
        self.pump._lanes["0:2"].do(gate.wait, 60)
        self.pump.reach(reached.set)
        self.assertFalse(reached.wait(0.1))
        gate.set()
        self.assertTrue(reached.wait(20))


if __name__ == "__main__":
    unittest.main()
