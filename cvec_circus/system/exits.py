"""Seeing that a process has exited, without asking it over and over and without collecting it.

Seeing and collecting are two steps, because between them there are things to do: while a dead
leader is not collected its number, and with it its process group's, belongs to nobody else.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque

from cvec_circus.base.thread import Thread
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.system import files, pidfd, proctable
from cvec_circus.system.collecting import is_held, is_stranger

STACK_SIZE = 256 * 1024
"""Bytes of stack of a thread that only waits: a thousand of them take 16 MiB of memory."""

STRANGER_POLL_TIMEOUT = 0.1
"""Seconds between two looks at a process that is no child of ours, where there are no pidfds."""


class ExitWatcher(ABC):
    """Tells which of the processes it watches have exited. Owned by one thread, the one that adds.

    The processes are children of ours, or strangers known by their start time.
    """

    @abstractmethod
    def add(self, pid: int, start_time: int | None = None) -> bool:
        """Watch a process, until it is discarded.

        Args:
            pid: The process. A child of ours may have exited, as long as it is not collected.
            start_time: For a process that is no child of ours and may be gone: when it began, as
                the process table has it, so that nobody else of that number is meant.

        Returns:
            False when it is gone, or the number belongs to another one by now.

        Raises:
            OSError: There is nothing left to watch it with: files, memory or threads.
        """

    @abstractmethod
    def discard(self, pid: int) -> None:
        """Watch it no more; after it is collected at the latest. Any pid will do."""

    @abstractmethod
    def fileno(self) -> int:
        """Tell what to poll: readable while `ready` has something to report."""

    @abstractmethod
    def ready(self, limit: int = 1024) -> list[int]:
        """List those that have exited since the last time, each of them once. Never waits.

        Args:
            limit: How many at most. The others are reported the next time.
        """

    @abstractmethod
    def send_signal(self, pid: int, signum: int) -> bool:
        """Send a signal to a process that is watched, and to no other that has got its number.

        Returns:
            False when it has exited, or is not watched.

        Raises:
            PermissionError: It runs as somebody else.
        """

    @abstractmethod
    def send_to_group(self, pid: int, signum: int) -> bool:
        """Send a signal to the process group that a watched process leads.

        Args:
            pid: A child that is not collected, or any process where pidfds reach groups.
            signum: The signal.

        Returns:
            False when the process is not watched, or its group cannot be reached safely.

        Raises:
            PermissionError: We may signal no member of it.
        """

    @abstractmethod
    def release(self, pid: int) -> int | None:
        """Watch a process no more, and hand over its pidfd.

        Returns:
            The pidfd, the caller's now; None where there are no pidfds, or it was not watched.
        """

    @abstractmethod
    def close(self) -> None:
        """Watch nothing any more."""


class PidfdExitWatcher(ExitWatcher):
    """Watches by pidfd, a file that becomes readable when its process exits (Linux 5.3).

    Owned by one thread. All pidfds are in one epoll: polling a thousand files through it costs
    2 µs instead of 84.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._fds: dict[int, int] = {}
        self._waiting: dict[int, int] = {}  # pid by fd, of those that are not reported yet

    def add(self, pid: int, start_time: int | None = None) -> bool:
        """See `ExitWatcher.add`."""
        self.discard(pid)
        try:
            fd = files.moved_up(os.pidfd_open(pid))
        except ProcessLookupError:
            return False
        try:
            if start_time is not None and proctable.start_time(pid) != start_time:
                os.close(fd)
                return False
            # Edge-triggered for the sake of a child that somebody traces: its pidfd is readable
            # when it dies, but it can only be collected, and is told of again, when the tracer
            # lets go of it.
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        except BaseException:
            os.close(fd)
            raise
        self._fds[pid] = fd
        self._waiting[fd] = pid
        return True

    def discard(self, pid: int) -> None:
        """See `ExitWatcher.discard`."""
        fd = self.release(pid)
        if fd is not None:
            os.close(fd)

    def fileno(self) -> int:
        """See `ExitWatcher.fileno`."""
        return self._epoll.fileno()

    def ready(self, limit: int = 1024) -> list[int]:
        """See `ExitWatcher.ready`."""
        pids = []
        for fd, _ in self._epoll.poll(0, limit):
            pid = self._waiting.get(fd)
            if pid is not None and not is_held(pid):
                self._leave_epoll(fd)
                pids.append(pid)
        return pids

    def send_signal(self, pid: int, signum: int) -> bool:
        """See `ExitWatcher.send_signal`."""
        fd = self._fds.get(pid)
        if fd not in self._waiting:
            return False
        try:
            signal.pidfd_send_signal(fd, signum)
        except ProcessLookupError:
            return False
        return True

    def send_to_group(self, pid: int, signum: int) -> bool:
        """See `ExitWatcher.send_to_group`."""
        fd = self._fds.get(pid)
        if fd is None:
            return False
        if pidfd.reaches_groups():
            return pidfd.send_to_group(fd, signum)
        return _kill_group(pid, signum)

    def release(self, pid: int) -> int | None:
        """See `ExitWatcher.release`."""
        fd = self._fds.pop(pid, None)
        if fd is not None:
            self._leave_epoll(fd)
        return fd

    def close(self) -> None:
        """See `ExitWatcher.close`."""
        for pid in list(self._fds):
            self.discard(pid)
        self._epoll.close()

    def _leave_epoll(self, fd: int) -> None:
        # Before it is closed: a child that another thread is forking just now holds a copy for a
        # moment, and as long as there is a copy epoll goes on reporting the number.
        if self._waiting.pop(fd, None) is not None:
            try:
                self._epoll.unregister(fd)
            except OSError:
                pass  # nothing waits for its number now, and at the latest its end takes it out


class WaitThreadExitWatcher(ExitWatcher):
    """Watches with a thread for each process, for where there are no pidfds.

    Owned by one thread. Its threads block in waitid and touch nothing but `_exited` and the
    wake-up. A stranger is looked at ten times a second, since nobody can wait for it.
    """

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._exited: deque[_Watch] = deque()
        self._watches: dict[int, _Watch] = {}

    def add(self, pid: int, start_time: int | None = None) -> bool:
        """See `ExitWatcher.add`."""
        self.discard(pid)
        stranger = is_stranger(pid)
        if stranger and start_time is None:
            start_time = proctable.start_time(pid)
        found = proctable.row(pid)
        if found is None or (start_time is not None and found.start_time != start_time):
            return False
        watch = _Watch(pid, start_time if stranger else None)
        self._watches[pid] = watch
        try:
            self._start_thread(watch)
        except RuntimeError as error:
            del self._watches[pid]
            raise OSError(errno.EAGAIN, f"cannot start a thread to wait for {pid}") from error
        return True

    def discard(self, pid: int) -> None:
        """See `ExitWatcher.discard`."""
        watch = self._watches.pop(pid, None)
        if watch is not None:
            watch.discarded.set()

    def fileno(self) -> int:
        """See `ExitWatcher.fileno`."""
        return self._wakeup.fileno()

    def ready(self, limit: int = 1024) -> list[int]:
        """See `ExitWatcher.ready`."""
        self._wakeup.clear()
        pids: list[int] = []
        while self._exited and len(pids) < limit:
            watch = self._exited.popleft()
            # Not one of an earlier process of the same number, discarded before it was reported.
            if self._watches.get(watch.pid) is watch:
                watch.reported = True
                pids.append(watch.pid)
        if self._exited:
            self._wakeup.set()
        return pids

    def send_signal(self, pid: int, signum: int) -> bool:
        """See `ExitWatcher.send_signal`."""
        watch = self._watches.get(pid)
        if watch is None or watch.reported or not watch.is_same():
            return False
        try:
            os.kill(pid, signum)  # a child's number is nobody else's before it is collected
        except ProcessLookupError:
            return False
        return True

    def send_to_group(self, pid: int, signum: int) -> bool:
        """See `ExitWatcher.send_to_group`."""
        return pid in self._watches and _kill_group(pid, signum)

    def release(self, pid: int) -> int | None:
        """See `ExitWatcher.release`."""
        self.discard(pid)
        return None

    def close(self) -> None:
        """See `ExitWatcher.close`. Threads end with their process; nobody waits for them."""
        for pid in list(self._watches):
            self.discard(pid)
        self._wakeup.close()

    def _start_thread(self, watch: _Watch) -> None:
        before = threading.stack_size(STACK_SIZE)
        try:
            Thread(functools.partial(self._wait, watch), f"exit:{watch.pid}").start()
        finally:
            threading.stack_size(before)

    def _wait(self, watch: _Watch) -> None:
        """Wait for one process. On its own thread."""
        if watch.start_time is None:
            try:
                os.waitid(os.P_PID, watch.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                pass  # somebody has collected it: then it has exited
        else:
            while watch.is_same() and not watch.discarded.wait(STRANGER_POLL_TIMEOUT):
                pass
        self._exited.append(watch)
        self._wakeup.set()


class _Watch:
    """One process that is watched. Owned by the thread that owns the exit watcher.

    `pid`, `start_time` and `discarded` are also looked at by the thread that waits.
    """

    __slots__ = ("discarded", "pid", "reported", "start_time")

    def __init__(self, pid: int, start_time: int | None) -> None:
        self.pid = pid
        self.start_time = start_time  # of a stranger; None for a child of ours
        self.discarded = threading.Event()
        self.reported = False

    def is_same(self) -> bool:
        """Whether the number still means this process, and it runs. Always true for a child."""
        if self.start_time is None:
            return True
        found = proctable.row(self.pid)
        return found is not None and found.start_time == self.start_time and found.runs


def choose() -> ExitWatcher:
    """Make the best exit watcher that this machine offers."""
    pidfd.reaches_groups()  # finds out now: later, it could be for want of a file that it does not
    return PidfdExitWatcher() if has_pidfd() else WaitThreadExitWatcher()


@functools.cache
def has_pidfd() -> bool:
    """Tell whether there are pidfds: not before Linux 5.3, nor where seccomp forbids them."""
    try:
        fd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return False
    try:
        signal.pidfd_send_signal(fd, 0)
    except (AttributeError, OSError):
        return False
    finally:
        os.close(fd)
    return True


def _kill_group(pid: int, signum: int) -> bool:
    """Signal a group by its number, while that is its leader's, who is not collected."""
    if is_stranger(pid):
        return False
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        return False
    return True
