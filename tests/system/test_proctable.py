"""The process table, with real processes."""

import os
import platform
import signal
import subprocess
import unittest

from cvec_circus.base.clock import SYSTEM
from cvec_circus.system import proctable
from tests.support.children import Child
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


class RowTest(LeakCheckedTestCase):
    def test_ourselves(self):
        row = proctable.row(os.getpid())
        self.assertEqual((row.pid, row.ppid, row.pgrp), (os.getpid(), os.getppid(), os.getpgrp()))
        self.assertTrue(row.runs)
        self.assertEqual(proctable.start_time(os.getpid()), row.start_time)
        began = proctable.boot_time() + row.start_time / os.sysconf("SC_CLK_TCK")
        self.assertLess(abs(SYSTEM.time() - began), 86_400)

    def test_nobody(self):
        gone = Child(self, "wait")
        gone.end()
        for pid in (gone.pid, 0, -1, 2**31 - 1):
            self.assertIsNone(proctable.row(pid))
            self.assertIsNone(proctable.start_time(pid))

    def test_a_name_with_parentheses_and_blanks(self):
        program = "import sys; open('/proc/self/comm', 'w').write(') R 1 (x'); print('ready'); "
        program += "sys.stdin.read()"
        child = subprocess.Popen(
            ["python3", "-I", "-u", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.addCleanup(child.communicate)
        child.stdout.readline()
        row = proctable.row(child.pid)
        self.assertEqual((row.pid, row.ppid), (child.pid, os.getpid()))
        self.assertIn(row.state, "SR")

    def test_a_zombie_does_not_run(self):
        child = Child(self, "wait")
        before = proctable.row(child.pid)
        self.assertTrue(before.runs)
        os.kill(child.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not proctable.row(child.pid).runs))
        self.assertEqual(proctable.row(child.pid).start_time, before.start_time)

    @unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "the call has no number here")
    def test_a_process_whose_main_thread_has_ended_runs(self):
        row = proctable.row(Child(self, "headless").pid)
        self.assertEqual(row.state, proctable.ZOMBIE)
        self.assertTrue(row.runs)


class TableTest(LeakCheckedTestCase):
    def test_everybody_is_in_it_once(self):
        child = Child(self, "wait")
        pids = [row.pid for row in proctable.rows()]
        self.assertEqual(len(pids), len(set(pids)))
        self.assertLessEqual({os.getpid(), child.pid}, set(pids))

    def test_descendants_parents_first(self):
        child = Child(self, "tree", 3)
        below = proctable.descendants(child.pid)
        self.assertEqual(len(below), 3)
        self.assertEqual(
            [proctable.row(pid).ppid for pid in below], [child.pid, below[0], below[1]]
        )
        self.assertEqual(proctable.descendants(child.pid, recursive=False), below[:1])
        self.assertEqual(proctable.descendants(below[2]), [])
        self.assertLessEqual({child.pid, *below}, set(proctable.descendants(os.getpid())))
