"""The process group of a child that has exited, for as long as something is in it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from cvec_circus.system import collecting, pidfd
from cvec_circus.system.exits import ExitWatcher


class ProcessGroup(ABC):
    """What a child has left in its process group. Owned by the thread that has collected it."""

    @abstractmethod
    def send(self, signum: int) -> bool:
        """Send a signal to every member.

        Returns:
            False when there is none.

        Raises:
            PermissionError: We may signal none of them.
        """

    @abstractmethod
    def is_empty(self) -> bool | None:
        """Tell whether nothing is in it, not even a zombie; None where only a walk can tell."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it. Nothing can be sent afterwards."""


class PidfdGroup(ProcessGroup):
    """Holds the group by its leader's pidfd (Linux 6.9). Owned by one thread.

    Args:
        fd: The pidfd, ours from now on.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, signum: int) -> bool:
        """See `ProcessGroup.send`."""
        if self._fd >= 0 and not pidfd.send_to_group(self._fd, signum):
            self.close()  # no process can join a group that is empty
        return self._fd >= 0

    def is_empty(self) -> bool | None:
        """See `ProcessGroup.is_empty`."""
        try:
            return not self.send(0)
        except PermissionError:
            return False

    def close(self) -> None:
        """See `ProcessGroup.close`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class HeldGroup(ProcessGroup):
    """Holds the group's number by leaving its leader uncollected. Owned by one thread.

    For older kernels: while the leader's zombie is there the number is given to no other group, so
    killpg reaches this one alone. It also succeeds for ever, so only the process table tells when
    the group has no other member.

    Args:
        pid: The leader, a child that has exited.
        is_held: Whether it is there; False when other code in this program has collected it, and
            the number may be anyone's.
    """

    def __init__(self, pid: int, is_held: bool) -> None:
        self._pid = pid
        self._is_held = is_held

    def send(self, signum: int) -> bool:
        """See `ProcessGroup.send`."""
        if not self._is_held:
            return False
        try:
            os.killpg(self._pid, signum)
        except ProcessLookupError:
            return False
        return True

    def is_empty(self) -> bool | None:
        """See `ProcessGroup.is_empty`."""
        return None if self._is_held else True

    def close(self) -> None:
        """See `ProcessGroup.close`; the leader is collected."""
        if self._is_held:
            self._is_held = False
            collecting.collect(self._pid)


def end(watcher: ExitWatcher, pid: int) -> tuple[collecting.Exit, ProcessGroup]:
    """Learn how a child has ended, and keep hold of its process group.

    The exit watcher watches it no more. Where pidfds reach groups the child is collected, elsewhere
    when the group is closed.
    """
    fd = watcher.release(pid)
    if fd is not None and pidfd.reaches_groups():
        return collecting.collect(pid), PidfdGroup(fd)
    if fd is not None:
        os.close(fd)
    ended = collecting.status(pid)
    return ended, HeldGroup(pid, is_held=not ended.status_lost)
