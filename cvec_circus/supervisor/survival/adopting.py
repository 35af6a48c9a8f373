"""Taking over what an earlier daemon has left: watchers, processes, their pipes; then the plan.

Owned by the supervisor thread, before its loop runs. See `survival` among the pages of the design.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.diff import IDLE, Present, Running, compare
from cvec_circus.config.plan import ADD, REMOVE, Plan
from cvec_circus.core.facts import Exited
from cvec_circus.core.life import DOWN
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.references import references
from cvec_circus.options.stream import CHANNELS
from cvec_circus.options.survival import STOP, Adoption
from cvec_circus.stream.base import FINISHED
from cvec_circus.supervisor.compose import Desks
from cvec_circus.supervisor.helper_rows import Plugin
from cvec_circus.supervisor.reload.applying import Application, running, standing
from cvec_circus.supervisor.survival.handed import Handed
from cvec_circus.supervisor.survival.heritage import Confirmed, Heritage, Left
from cvec_circus.system import pipes, proctable
from cvec_circus.system.collecting import Exit
from cvec_circus.wire import orders
from cvec_circus.wire.cause import ADOPT, Cause
from cvec_circus.wire.topics import fold

UNKNOWN = Exit(-1, status_lost=True)


class Adopter:
    """Makes the core what it was, and then what the configuration says.

    Args:
        desks: All of them.
        heritage: What is taken over.
    """

    def __init__(self, desks: Desks, heritage: Heritage) -> None:
        self._desks, self._heritage = desks, heritage
        self._handed = heritage if isinstance(heritage, Handed) else None
        self._goes_on = self._handed is not None  # nothing has happened meanwhile
        self._bookkeeper = desks.bookkeeper
        self._roster = desks.roster
        self._sessions: dict[int, list[int]] | None = None  # all processes, once they are needed

    def take_over(self) -> None:
        """Put all watchers on the roster, and watch their processes; their output is read later.

        Its threads, which find much to read, would take half of the time until the daemon answers.
        """
        self._desks.outputs.pumps.pause()
        for left in self._heritage.watchers:
            self._bookkeeper.went_on(left.watcher, left.deaths)
            if left.watcher.places.slots or not left.watcher.is_removed:
                self._take(left)
            else:
                self._bookkeeper.forget(left.watcher)  # nothing of it is left
        self._heritage.taken()
        self._desks.departures.write(self._bookkeeper, self._roster.all_watchers())
        if not self._goes_on:
            self._desks.cgroups.adopted()

    def take_over_helpers(self, handed: Handed) -> None:
        """Put the helpers on the roster that go on after an upgrade."""
        for left in handed.helpers:
            self._take(left)

    def _take(self, left: Left) -> None:
        watcher = left.watcher
        if watcher.places.slots:
            self._desks.outputs.open(watcher)
            if self._goes_on:
                self._desks.cgroups.limit(watcher)
        taken: list[tuple[ManagedProcess, str]] = []
        for wid, process in watcher.places.slots.items():
            confirmed = left.confirmed.get(wid)
            if confirmed is None:
                self._desks.facts.append(Exited(watcher, process, UNKNOWN))
                continue
            self._desks.endings.reaper.adopt(watcher, process, confirmed.fd)
            if not self._goes_on:
                self._desks.cgroups.adopt(watcher, process.pid)
            taken.append((process, self._take_pipes(watcher, process, confirmed)))
        self._roster.adopt(watcher, not self._goes_on)
        for process, trouble in () if self._goes_on else taken:
            told: dict[str, Any] = {"process_pid": process.pid, "wid": process.wid}
            if trouble:
                told["reason"] = trouble
            self._roster.ports.events.publish(watcher, "adopted", ADOPT, **told)

    def _take_pipes(self, watcher: Watcher, process: ManagedProcess, found: Confirmed) -> str:
        """Read the pipes of a process from now on; say which cannot be taken over, and why."""
        troubles = []
        if found.checks is None or self._handed is None:
            sought = self._desks.probes.adopt(watcher, process)
        else:
            inherited = self._handed.inherited
            sought = self._desks.probes.take_over(watcher, process, inherited, found.checks)
        for channel, read_end in found.read_ends.items():
            args = (watcher, process, channel, read_end, process.pid, sought)
            self._desks.outputs.add(*args, line=found.lines.get(channel, FINISHED))
        for number, (channel, inode) in enumerate(zip(CHANNELS, found.pipes), 1):
            try:
                fd = self._open_pipe(process.pid, number, inode) if inode else None
            except OSError as error:
                reason = error.strerror or str(error)
                troubles.append(f"its {channel} cannot be taken over: {reason}")
                continue
            if fd is not None:
                args = (watcher, process, channel, fd, process.pid, sought)
                self._desks.outputs.add(*args, is_adopted=True)
        if troubles:
            text = f"process {process.pid}: {'; '.join(troubles)}; it waits when a pipe is full"
            logger.warning("%s: %s", watcher.name, text)
        return "; ".join(troubles)

    def _open_pipe(self, pid: int, number: int, inode: int) -> int | None:
        """Open a pipe of a process; None if it has closed it, and all that it has started too."""
        fd = pipes.reopen(pid, str(number), inode)
        if fd is None:
            if self._sessions is None:
                self._sessions = {}
                for row in proctable.rows():
                    self._sessions.setdefault(row.session, []).append(row.pid)
            others = (pipes.reopen(one, "", inode) for one in self._sessions.get(pid, ()))
            fd = next((one for one in others if one is not None), None)
        return fd

    # -- the configuration

    def order(self, wanted: Configuration, adopt: Adoption, cause: Cause) -> None:
        """Give the orders that make what is there what the configuration says; plugins, which are
        on the roster by now, start with what is not there yet."""
        roster, desks = self._roster, self._desks
        if adopt == STOP and not self._goes_on:
            there = [one for one in roster.watchers() if one.is_running and one.places.slots]
            if there:
                roster.give(orders.Restart(there, ADOPT))
        application = Application(self._plan(wanted), wanted, roster, desks.helpers)
        application.cause = cause
        roster.give(application.order())
        held = [one for one in roster.watchers() if one.goal.up and one.life is DOWN]
        helpers = [w for w in desks.helpers.rows if w.options.autostart and not self._goes_on]
        if held or helpers:
            roster.give(orders.Start([*held, *helpers], cause, beside=True))

    def _plan(self, wanted: Configuration) -> Plan:
        loaded = {fold(name) for name in self._heritage.loaded}
        there = [one for one in self._roster.watchers() if not one.kind.is_helper]
        plugins = [one for one in wanted.plugins if one.active]
        helpers = {one.name: IDLE for one in plugins}
        if self._handed is not None:
            rows = self._desks.helpers.rows.items()
            plugins = [one.config for _, one in rows if isinstance(one, Plugin)]
            helpers = {watcher.name: standing(watcher) for watcher, _ in rows}
        present = Present(
            wanted.circus,
            [running(one, fold(one.name) in loaded) for one in there],
            plugins,
            helpers,
        )
        plan = compare(present, wanted, other_sockets=self._other_sockets)
        names = {fold(one.name) for one in there}
        broken = {fold(one.name): one.problems for one in wanted.left_out}
        steps = []
        for step in plan.watchers:
            key = fold(step.name)
            if step.action == ADD and key in loaded and key not in names:
                logger.info("%s: was removed at run time, and stays removed", step.name)
            elif step.action == REMOVE and key in broken:
                logger.warning("%s: kept as it was: %s", step.name, broken[key][0])
                self._roster.left_out.pop(key, None)
            else:
                steps.append(step)
        return plan._replace(watchers=tuple(steps))

    def _other_sockets(self, there: Running, after: Mapping[str, Any]) -> str:
        """Say why its processes do not have the sockets that new ones get; "" if they have."""
        watcher, departures = self._roster.get(there.name), self._desks.departures
        assert watcher is not None
        names = references(there.options) & references(after)
        chosen = [one for one in self._desks.sockets if one.name.lower() in names]
        found = [departures.why_replaced(watcher, one.name.lower(), one) for one in chosen]
        return ", ".join(filter(None, found))
