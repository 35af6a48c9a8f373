"""Running out of file descriptors on purpose."""

from __future__ import annotations

import os
import resource
import unittest


def take_all(test: unittest.TestCase) -> list[int]:
    """Take every file descriptor this process may still have, until the test ends.

    The limit is lowered first, so that it is a matter of a few.

    Returns:
        What was taken. Whatever is in the list at the end of the test is closed.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 10, limits[1]))
    test.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
    taken: list[int] = []
    test.addCleanup(lambda: [os.close(fd) for fd in taken])
    with test.assertRaises(OSError):
        while True:
            taken.append(os.dup(0))
    return taken
