"""How a child has ended: looking at it without collecting it, and collecting it once.

Safe from any thread; the child's owner alone collects it.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple


class Exit(NamedTuple):
    """How a process ended. Immutable.

    Attributes:
        exit_code: Its exit status; negative, the signal that ended it; -1 if it is not known.
        status_lost: It is not known: other code in this program has collected it.
    """

    exit_code: int
    status_lost: bool = False


def collect(pid: int) -> Exit:
    """Collect a child that has exited: it is gone for good, and its number is free.

    The owner of the child does it, once, when an exit watcher has reported it. It waits for that
    one child only; a wait for any would take those of hooks and of the embedding program.

    Raises:
        BlockingIOError: It has not exited.
    """
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return Exit(-1, status_lost=True)
    if not found:
        raise BlockingIOError(errno.EAGAIN, f"process {pid} has not exited")
    return Exit(os.waitstatus_to_exitcode(status))


def status(pid: int) -> Exit:
    """Tell how a child has ended, and leave it to be collected.

    Raises:
        BlockingIOError: It has not exited.
    """
    try:
        found = _look(pid)
    except ChildProcessError:
        return Exit(-1, status_lost=True)
    if found is None:
        raise BlockingIOError(errno.EAGAIN, f"process {pid} has not exited")
    return Exit(found.si_status if found.si_code == os.CLD_EXITED else -found.si_status)


def peek(pid: int) -> bool:
    """Tell whether a child has exited and waits to be collected. Leaves it as it is."""
    try:
        return _look(pid) is not None
    except ChildProcessError:
        return False


def is_held(pid: int) -> bool:
    """Whether a child has died but cannot be collected yet, because a debugger traces it.

    Of use when its pidfd has become readable; of one that lives it is true, of a stranger never.
    """
    try:
        return _look(pid) is None
    except ChildProcessError:
        return False


def is_stranger(pid: int) -> bool:
    """Whether a process is no child of this one, or was collected by other code in it."""
    try:
        _look(pid)
    except ChildProcessError:
        return True
    return False


def _look(pid: int) -> os.waitid_result | None:
    """Look at a child's exit; None while it has none. A stranger raises ChildProcessError."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
