"""A loop under test."""

from __future__ import annotations

import os
import queue
import threading

from cvec_circus.base.loop import Loop
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT = 30.0


class LoopTestCase(LeakCheckedTestCase):
    """A loop made here, and run by a thread of its own once a test asks for it."""

    kind = Loop

    def setUp(self):
        super().setUp()
        self.loop = self.kind(name="test loop")
        self.errors = []
        self.loop.on_error = lambda error, name: self.errors.append((error, name))
        self.addCleanup(self.loop.close)
        self.got = queue.SimpleQueue()

    def run_loop(self):
        thread = threading.Thread(target=self.loop.run)
        thread.start()
        self.addCleanup(thread.join, TIMEOUT)
        self.addCleanup(self.loop.stop)
        return thread

    def next(self):
        return self.got.get(timeout=TIMEOUT)

    def pipe(self):
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, write_fd)
        self.addCleanup(os.close, read_fd)
        return read_fd, write_fd
