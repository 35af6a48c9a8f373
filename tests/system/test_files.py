"""The file descriptors that are kept back."""

import os
import resource

from cvec_circus.system import files
from tests.support.files import take_all
from tests.support.leaks import LeakCheckedTestCase


class FilesTest(LeakCheckedTestCase):
    def allow(self, count):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))

    def test_the_last_ones_are_reserved(self):
        self.allow(1024)
        self.assertTrue(files.is_reserved(1023))
        self.assertTrue(files.is_reserved(1024 - files.RESERVED))
        self.assertFalse(files.is_reserved(1024 - files.RESERVED - 1))

    def test_never_more_than_a_quarter(self):
        self.allow(64)
        self.assertTrue(files.is_reserved(48))
        self.assertFalse(files.is_reserved(47))

    def test_room_ends_before_the_files_do(self):
        self.assertTrue(files.has_room(2))
        take_all(self)
        with self.assertRaises(OSError):
            files.has_room(2)

    def test_room_is_looked_for_among_the_lowest(self):
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        self.allow(2 * highest + 2 * files.RESERVED)
        taken = []
        self.addCleanup(lambda: [os.close(fd) for fd in taken])
        while files.has_room(2):
            taken.append(os.dup(2))
        self.assertGreater(len(taken), 0)
        os.close(taken.pop(0))
        self.assertTrue(files.has_room(2))
