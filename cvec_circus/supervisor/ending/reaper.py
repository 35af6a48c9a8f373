"""The collection of deaths: of the processes in slots, and of the other children that run."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import deque
from collections.abc import Callable

from cvec_circus.base.clock import poll_milliseconds
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Exited, Facts
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.supervisor.ending.families import Families, Family
from cvec_circus.supervisor.ending.finding import Finder
from cvec_circus.supervisor.ending.leftovers import Leftovers
from cvec_circus.supervisor.ending.outsiders import Outsiders
from cvec_circus.system import collecting
from cvec_circus.system.exits import ExitWatcher
from cvec_circus.system.handover import Handover

MOST_REMEMBERED = 1024
"""Children in no slot whose sessions are remembered when they have ended."""

Explain = Callable[[Watcher, ManagedProcess], "tuple[str, Exception | None, bool]"]


class Reaper:
    """Collects the children that have exited. Owned by the supervisor thread.

    Exits are only noted when the exit watcher reports them; `work` collects them, as many as its
    turn allows. So a thousand deaths at once do not keep a client waiting. One look at our children
    serves all that were dead before it: it takes 20 ms for ten thousand of them.

    Args:
        exited: The pids to collect; `Outsiders` adds those that it could not watch.
        explain: Returns the line that a process has left to say why it cannot run, why it never
            became its program, and whether `Written` will tell what it wrote last.
    """

    def __init__(
        self,
        loop: Loop,
        exits: ExitWatcher,
        facts: Facts,
        families: Families,
        outsiders: Outsiders,
        finder: Finder,
        signals: Leftovers,
        exited: deque[int],
        explain: Explain,
        cgroups: Cgroups,
    ) -> None:
        self._loop, self._exits, self._facts = loop, exits, facts
        self._families, self._outsiders, self._finder = families, outsiders, finder
        self._signals, self._exited, self._explain = signals, exited, explain
        self._cgroups = cgroups
        self._attended: dict[int, Callable[[collecting.Exit], object]] = {}
        self._listed = 0  # of them, those that were dead before the finder's last look
        self._has_news = False  # SIGCHLD has arrived since the last turn
        loop.add_reader(exits, self._see)

    def add(self, watcher: Watcher, process: ManagedProcess, pid: int) -> None:
        """Watch a new child.

        Raises:
            OSError: There is nothing left to watch it with. The child has been killed and
                collected again: what cannot be watched must not run.
        """
        is_watched = self._watch(pid)
        self._families.add(Family(watcher, process, pid))
        if not is_watched:
            self._loop.post(self._exited.append, pid)

    def adopt(self, watcher: Watcher, process: ManagedProcess, fd: int) -> None:
        """Watch one of an earlier daemon, perhaps of this process. Raises: `ExitWatcher.take`."""
        self._exits.take(process.pid, fd)
        family = Family(watcher, process, process.pid)
        family.is_child = not collecting.is_stranger(process.pid)
        self._families.add(family)

    def identity(self, pid: int) -> tuple[int, int]:
        """Return what tells a process that is watched from all others: see `pidfd.identity`."""
        return self._exits.identity(pid)

    def hand_over(self, pid: int, out: Handover) -> int:
        """Hand over the pidfd of a process that is watched; return its number."""
        return out.file(self._exits.fd_of(pid))

    def _watch(self, pid: int) -> bool:
        """Watch a new child; return False if it has ended, and other code in this program has
        collected it, or SIGCHLD is ignored in it: nothing will ever be seen of it."""
        try:
            return self._exits.add(pid)
        except OSError:
            os.killpg(pid, signal.SIGKILL)  # not collected, so the number is its own
            os.waitid(os.P_PID, pid, os.WEXITED)  # soon: it has only just begun
            raise

    def attend(self, pid: int, then: Callable[[collecting.Exit], object]) -> None:
        """Watch a new child that is in no slot; `then` gets its end.

        What it leaves in its process group is killed by then.

        Raises:
            OSError: See `add`.
        """
        is_watched = self._watch(pid)
        attended = self._families.attended
        attended.pop(pid, None)
        attended[pid] = True
        self._attended[pid] = then
        if len(attended) > MOST_REMEMBERED:
            oldest = next(iter(attended))
            if attended.pop(oldest):
                attended[oldest] = True  # it has not ended
        if not is_watched:
            self._loop.post(self._exited.append, pid)

    def left_by_checks(self, name: str) -> list[str]:
        """See `Outsiders.left_by_checks`."""
        return self._outsiders.left_by_checks(name)

    def kill_attended(self, pid: int) -> None:
        """Send SIGKILL to the process group of a child that is attended."""
        if pid in self._attended:
            with contextlib.suppress(PermissionError):  # it belongs to another user now
                self._exits.send_to_group(pid, signal.SIGKILL)

    def end_attended(self, pid: int, timeout: float) -> None:
        """Kill a child that is attended, and wait for its end, when the loop has ended."""
        self.kill_attended(pid)
        poll = select.poll()
        poll.register(self._exits, select.POLLIN)
        ends_at = self._loop.clock.monotonic() + timeout
        while pid in self._attended:
            left = ends_at - self._loop.clock.monotonic()
            if left <= 0 or not poll.poll(poll_milliseconds(left)):
                return
            for one in self._exits.ready():  # each is reported once, so none may be passed over
                if one in self._attended:
                    self._attended_ended(one)
                else:
                    self._exited.append(one)

    def _attended_ended(self, pid: int) -> None:
        self.kill_attended(pid)
        then = self._attended.pop(pid)
        self._families.attended[pid] = False  # what it has left may be seen, dying, a little later
        fd = self._exits.release(pid)
        if fd is not None:
            os.close(fd)
        then(collecting.collect(pid))

    def _see(self) -> None:
        self._exited.extend(self._exits.ready())

    def work(self, turn_is_over: Callable[[], bool]) -> bool:
        """Collect what has exited until the turn is over; tell whether there is more."""
        if not (self._exited or self._has_news):
            return False
        self._has_news = False
        while self._exited:
            if not self._listed:
                self._finder.new_batch()
                self._listed = len(self._exited)
            self._listed -= 1
            self._collect(self._exited.popleft())
            if turn_is_over():
                break
        self._signals.ask()
        self._loop.at_turn_end(self._finder.soon)
        return bool(self._exited)

    def child_exited(self) -> None:
        """Look at groups in this turn, and for orphans soon: SIGCHLD has come.

        A signal handler may call it, since it does no more than note it.
        """
        self._has_news = True

    def _collect(self, pid: int) -> None:
        if pid in self._attended:
            self._attended_ended(pid)
            return
        family = self._families.by_pid.get(pid)
        if family is None or not family.is_alive:
            self._outsider_exited(pid)
            return
        watcher, process = family.watcher, family.process
        family.stopping = process.state is not ProcessState.RUNNING
        fd = self._exits.release(pid)
        if fd is None or family.is_child:
            ended, group = collecting.end(pid, fd)
        else:
            ended, group = collecting.end_of_stranger(pid, fd)
        family.is_alive = False
        self._finder.search_too(family)
        leaves, report, failure, is_captured, oom = False, "", None, False, False
        try:
            if ended.exit_code == -signal.SIGKILL and not process.killed:
                oom = self._cgroups.claim(watcher)
            leaves = self._signals.begin(family, group)
            report, failure, is_captured = self._explain(watcher, process)
        finally:
            # Whatever there is no memory or file for: an exit that is collected is never lost.
            died = Exited(watcher, process, ended, leaves, report, failure, is_captured, oom)
            self._facts.append(died)

    def _outsider_exited(self, pid: int) -> None:
        # Its children have become ours, and are known by its session while it is kept.
        self._finder.look(lambda: None)
        family = self._outsiders.exited(pid)
        if family is not None:
            self._signals.settle(family)
