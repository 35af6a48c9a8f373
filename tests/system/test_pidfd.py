"""Processes that are told apart for good, and what is known of those of others."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import unittest
from unittest import mock

from cvec_circus.system import collecting, exits, pidfd, proctable
from tests.support.leaks import LeakCheckedTestCase

GRANDCHILD = """
import os, subprocess, sys
child = subprocess.Popen(["sh", "-c", sys.argv[1]], start_new_session=True, stdin=0, stdout=2)
print(child.pid, flush=True)
"""


class TestIdentity(unittest.TestCase):
    def setUp(self) -> None:
        self.child = subprocess.Popen(["sleep", "100"])
        self.addCleanup(self.child.wait)
        self.addCleanup(self.child.kill)
        self.start_time = proctable.start_time(self.child.pid)

    def same(self, inode: int, start_time: int) -> bool:
        """Whether the child is the one of an identity."""
        fd = pidfd.open_same(self.child.pid, inode, start_time)
        if fd is not None:
            os.close(fd)
        return fd is not None

    @unittest.skipUnless(pidfd.has_inodes(), "this kernel has no pidfs")
    def test_by_its_inode(self) -> None:
        fd = os.pidfd_open(self.child.pid)
        inode, start_time = pidfd.identity(self.child.pid, fd)
        self.assertEqual((inode, start_time), (os.fstat(fd).st_ino, 0))
        os.close(fd)
        self.assertTrue(self.same(inode, 0))
        self.assertFalse(self.same(inode + 1, 0))
        self.assertFalse(self.same(inode + 1, self.start_time))

    def test_by_its_start_time(self) -> None:
        with mock.patch.object(pidfd, "has_inodes", return_value=False):
            identity = pidfd.identity(self.child.pid, None)
            self.assertEqual(identity, (0, self.start_time))
            self.assertTrue(self.same(*identity))
            self.assertFalse(self.same(0, self.start_time + 1))
            self.assertFalse(self.same(77, 0), "an inode says nothing here")
        self.assertFalse(self.same(0, 0))

    def test_one_that_is_gone(self) -> None:
        self.child.kill()
        self.child.wait()
        self.assertFalse(self.same(0, self.start_time))

    def test_without_pidfds(self) -> None:
        with mock.patch.object(os, "pidfd_open", side_effect=AttributeError):
            with self.assertRaises(OSError) as caught:
                pidfd.open_same(self.child.pid, 1, 1)
        self.assertEqual(caught.exception.errno, errno.ENOSYS)


class TestProbes(unittest.TestCase):
    def test_a_shortage_says_nothing_of_the_kernel(self) -> None:
        known = pidfd.is_usable(), pidfd.reaches_groups()
        pidfd._probe.cache_clear()
        self.addCleanup(pidfd._probe.cache_clear)
        short = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with mock.patch("os.pidfd_open", side_effect=short):
            self.assertEqual((pidfd.is_usable(), pidfd.reaches_groups()), (True, False))
        self.assertEqual((pidfd.is_usable(), pidfd.reaches_groups()), known)


class TestFiles(unittest.TestCase):
    def test_a_file_of_another_process(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address, number = server.getsockname(), server.fileno()
            child = subprocess.Popen(["sleep", "100"], pass_fds=[number])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        fd = os.pidfd_open(child.pid)
        self.addCleanup(os.close, fd)
        try:
            taken = pidfd.take_file(fd, number)
        except PermissionError:
            self.skipTest("this user may not trace")
        with socket.socket(fileno=taken) as own:
            self.assertEqual(own.getsockname(), address)
            self.assertFalse(os.get_inheritable(taken))
        with self.assertRaises(OSError) as caught:
            pidfd.take_file(fd, number + 100)
        self.assertEqual(caught.exception.errno, errno.EBADF)


class TestStrangers(LeakCheckedTestCase):
    """How a process that is not a child has ended, as far as the kernel tells."""

    def start(self, script: str) -> int:
        """Start a grandchild, and let its parent end."""
        parent = subprocess.Popen(
            [sys.executable, "-c", GRANDCHILD, f"read x; {script}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pid = int(parent.stdout.readline())
        parent.wait()
        self.addCleanup(parent.stdout.close)
        self.addCleanup(parent.stdin.close)
        self.parent = parent
        return pid

    def end(self, script: str) -> collecting.Exit:
        """Return how it has ended, as an exit watcher that has adopted it learns."""
        pid = self.start(script)
        watcher = exits.ExitWatcher()
        self.addCleanup(watcher.close)
        watcher.take(pid, os.pidfd_open(pid))
        self.assertEqual(watcher.identity(pid)[0] != 0, pidfd.has_inodes())
        self.parent.stdin.write("\n")
        self.parent.stdin.flush()
        poll = select.poll()
        poll.register(watcher, select.POLLIN)
        self.assertTrue(poll.poll(20_000))
        self.assertEqual(watcher.ready(), [pid])
        found, group = collecting.end_of_stranger(pid, watcher.release(pid))
        group.close()
        return found

    @unittest.skipUnless(pidfd.is_usable(), "there are no pidfds")
    def test_exit_codes(self) -> None:
        for script, code in (("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", -9)):
            with self.subTest(script=script):
                found = self.end(script)
                if not found.status_lost:  # its parent was quick, and the kernel is an old one
                    self.assertEqual(found, collecting.Exit(code))

    def test_what_may_not_be_known(self) -> None:
        pid = os.getpid()
        self.assertIsNone(collecting._status_of_zombie(pid), "it is not a zombie")
        zombie = subprocess.Popen(["false"])
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(collecting._status_of_zombie(zombie.pid), 1 << 8)
        with mock.patch.object(os, "geteuid", return_value=os.geteuid() + 1):
            self.assertIsNone(collecting._status_of_zombie(zombie.pid), "others are shown 0")
        zombie.wait()
        self.assertEqual(proctable.uids(zombie.pid), [])
        self.assertEqual(
            proctable.uids(pid), [os.getuid(), os.geteuid(), os.geteuid(), os.geteuid()]
        )

    def test_one_that_lives_has_no_status(self) -> None:
        fd = os.pidfd_open(os.getpid())
        self.assertIsNone(pidfd.wait_status(fd))
        os.close(fd)
        self.assertIsNone(pidfd.wait_status(0), "it is not a pidfd")

    def test_signals_still_reach_it(self) -> None:
        pid = self.start("sleep 100")
        watcher = exits.ExitWatcher()
        self.addCleanup(watcher.close)
        watcher.take(pid, os.pidfd_open(pid))
        self.assertTrue(watcher.send_signal(pid, signal.SIGKILL))
        poll = select.poll()
        poll.register(watcher, select.POLLIN)
        self.assertTrue(poll.poll(20_000))


if __name__ == "__main__":
    unittest.main()
