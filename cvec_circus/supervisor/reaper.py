"""Deaths: seen at once, collected once, and handed to the core."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable

from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Exited, Facts
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.families import Families, Family
from cvec_circus.supervisor.finding import Finder
from cvec_circus.supervisor.leftovers import Leftovers
from cvec_circus.supervisor.outsiders import Outsiders
from cvec_circus.system import groups
from cvec_circus.system.exits import ExitWatcher
from cvec_circus.system.groups import ProcessGroup

Explain = Callable[[Watcher, ManagedProcess], "tuple[str, Exception | None]"]


class Reaper:
    """Collects the children that have exited. Owned by the supervisor thread.

    Exits are only noted when the exit watcher reports them; `work` collects them, as many as its
    turn allows. So a thousand deaths at once do not keep a client waiting. One look at our children
    serves all that were dead before it: it takes 20 ms for ten thousand of them.

    Args:
        loop: The supervisor's loop.
        exits: Sees deaths by pidfd, or by threads where there are none.
        facts: Learns of them.
        families: The leaders.
        outsiders: What is outside their groups.
        finder: Looks for what leaders leave.
        leftovers: Follows what they leave in their groups.
        exited: The pids of those that are to be collected.
        explain: Returns the line that a process has left to say why it cannot run, and why it never
            became its program.
    """

    def __init__(
        self,
        loop: Loop,
        exits: ExitWatcher,
        facts: Facts,
        families: Families,
        outsiders: Outsiders,
        finder: Finder,
        leftovers: Leftovers,
        exited: deque[int],
        explain: Explain,
    ) -> None:
        self._loop = loop
        self._exits = exits
        self._facts = facts
        self._families = families
        self._outsiders = outsiders
        self._finder = finder
        self._leftovers = leftovers
        self._explain = explain
        self._exited = exited
        self._listed = 0  # of them, those that were dead before the finder's last look
        self._has_news = False  # SIGCHLD has arrived since the last turn
        loop.add_reader(exits, self._see)

    def add(self, watcher: Watcher, process: ManagedProcess, pid: int) -> None:
        """Watch a new child.

        Raises:
            OSError: There is nothing left to watch it with. The child has been killed and
                collected again: what cannot be watched must not run.
        """
        try:
            is_watched = self._exits.add(pid)
        except OSError:
            os.killpg(pid, signal.SIGKILL)  # not collected, so the number is its own
            os.waitid(os.P_PID, pid, os.WEXITED)  # soon: it has only just begun
            raise
        self._families.add(Family(watcher, process, pid))
        if not is_watched:
            # It has ended, and other code in this program has collected it, or SIGCHLD is ignored
            # in it: nothing will ever be seen of it.
            self._loop.post(self._exited.append, pid)

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
        self._leftovers.ask()
        self._loop.at_turn_end(self._finder.soon)
        return bool(self._exited)

    def child_exited(self) -> None:
        """Have groups looked at in this turn, and orphans looked for soon: SIGCHLD has come.

        A signal handler may call it, since it does no more than note it.
        """
        self._has_news = True

    def _collect(self, pid: int) -> None:
        family = self._families.of_leader(pid)
        if family is None or not family.is_alive:
            self._outsider_exited(pid)
            return
        watcher, process = family.watcher, family.process
        family.stopping = process.state is not ProcessState.RUNNING
        ended, group = groups.end(self._exits, pid)
        family.is_alive = False
        leaves, report, failure = False, "", None
        try:
            if watcher.is_abandoned:
                self._leftovers.drop(family, group)
            else:
                _signal_group(family, group)
                leaves = self._leftovers.begin(family, group)
            self._outsiders.flush()
            report, failure = self._explain(watcher, process)
        finally:
            # Whatever there is no memory or file for: an exit that is collected is never lost.
            self._facts.append(Exited(watcher, process, ended, leaves, report, failure))

    def _outsider_exited(self, pid: int) -> None:
        # Its children have become ours, and are known by its session while it is kept.
        self._finder.look(_nothing)
        family = self._outsiders.exited(pid)
        if family is not None:
            self._leftovers.settle(family)


def _signal_group(family: Family, group: ProcessGroup) -> None:
    """Signal what a leader has left in its group.

    With a tree whose members have had their signal, only those that have not get it, when the group
    is listed.
    """
    signum = signal.SIGKILL if family.killed else family.signum or signal.SIGTERM
    if family.is_listed and not family.killed:
        return
    try:
        if group.send(signum) and not family.killed:
            group.send(signal.SIGCONT)
    except PermissionError:
        pass  # the list names those that are left


def _nothing() -> None:
    """Called when a look is over that nothing waits for."""
