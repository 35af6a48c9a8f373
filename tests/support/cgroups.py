"""The real cgroups of this machine, where there are some that tests may use."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import unittest
from pathlib import Path

from cvec_circus.system import cgroup, mounts
from tests.support.daemon import gone
from tests.support.eventually import eventually

NAMES = itertools.count()


@functools.cache
def above() -> str:
    """Return a folder that tests may make cgroups in.

    Raises:
        unittest.SkipTest: There is none.
    """
    with contextlib.suppress(OSError):
        points = [point for point, one in mounts.read().items() if one.kind == cgroup.KIND]
        for folder in points:
            if os.access(folder, os.W_OK) and not os.statvfs(folder).f_flag & os.ST_RDONLY:
                return folder
    raise unittest.SkipTest("there is no cgroup v2 hierarchy that may be written to")


def require(*controllers: str) -> None:
    """Skip a test that needs controllers which are not in the hierarchy."""
    for name in controllers:
        reason = cgroup.why_no_controller(name, above())
        if reason:
            raise unittest.SkipTest(reason)


def own(test: unittest.TestCase) -> Path:
    """Return a folder for the cgroups of one test, which is not there yet; it has to be gone, and
    what is in it ended, when the test ends."""
    folder = Path(above(), f"circus-test-{os.getpid()}-{next(NAMES)}")

    def remove() -> None:
        was_there = folder.exists()
        end(folder)
        for path in sorted([*folder.glob("**/"), folder], reverse=True):
            if path.exists():
                path.rmdir()
        test.assertFalse(was_there, f"{folder} was left behind")

    test.addCleanup(remove)
    return folder


def members(folder: Path) -> list[int]:
    """List the processes in a cgroup and below."""
    found = []
    for path in [folder, *folder.glob("**/")]:
        with contextlib.suppress(OSError):
            found += cgroup.pids(str(path))
    return sorted(set(found))


def end(folder: Path) -> None:
    """Kill all that is in a cgroup, and below."""
    pids = members(folder)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gone(*pids)
    eventually(lambda: not members(folder), 10.0)
