"""Children that have exited: how they ended, collecting them once, and the group they leave.

Looking at an exit leaves it to be collected. The functions are safe from any thread; only a child's
owner collects it.
"""

from __future__ import annotations

import errno
import os

from cvec_circus.base.named import NamedTuple
from cvec_circus.system import pidfd, proctable
from cvec_circus.system.signals import to_name


def ended(exit_code: int | None, oom: bool = False) -> str:
    """Say how a process has ended, as a predicate; None stands for a status that is not known.

    With `oom` it was the kernel that has killed it, for memory.
    """
    if oom:
        return "was killed by the kernel for lack of memory"
    if exit_code is None:
        return "ended; its exit status is not known"
    if exit_code < 0:
        return f"was killed by SIG{to_name(-exit_code)}"
    return f"exited with {exit_code}"


class Exit(NamedTuple):
    """How a process ended. Immutable."""

    exit_code: int  # negative for the signal that killed it; -1 if unknown
    status_lost: bool = False
    """Unknown: other code in this program has collected it, or it was not a child, and went unseen.
    """


def collect(pid: int) -> Exit:
    """Collect a child that has exited: it is gone for good, and its pid is free.

    For the owner of the child, once, after an exit watcher has reported it. It waits for that one
    child only: a wait for any would collect those of hooks and of the embedding program.

    Raises:
        BlockingIOError: It has not exited.
    """
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return Exit(-1, status_lost=True)
    if not found:
        raise _not_exited(pid)
    return Exit(os.waitstatus_to_exitcode(status))


def peek(pid: int) -> bool:
    """Return whether a child has exited and waits to be collected."""
    try:
        return _look(pid) is not None
    except ChildProcessError:
        return False


def is_held(pid: int) -> bool:
    """Return whether a child has died but cannot be collected yet, because a debugger traces it.

    Only meaningful once its pidfd is readable: true of a child that lives, false of a stranger.
    """
    try:
        return _look(pid) is None
    except ChildProcessError:
        return False


def is_stranger(pid: int) -> bool:
    """Return whether a process is not a child of this one, or other code here has collected it."""
    try:
        _look(pid)
    except ChildProcessError:
        return True
    return False


def _look(pid: int) -> os.waitid_result | None:
    """Look at a child's exit; None while it has none. A stranger raises ChildProcessError."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)


def _status(pid: int) -> Exit:
    """As `collect`, but leave the child to be collected."""
    try:
        found = _look(pid)
    except ChildProcessError:
        return Exit(-1, status_lost=True)
    if found is None:
        raise _not_exited(pid)
    return Exit(found.si_status if found.si_code == os.CLD_EXITED else -found.si_status)


def _not_exited(pid: int) -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, f"process {pid} has not exited")


class ProcessGroup:
    """What a child has left in its process group. Owned by the thread that has collected it.

    The leader's pidfd, which this closes, holds the group (Linux 6.9).
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, signum: int) -> bool:
        """Send a signal to every member; return False when there is none.

        Raises:
            PermissionError: We may signal none of them.
        """
        if self._fd >= 0 and not pidfd.send_to_group(self._fd, signum):
            self.close()  # no process can join a group that is empty
        return self._fd >= 0

    def is_empty(self) -> bool | None:
        """Return whether nothing is in it, not even a zombie; None where only a walk can tell."""
        try:
            return not self.send(0)
        except PermissionError:
            return False

    def close(self) -> None:
        """Let go of it. Nothing can be sent afterwards."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class HeldGroup(ProcessGroup):
    """Holds the group's number by leaving its leader uncollected, on older kernels.

    While the leader's zombie exists no other group gets its number, so killpg reaches this one
    alone. It also succeeds for ever: only the process table shows that no other member is left.

    Args:
        pid: The leader, a child that has exited.
        is_held: False when other code has collected the leader: the number may be another group's.
    """

    def __init__(self, pid: int, is_held: bool) -> None:
        self._pid = pid
        self._is_held = is_held

    def send(self, signum: int) -> bool:
        if not self._is_held:
            return False
        try:
            os.killpg(self._pid, signum)
        except ProcessLookupError:
            return False
        return True

    def is_empty(self) -> bool | None:
        return None if self._is_held else True

    def close(self) -> None:
        """Collect the leader."""
        if self._is_held:
            self._is_held = False
            collect(self._pid)


def end_of_stranger(pid: int, fd: int) -> tuple[Exit, ProcessGroup]:
    """Return how a process that is not our child has ended, as far as the kernel tells, and a
    hold on its process group; takes over its pidfd, which has become readable."""
    status = pidfd.wait_status(fd)
    if status is None:
        status = _status_of_zombie(pid)
    if status is None:  # it was collected between the two
        status = pidfd.wait_status(fd)
    found = Exit(-1, True) if status is None else Exit(os.waitstatus_to_exitcode(status))
    if pidfd.reaches_groups():
        return found, ProcessGroup(fd)
    os.close(fd)
    return found, ProcessGroup(-1)


def _status_of_zombie(pid: int) -> int | None:
    """Return the wait status of a process that its parent has not collected; None if that cannot
    be known: the kernel shows 0 to who may not trace it."""
    found = proctable.row(pid)
    if found is None or found.state != proctable.ZOMBIE:
        return None
    if os.geteuid() and set(proctable.uids(pid)) != {os.geteuid()}:
        return None
    return int(found.fields[proctable.EXIT_STATUS])


def end(pid: int, fd: int | None) -> tuple[Exit, ProcessGroup]:
    """Return how a child has ended, and a hold on its process group; takes over its pidfd, if any.

    Where pidfds reach groups this collects the child, elsewhere closing the group does.
    """
    if fd is not None and pidfd.reaches_groups():
        return collect(pid), ProcessGroup(fd)
    if fd is not None:
        os.close(fd)
    ended = _status(pid)
    return ended, HeldGroup(pid, is_held=not ended.status_lost)
