"""Watching for exits, without polling for them and without collecting the processes.

Seeing an exit and collecting it are two steps, because there is work between them: while a dead
leader is not collected, its pid, and with it its process group's, belongs to no other process.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import signal
import threading
from collections import deque

from cvec_circus.base.thread import Thread
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.system import files, pidfd, proctable
from cvec_circus.system.collecting import is_held, is_stranger

STACK_SIZE = 256 * 1024
"""Bytes of stack of a thread that only waits: a thousand of them take 16 MiB of memory."""

STRANGER_POLL_TIMEOUT = 0.1
"""Seconds between two looks at a process that is not our child, where there are no pidfds."""


class ExitWatcher:
    """Reports which of its processes have exited. Owned by one thread, the one that adds.

    The processes are our children, or strangers known by their start time. Each is watched by
    its pidfd, a file that becomes readable when the process exits (Linux 5.3). All pidfds are in
    one epoll: polling a thousand files through it costs 2 µs instead of 84.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._fds: dict[int, int] = {}
        self._waiting: dict[int, int] = {}  # pid by fd, of those that are not reported yet

    def add(self, pid: int, start_time: int | None = None) -> bool:
        """Watch a process, until it is discarded.

        Args:
            pid: The process. One of our children may have exited, as long as it is not collected.
            start_time: When a process that is not our child began, from the process table, so
                that no other process that has its pid is meant.

        Returns:
            False when it is gone, or the pid belongs to another process by now.

        Raises:
            OSError: There are no files, memory or threads left to watch it with.
        """
        self.discard(pid)
        try:
            fd = files.moved_up(os.pidfd_open(pid))
        except ProcessLookupError:
            return False
        try:
            if start_time is not None and proctable.start_time(pid) != start_time:
                os.close(fd)
                return False
            # Edge-triggered, for a child that is being traced: its pidfd is readable when it dies,
            # but it can only be collected, and is reported again, when the tracer lets go of it.
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        except BaseException:
            os.close(fd)
            raise
        self._fds[pid] = fd
        self._waiting[fd] = pid
        return True

    def take(self, pid: int, fd: int) -> None:
        """Watch a process that is not our child by its pidfd, which is taken over.

        It may have exited.

        Raises:
            OSError: There is no memory left to watch it with. The file stays the caller's.
        """
        self.discard(pid)
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        self._fds[pid] = fd
        self._waiting[fd] = pid

    def identity(self, pid: int) -> tuple[int, int]:
        """Return what tells a watched process from all others: see `pidfd.identity`."""
        return pidfd.identity(pid, self._fds.get(pid))

    def fd_of(self, pid: int) -> int:
        """Return the pidfd of a watched process; it stays ours."""
        return self._fds[pid]

    def discard(self, pid: int) -> None:
        """Stop watching a process, after it is collected at the latest. Accepts any pid."""
        fd = self.release(pid)
        if fd is not None:
            os.close(fd)

    def fileno(self) -> int:
        """Return the file to poll: readable while `ready` has something to report."""
        return self._epoll.fileno()

    def ready(self, limit: int = 1024) -> list[int]:
        """Return those that have exited since the last call, `limit` at most. Never waits."""
        pids = []
        for fd, _ in self._epoll.poll(0, limit):
            pid = self._waiting.get(fd)
            if pid is not None and not is_held(pid):
                self._leave_epoll(fd)
                pids.append(pid)
        return pids

    def send_signal(self, pid: int, signum: int) -> bool:
        """Send a signal to a watched process, and to no other that has got its pid.

        Returns:
            False when it has exited, or is not watched.

        Raises:
            PermissionError: It runs as another user.
        """
        fd = self._fds.get(pid)
        if fd not in self._waiting:
            return False
        try:
            signal.pidfd_send_signal(fd, signum)
        except ProcessLookupError:
            return False
        return True

    def send_to_group(self, pid: int, signum: int) -> bool:
        """Send a signal to the process group that a watched process leads.

        Where pidfds do not reach groups, it must be a child that is not collected.

        Returns:
            False when the process is not watched, or its group cannot be reached safely.

        Raises:
            PermissionError: We may signal no member of it.
        """
        fd = self._fds.get(pid)
        if fd is None:
            return False
        if pidfd.reaches_groups():
            return pidfd.send_to_group(fd, signum)
        return _kill_group(pid, signum)

    def release(self, pid: int) -> int | None:
        """Stop watching a process; return its pidfd, now the caller's, or None if it has none."""
        fd = self._fds.pop(pid, None)
        if fd is not None:
            self._leave_epoll(fd)
        return fd

    def close(self) -> None:
        """Stop watching all processes."""
        for pid in list(self._fds):
            self.discard(pid)
        self._epoll.close()

    def _leave_epoll(self, fd: int) -> None:
        # Before it is closed: a child that another thread is just forking holds a copy for a
        # moment, and while there is a copy epoll goes on reporting the number.
        if self._waiting.pop(fd, None) is not None:
            try:
                self._epoll.unregister(fd)
            except OSError:
                pass  # its number is not in `_waiting` now, and its close takes it out


class WaitThreadExitWatcher(ExitWatcher):
    """Watches with a thread for each process, where there are no pidfds.

    Owned by one thread. Its threads block in waitid and touch only `_exited` and the wake-up. A
    stranger, which waitid cannot wait for, is looked at ten times a second.
    """

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._exited: deque[_Watch] = deque()
        self._watches: dict[int, _Watch] = {}

    def add(self, pid: int, start_time: int | None = None) -> bool:
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

    def identity(self, pid: int) -> tuple[int, int]:
        return pidfd.identity(pid, None)

    def discard(self, pid: int) -> None:
        watch = self._watches.pop(pid, None)
        if watch is not None:
            watch.discarded.set()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def ready(self, limit: int = 1024) -> list[int]:
        self._wakeup.clear()
        pids: list[int] = []
        while self._exited and len(pids) < limit:
            watch = self._exited.popleft()
            # Not an earlier process of the same pid, discarded before it was reported.
            if self._watches.get(watch.pid) is watch:
                watch.reported = True
                pids.append(watch.pid)
        if self._exited:
            self._wakeup.set()
        return pids

    def send_signal(self, pid: int, signum: int) -> bool:
        watch = self._watches.get(pid)
        if watch is None or watch.reported or not watch.is_same():
            return False
        try:
            os.kill(pid, signum)  # a child's pid is not used again before it is collected
        except ProcessLookupError:
            return False
        return True

    def send_to_group(self, pid: int, signum: int) -> bool:
        return pid in self._watches and _kill_group(pid, signum)

    def release(self, pid: int) -> int | None:
        self.discard(pid)
        return None

    def close(self) -> None:
        """Stop watching. Each thread ends with its process; none is joined."""
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
        """Wait for one process, on its own thread."""
        if watch.start_time is None:
            try:
                os.waitid(os.P_PID, watch.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                pass  # other code has collected it: then it has exited
        else:
            while watch.is_same() and not watch.discarded.wait(STRANGER_POLL_TIMEOUT):
                pass
        self._exited.append(watch)
        self._wakeup.set()


class _Watch:
    """A watched process. Owned by the exit watcher's thread.

    The thread that waits also reads `pid`, `start_time` and `discarded`.
    """

    __slots__ = ("discarded", "pid", "reported", "start_time")

    def __init__(self, pid: int, start_time: int | None) -> None:
        self.pid = pid
        self.start_time = start_time  # of a stranger; None for our child
        self.discarded = threading.Event()
        self.reported = False

    def is_same(self) -> bool:
        """Return whether the pid still means this process, and it runs. Always true for a child."""
        if self.start_time is None:
            return True
        found = proctable.row(self.pid)
        return found is not None and found.start_time == self.start_time and found.runs


def choose() -> ExitWatcher:
    """Make the best exit watcher that this machine offers."""
    pidfd.reaches_groups()  # remembered: later, a shortage of files could fake a no
    return ExitWatcher() if pidfd.is_usable() else WaitThreadExitWatcher()


def _kill_group(pid: int, signum: int) -> bool:
    """Signal a group by its number, while its leader is not collected."""
    if is_stranger(pid):
        return False
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        return False
    return True
