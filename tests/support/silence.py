"""What the programs of a test print where the test itself prints."""

from __future__ import annotations

import os
import sys
import unittest


def silence(test: unittest.TestCase) -> None:
    """Lead what is written to our standard output and error to nowhere, until the end of the test.

    That is where programs of an arbiter in this process print, and whatever inherits the two.
    """
    for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
        stream.flush()
        former = os.dup(fd)
        test.addCleanup(os.close, former)
        test.addCleanup(os.dup2, former, fd)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), fd)
