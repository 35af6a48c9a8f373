"""Process groups by pidfd or by a leader left uncollected; orphans that come to us."""

from __future__ import annotations

import os
import signal
import subprocess
import unittest
from unittest import mock

from cvec_circus.system import collecting, exits, pidfd, prctl, proctable
from tests.support.children import Child
from tests.support.daemon import gone
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


class GroupTest(LeakCheckedTestCase):
    """Where the kernel reaches groups by pidfd."""

    reaches_groups = True

    def setUp(self):
        super().setUp()
        if self.reaches_groups and not pidfd.reaches_groups():
            self.skipTest("this kernel reaches no groups by pidfd")
        patch = mock.patch.object(pidfd, "reaches_groups", lambda: self.reaches_groups)
        patch.start()
        self.addCleanup(patch.stop)
        self.watcher = exits.choose()
        self.addCleanup(self.watcher.close)

    def family(self, *args):
        """Start a leader with a child in its group; return both pids."""
        leader = Child(self, "wait", "fork", *args)
        (child,) = proctable.descendants(leader.pid)
        self.watcher.add(leader.pid)
        return leader, child

    def end(self, leader):
        """Kill the leader alone, and take its group."""
        os.kill(leader.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: collecting.peek(leader.pid)))
        ended, group = collecting.end(leader.pid, self.watcher.release(leader.pid))
        self.addCleanup(group.close)
        leader.collected()
        self.assertEqual(ended, collecting.Exit(-9))
        return group

    def test_a_signal_reaches_all_while_the_leader_lives(self):
        leader, child = self.family()
        self.assertTrue(self.watcher.send_to_group(leader.pid, signal.SIGKILL))
        self.assertTrue(gone(leader.pid, child))

    def test_a_signal_reaches_what_a_dead_leader_has_left(self):
        leader, child = self.family()
        group = self.end(leader)
        self.assertNotEqual(group.is_empty(), True)
        self.assertTrue(group.send(signal.SIGKILL))
        self.assertTrue(gone(child))

    def test_nothing_after_the_end(self):
        leader, child = self.family()
        group = self.end(leader)
        group.send(signal.SIGKILL)
        self.assertTrue(gone(child))
        group.close()
        group.close()
        self.assertFalse(group.send(signal.SIGTERM))
        self.assertIsNone(proctable.row(leader.pid))

    def test_one_that_other_code_has_collected(self):
        leader, child = self.family()
        os.kill(leader.pid, signal.SIGKILL)
        os.waitpid(leader.pid, 0)
        leader.collected()
        ended, group = collecting.end(leader.pid, self.watcher.release(leader.pid))
        self.addCleanup(group.close)
        self.assertTrue(ended.status_lost)
        group.send(signal.SIGKILL)
        os.kill(child, signal.SIGKILL)

    def test_no_stranger_s_group(self):
        self.assertFalse(self.watcher.send_to_group(os.getpid(), signal.SIGKILL))


class OlderKernelTest(GroupTest):
    """Where it does not: the leader stays uncollected until its group is closed."""

    reaches_groups = False

    def test_the_leader_holds_the_number(self):
        leader, child = self.family()
        group = self.end(leader)
        self.assertEqual(proctable.row(leader.pid).state, proctable.ZOMBIE)
        self.assertIsNone(group.is_empty())
        os.kill(child, signal.SIGKILL)
        group.close()
        self.assertIsNone(proctable.row(leader.pid))


class EmptyTest(LeakCheckedTestCase):
    @unittest.skipUnless(pidfd.reaches_groups(), "this kernel reaches no groups by pidfd")
    def test_a_group_is_empty_when_its_last_member_is_collected(self):
        prctl.set_subreaper(True)
        self.addCleanup(prctl.set_subreaper, False)
        watcher = exits.choose()
        self.addCleanup(watcher.close)
        leader = Child(self, "wait", "fork")
        (member,) = proctable.descendants(leader.pid)
        watcher.add(leader.pid)
        os.kill(leader.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: collecting.peek(leader.pid)))
        _, group = collecting.end(leader.pid, watcher.release(leader.pid))
        self.addCleanup(group.close)
        leader.collected()
        os.kill(member, signal.SIGKILL)
        self.assertTrue(eventually(lambda: collecting.peek(member)))
        self.assertFalse(group.is_empty())
        collecting.collect(member)
        self.assertTrue(group.is_empty())
        self.assertFalse(group.send(signal.SIGTERM))


class SubreaperTest(LeakCheckedTestCase):
    def test_children(self):
        child = Child(self, "wait")
        self.assertIn(child.pid, proctable.children())
        os.kill(child.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: collecting.peek(child.pid)))
        self.assertIn(child.pid, proctable.children())

    def test_an_orphan_comes_to_us(self):
        prctl.set_subreaper(True)
        self.addCleanup(prctl.set_subreaper, False)
        leader = Child(self, "wait", "fork")
        (below,) = proctable.descendants(leader.pid)
        self.assertNotIn(below, proctable.children())
        os.kill(leader.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: below in proctable.children()))
        os.kill(below, signal.SIGKILL)
        os.waitpid(below, 0)


class SendOnceTest(LeakCheckedTestCase):
    def test_by_start_time(self):
        child = Child(self, "wait")
        began = proctable.start_time(child.pid)
        self.assertFalse(pidfd.send_once(child.pid, began + 1, signal.SIGUSR1))
        self.assertTrue(pidfd.send_once(child.pid, began, signal.SIGUSR1))
        self.assertEqual(child.lines.until("signal"), "USR1")
        child.end()
        self.assertFalse(pidfd.send_once(child.pid, began, signal.SIGUSR1))

    def test_without_pidfds(self):
        child = Child(self, "wait")
        began = proctable.start_time(child.pid)
        with mock.patch.object(os, "pidfd_open", side_effect=OSError(38, "not implemented")):
            self.assertFalse(pidfd.send_once(child.pid, began + 1, signal.SIGUSR1))
            self.assertTrue(pidfd.send_once(child.pid, began, signal.SIGUSR1))
        self.assertEqual(child.lines.until("signal"), "USR1")


class HiddenTest(LeakCheckedTestCase):
    def test_what_proc_hides_is_not_there(self):
        with mock.patch.object(os, "open", side_effect=PermissionError(1, "hidden")):
            self.assertIsNone(proctable.row(os.getpid()))
            self.assertEqual(list(proctable.rows()), [])

    def test_a_variable(self):
        def variable(name: str, pid: int) -> str | None:
            return proctable.variable(proctable.environment(pid), name)

        self.assertEqual(variable("NO_SUCH_VARIABLE", os.getpid()), None)
        child = subprocess.Popen(["sleep", "1000"], env={"A": "1", "MARK": "a:b:c", "XMARK": "no"})
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.assertTrue(eventually(lambda: variable("MARK", child.pid) == "a:b:c"))
        self.assertEqual(variable("ARK", child.pid), None)
