"""The test suite: python -m unittest.

All of it runs in one process more than there are processors, because most tests wait;
CVEC_CIRCUS_JOBS says in how many instead.

Signals do what they do, wherever it is run: a shell that starts it in the background has SIGINT
ignored, and nohup SIGHUP. Whatever a test starts would inherit that, and not be ended by them.

What the package logs is discarded, unless a test asks for it: Python would write warnings to
standard error.

Bytecode is written once, even under PYTHONDONTWRITEBYTECODE: the suite starts hundreds of programs,
and each of them would compile all that it imports.
"""

from __future__ import annotations

import compileall
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import unittest

DEFAULTS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}

if "unittest" in sys.modules:  # and not in a process of a test, which imports its plugins from here
    for signum, disposition in DEFAULTS.items():
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, disposition)
    logging.getLogger("cvec_circus").addHandler(logging.NullHandler())
    compileall.compile_dir(Path(__file__).resolve().parent.parent / "cvec_circus", quiet=2)


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Find all tests, to be run by several processes; the protocol of `unittest`."""
    if pattern is None:  # the name of the package, which has no tests of its own
        return tests
    from tests.support.parallel import ParallelSuite

    here = Path(__file__).resolve().parent
    found = loader.discover(str(here), pattern, str(here.parent))
    jobs = int(os.environ.get("CVEC_CIRCUS_JOBS") or len(os.sched_getaffinity(0)) + 1)
    return ParallelSuite(found, loader.testNamePatterns or (), jobs) if jobs > 1 else found
