"""Deaths: seen at once, collected once, and handed to the core."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable

from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.leftovers import Leftovers, is_empty
from cvec_circus.system.exits import Exit, ExitWatcher, collect

Exited = Callable[[Watcher, ManagedProcess, Exit, bool], None]
Emptied = Callable[[Watcher, ManagedProcess], None]


class Reaper:
    """Collects the children that have exited. Owned by the supervisor thread.

    Exits are only noted when the exit watcher reports them; `work` collects them, as many as its
    turn allows. So a thousand deaths at once do not keep a client waiting.

    Args:
        loop: The supervisor's loop.
        chores: Where process groups are listed.
        exits: Sees deaths by pidfd, or by threads where there are none.
        on_exit: Called with a watcher, its process, how that ended, and whether it left something.
        on_empty: Called when nothing is left any more of one that did.
    """

    def __init__(
        self, loop: Loop, chores: Chore, exits: ExitWatcher, on_exit: Exited, on_empty: Emptied
    ) -> None:
        self._loop = loop
        self._exits = exits
        self._on_exit = on_exit
        self._running: dict[int, tuple[Watcher, ManagedProcess]] = {}
        self._exited: deque[int] = deque()
        self.leftovers = Leftovers(loop, chores, exits, on_empty)
        loop.add_reader(exits, self._see)

    def add(self, watcher: Watcher, process: ManagedProcess, pid: int) -> None:
        """Watches a new child.

        Raises:
            OSError: There is nothing left to watch it with. The child has been killed and
                collected again: what cannot be watched must not run.
        """
        try:
            is_watched = self._exits.add(pid)
        except OSError:
            _signal_group(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED)  # soon: it has only just begun
            raise
        self._running[pid] = (watcher, process)
        if not is_watched:
            # It has ended, and somebody else in this program has collected it, or SIGCHLD is
            # ignored in it: nothing will ever be seen of it.
            self._loop.post(self._exited.append, pid)

    def _see(self) -> None:
        self._exited.extend(self._exits.ready())

    def work(self, turn_is_over: Callable[[], bool]) -> bool:
        """Collects what has exited until the turn is over, and returns whether there is more."""
        while self._exited:
            self._collect(self._exited.popleft())
            if turn_is_over():
                break
        return bool(self._exited)

    def _collect(self, pid: int) -> None:
        if pid not in self._running:
            self.leftovers.exited(pid)
            return
        watcher, process = self._running.pop(pid)
        if not watcher.abandoned:
            # Before the leader is collected, because its zombie keeps the number of the group from
            # being given to anybody else.
            _signal_group(pid, signal.SIGTERM)
        self._exits.discard(pid)
        ended = collect(pid)
        has_leftovers = not watcher.abandoned and not is_empty(pid)
        if has_leftovers:
            self.leftovers.track(watcher, process)
        self._on_exit(watcher, process, ended, has_leftovers)

    def kill_group(self, process: ManagedProcess) -> None:
        """Sends SIGKILL to a process that has not been collected, and to its group, or to what is
        left of that."""
        if process.has_leader:
            self._exits.send_signal(process.pid, signal.SIGKILL)
            _signal_group(process.pid, signal.SIGKILL)
        else:
            self.leftovers.kill(process)

    def send_signal(self, process: ManagedProcess, signum: int) -> bool:
        """Sends a signal to a process; False if it has exited.

        Raises:
            PermissionError: It runs as somebody else.
        """
        return self._exits.send_signal(process.pid, signum)

    @property
    def is_idle(self) -> bool:
        """Whether every child has been collected."""
        return not self._running


def _signal_group(pgid: int, signum: int) -> None:
    """Sends a signal to whoever is left in a process group."""
    try:
        os.killpg(pgid, signum)
    except (ProcessLookupError, PermissionError):
        pass  # there is nobody, or nobody that we may signal: then the group is not empty
