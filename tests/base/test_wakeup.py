"""The wake-up: threads, signals, and its end."""

import errno
import os
import signal
import threading
from unittest import mock

from cvec_circus.base.wakeup import Wakeup
from tests.support.leaks import LeakCheckedTestCase


class WakeupTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        self.wakeup = Wakeup()
        self.addCleanup(self.wakeup.close)

    def test_is_set_until_it_is_cleared(self):
        self.assertFalse(self.wakeup.wait(0))
        self.wakeup.set()
        self.wakeup.set()
        self.assertTrue(self.wakeup.wait(0))
        self.assertTrue(self.wakeup.wait())
        self.wakeup.clear()
        self.assertFalse(self.wakeup.wait(0))
        self.wakeup.clear()

    def test_wakes_a_thread(self):
        woken = []
        thread = threading.Thread(target=lambda: woken.append(self.wakeup.wait(30)))
        thread.start()
        self.wakeup.set()
        thread.join(30)
        self.assertEqual(woken, [True])

    def test_a_full_pipe_neither_blocks_nor_raises(self):
        for _ in range(70_000):
            self.wakeup.set()
        self.assertTrue(self.wakeup.wait(0))
        self.wakeup.clear()
        self.assertFalse(self.wakeup.wait(0))

    def test_wakes_although_the_kernel_was_out_of_memory(self):
        short = OSError(errno.ENOMEM, "no memory")
        with mock.patch.object(os, "write", side_effect=[short, short, mock.DEFAULT]) as write:
            self.wakeup.set()
        self.assertEqual(write.call_count, 3)

    def test_waits_although_the_kernel_is_out_of_memory(self):
        refusal = OSError(errno.ENOMEM, "no memory")
        poll = mock.Mock()
        with mock.patch("select.poll", return_value=poll):
            poll.poll.side_effect = [refusal, [(1, 1)]]
            self.assertTrue(self.wakeup.wait())
            poll.poll.side_effect = refusal
            self.assertFalse(self.wakeup.wait(0.05))
            poll.poll.side_effect = OSError(errno.EBADF, "no file")
            self.assertRaises(OSError, self.wakeup.wait, 1)

    def test_a_signal_wakes_through_the_write_end(self):
        seen = []
        before = signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(signum))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        former = signal.set_wakeup_fd(self.wakeup.write_fd, warn_on_full_buffer=False)
        self.addCleanup(signal.set_wakeup_fd, former)
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1)).start()
        self.assertTrue(self.wakeup.wait(30))
        self.assertEqual(seen, [signal.SIGUSR1])

    def test_children_do_not_inherit_it(self):
        self.assertFalse(os.get_inheritable(self.wakeup.fileno()))
        self.assertFalse(os.get_inheritable(self.wakeup.write_fd))

    def test_nothing_is_written_once_it_is_closed(self):
        number = self.wakeup.write_fd
        self.wakeup.close()
        self.wakeup.close()
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        self.addCleanup(os.close, write_fd)
        self.assertIn(number, (read_fd, write_fd))
        os.set_blocking(read_fd, False)
        self.wakeup.set()
        with self.assertRaises(BlockingIOError):
            os.read(read_fd, 1)

    def interrupted(self, handler):
        """Call a function in the middle of set(), as a signal handler would be."""

        def write(fd, text):
            with mock.patch("os.write", real):
                handler()
            return real(fd, text)

        real = os.write
        with mock.patch("os.write", write):
            self.wakeup.set()

    def test_used_by_another_thread_while_it_is_being_set(self):
        # A handler that waits for another thread, which sets and closes it, must not wait for ever.
        def use():
            self.wakeup.set()
            self.wakeup.close()

        thread = threading.Thread(target=use)

        def handler():
            thread.start()
            thread.join(30)
            self.assertFalse(thread.is_alive(), "it waits for a thread that waits for it")
            self.assertGreaterEqual(self.wakeup.fd, 0)
            self.wakeup.set()
            self.assertGreaterEqual(self.wakeup.fd, 0)

        self.interrupted(handler)
        self.assertEqual((self.wakeup.fd, self.wakeup.write_fd), (-1, -1))

    def test_closed_by_the_thread_that_is_setting_it(self):
        self.interrupted(self.wakeup.close)
        self.assertEqual(self.wakeup.fd, -1)
        self.wakeup.set()
        self.wakeup.close()
