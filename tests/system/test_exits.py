"""Seeing and collecting exits, with both exit watchers."""

import os
import select
import signal
import subprocess
import threading
import unittest
import unittest.mock

from cvec_circus.system import collecting, exits, pidfd, proctable
from cvec_circus.system.launch import LaunchSpec, launch
from tests.support.children import TIMEOUT, Child, command
from tests.support.eventually import eventually
from tests.support.files import take_all
from tests.support.leaks import LeakCheckedTestCase


class CollectTest(LeakCheckedTestCase):
    def exited(self, *argv):
        pid = launch(LaunchSpec(argv)).pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return pid

    def test_exit_status(self):
        pid = self.exited("/bin/sh", "-c", "exit 7")
        self.assertTrue(collecting.peek(pid))
        self.assertTrue(collecting.peek(pid))
        self.assertEqual(collecting.collect(pid), collecting.Exit(7))
        self.assertFalse(collecting.peek(pid))

    def test_signal(self):
        pid = self.exited("/bin/sh", "-c", "kill -9 $$")
        self.assertEqual(collecting.collect(pid), collecting.Exit(-9))

    def test_collected_by_somebody_else(self):
        pid = self.exited("/bin/true")
        os.waitpid(pid, 0)
        self.assertEqual(collecting.collect(pid), collecting.Exit(-1, status_lost=True))

    def test_one_that_runs(self):
        child = Child(self, "wait")
        self.assertFalse(collecting.peek(child.pid))
        with self.assertRaisesRegex(BlockingIOError, f"process {child.pid} has not exited"):
            collecting.collect(child.pid)


class Matrix:
    """What both exit watchers do."""

    def make(self):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.watcher = self.make()
        self.addCleanup(self.watcher.close)

    def child(self, *args):
        child = Child(self, "wait", *args)
        self.assertTrue(self.watcher.add(child.pid))
        return child

    def readable(self, timeout=0.0):
        return bool(select.select([self.watcher], [], [], timeout)[0])

    def ready(self, limit=1024):
        """Wait for exits."""
        pids = []
        while not pids:
            self.assertTrue(self.readable(TIMEOUT), "no exit was seen")
            pids = self.watcher.ready(limit)
        return pids

    def test_nothing_is_ready_while_it_runs(self):
        self.child()
        self.assertEqual(self.watcher.ready(), [])
        self.assertFalse(self.readable())

    def test_an_exit_is_reported_once_and_left_to_be_collected(self):
        child = self.child()
        self.assertTrue(self.watcher.send_signal(child.pid, signal.SIGTERM))
        self.assertEqual(self.ready(), [child.pid])
        self.assertEqual(self.watcher.ready(), [])
        self.assertFalse(self.readable())
        self.assertTrue(collecting.peek(child.pid))
        self.assertEqual(collecting.collect(child.pid), collecting.Exit(0))
        child.collected()
        self.watcher.discard(child.pid)
        self.watcher.discard(child.pid)

    def test_one_that_has_exited_before(self):
        child = Child(self, "wait")
        os.kill(child.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: collecting.peek(child.pid)))
        self.assertTrue(self.watcher.add(child.pid))
        self.assertEqual(self.ready(), [child.pid])

    def test_many_at_once_each_once(self):
        pids = {launch(LaunchSpec(["/bin/true"])).pid for _ in range(30)}
        for pid in pids:
            self.watcher.add(pid)
        seen = []
        while len(seen) < len(pids):
            some = self.ready(limit=4)
            self.assertLessEqual(len(some), 4)
            seen += some
        self.assertEqual(sorted(seen), sorted(pids))
        for pid in pids:
            self.assertEqual(collecting.collect(pid).exit_code, 0)
            self.watcher.discard(pid)
        self.assertEqual(self.watcher.ready(), [])

    def test_a_discarded_one_is_not_reported(self):
        child, other = self.child(), self.child()
        self.watcher.discard(child.pid)
        self.assertFalse(self.watcher.send_signal(child.pid, signal.SIGTERM))
        os.kill(child.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: collecting.peek(child.pid)))
        self.watcher.send_signal(other.pid, signal.SIGKILL)
        self.assertEqual(self.ready(), [other.pid])

    def test_signals_arrive(self):
        child = self.child()
        self.assertTrue(self.watcher.send_signal(child.pid, signal.SIGUSR1))
        self.assertEqual(child.lines.until("signal"), "USR1")

    def test_no_signal_to_what_has_exited_or_is_not_watched(self):
        child = self.child()
        self.watcher.send_signal(child.pid, signal.SIGKILL)
        self.ready()
        self.assertFalse(self.watcher.send_signal(child.pid, signal.SIGTERM))
        self.assertFalse(self.watcher.send_signal(os.getpid(), signal.SIGTERM))

    def test_a_number_that_is_nobody_s(self):
        child = Child(self, "wait")
        child.end()
        self.assertFalse(self.watcher.add(child.pid, start_time=1))
        self.assertFalse(self.watcher.add(child.pid))

    def test_a_stranger_known_by_its_start_time(self):
        leader = Child(self, "wait", "fork")
        (stranger,) = proctable.descendants(leader.pid)
        row = proctable.row(stranger)
        self.assertFalse(self.watcher.add(stranger, row.start_time + 1))
        self.assertFalse(self.watcher.send_signal(stranger, signal.SIGKILL))
        self.assertTrue(self.watcher.add(stranger, row.start_time))
        self.assertEqual(self.watcher.ready(), [])
        self.assertTrue(self.watcher.send_signal(stranger, signal.SIGKILL))
        self.assertEqual(self.ready(), [stranger])
        self.assertFalse(self.watcher.send_signal(stranger, signal.SIGKILL))
        self.watcher.discard(stranger)

    def test_adding_again_begins_anew(self):
        child = self.child()
        self.assertTrue(self.watcher.add(child.pid))
        self.watcher.send_signal(child.pid, signal.SIGKILL)
        self.assertEqual(self.ready(), [child.pid])
        self.assertTrue(self.watcher.add(child.pid))
        self.assertEqual(self.ready(), [child.pid])

    def test_a_status_that_somebody_else_collected(self):
        child = self.child()
        self.watcher.send_signal(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        child.collected()
        self.assertEqual(self.ready(), [child.pid])
        self.assertTrue(collecting.collect(child.pid).status_lost)

    def test_an_exit_on_another_thread_s_watch_is_seen_by_poll(self):
        child = self.child()
        poll = select.poll()
        poll.register(self.watcher.fileno(), select.POLLIN)
        killer = threading.Thread(target=os.kill, args=(child.pid, signal.SIGKILL))
        killer.start()
        self.assertTrue(poll.poll(TIMEOUT * 1000))
        killer.join()
        self.assertEqual(self.ready(), [child.pid])


@unittest.skipUnless(pidfd.is_usable(), "there are no pidfds here")
class ExitWatcherTest(Matrix, LeakCheckedTestCase):
    def make(self):
        return exits.ExitWatcher()

    def test_costs_one_file_a_process_and_no_thread(self):
        children = [Child(self, "wait") for _ in range(3)]
        before = len(os.listdir("/proc/self/fd")), threading.active_count()
        for child in children:
            self.watcher.add(child.pid)
        after = len(os.listdir("/proc/self/fd")), threading.active_count()
        self.assertEqual(after, (before[0] + 3, before[1]))

    def test_a_file_closed_while_a_fork_holds_a_copy_is_not_reported_again(self):
        # A child made by fork holds a copy of every file of ours until it executes something.
        children = [self.child() for _ in range(3)]
        holds, lets_go = os.pipe()
        copy = os.fork()
        if not copy:
            os.close(lets_go)
            os.read(holds, 1)
            os._exit(0)
        os.close(holds)
        for child in children:
            self.watcher.send_signal(child.pid, signal.SIGKILL)
            self.ready()
            collecting.collect(child.pid)
            child.collected()
            self.watcher.discard(child.pid)
        self.assertFalse(self.readable())
        os.close(lets_go)
        os.waitpid(copy, 0)

    def test_a_failed_add_leaves_nothing_behind(self):
        child = Child(self, "wait")
        taken = take_all(self)
        with self.assertRaises(OSError):
            self.watcher.add(child.pid)
        os.close(taken.pop())
        with self.assertRaises(OSError):  # room for the pidfd, none to look at the process table
            self.watcher.add(child.pid, start_time=1)
        taken.append(os.dup(0))

    def test_a_child_that_somebody_traces_is_reported_when_it_can_be_collected(self):
        child = self.child()
        tracer = subprocess.Popen(
            command("trace", child.pid),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(tracer.wait, TIMEOUT)
        self.addCleanup(tracer.stdout.close)
        self.addCleanup(tracer.stdin.close)
        if not tracer.stdout.readline().startswith("ready"):
            self.skipTest("tracing is not permitted here")
        os.kill(child.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: proctable.row(child.pid).state == "Z"))
        self.assertEqual(self.watcher.ready(), [])
        self.assertFalse(self.readable())  # and no loop spins meanwhile
        tracer.stdin.close()
        self.assertEqual(self.ready(), [child.pid])
        self.assertEqual(collecting.collect(child.pid), collecting.Exit(-9))
        child.collected()


class WaitThreadExitWatcherTest(Matrix, LeakCheckedTestCase):
    def make(self):
        return exits.WaitThreadExitWatcher()

    def test_other_threads_keep_their_stack(self):
        before = threading.stack_size()
        self.child()
        self.assertEqual(threading.stack_size(), before)

    def test_no_thread_left(self):
        child = Child(self, "wait")
        with unittest.mock.patch.object(
            threading.Thread, "start", side_effect=RuntimeError("can't start new thread")
        ):
            with self.assertRaisesRegex(OSError, "cannot start a thread to wait for"):
                self.watcher.add(child.pid)
        self.assertFalse(self.watcher.send_signal(child.pid, signal.SIGTERM))


class ChooseTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(pidfd._probe.cache_clear)

    def test_pidfds_where_there_are_any(self):
        pidfd._probe.cache_clear()
        watcher = exits.choose()
        self.addCleanup(watcher.close)
        self.assertEqual(type(watcher) is exits.ExitWatcher, pidfd.is_usable())

    def test_threads_where_there_are_none(self):
        for refusal in (OSError(38, "Function not implemented"), PermissionError(1, "seccomp")):
            pidfd._probe.cache_clear()
            with unittest.mock.patch.object(os, "pidfd_open", side_effect=refusal):
                watcher = exits.choose()
                self.addCleanup(watcher.close)
                self.assertIsInstance(watcher, exits.WaitThreadExitWatcher)
