"""A plan becomes true: sockets first, which may fail, then the watchers, which cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cvec_circus import exc
from cvec_circus.config.configuration import Configuration, PluginConfig
from cvec_circus.config.plan import ADD, CHANGE, REMOVE, REPLACE, START, STOP, Plan, Step
from cvec_circus.config.socket_diff import Exchange
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.roster import Roster
from cvec_circus.core.states import ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.sockets.beside import Newcomers
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry, references
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.plugins import Plugin
from cvec_circus.wire.outcome import Outcome, Wait

CAUSE = "command:reloadconfig"


class Gathering:
    """One outcome of several orders. Owned by the supervisor thread.

    Args:
        then: Called with it when all of them have come to their end, after `seal`.
        timeout: Seconds that each order has, None for as long as it takes.
    """

    def __init__(self, then: Callable[[Outcome], None], timeout: float | None) -> None:
        self._then = then
        self._timeout = timeout
        self._open = 1
        self._all = Outcome()

    def wait(self) -> Wait:
        """Makes somebody who waits for one more order."""
        self._open += 1
        return Wait(self._take, self._timeout)

    def _take(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            before = self._all.error
            self._all.error = outcome.error if before is None else f"{before}; {outcome.error}"
        self._all.started += outcome.started
        self._all.stopped += outcome.stopped
        self._all.kept += outcome.kept
        self.seal()

    def seal(self) -> None:
        """Called once there are no more orders."""
        self._open -= 1
        if not self._open:
            self._then(self._all)


class Departures:
    """Sockets that are closed when the processes that serve them are gone.

    Owned by the supervisor thread. Connections that wait in their backlogs are served till then.

    Args:
        sockets: The registry, which closes what is left at the end.
    """

    def __init__(self, sockets: SocketRegistry) -> None:
        self._sockets = sockets
        self._serving: dict[CircusSocket, list[ManagedProcess]] = {}

    def add(
        self, managed: CircusSocket, watchers: Iterable[Watcher], on_all: Watcher | None
    ) -> None:
        """One is to go; `on_all` is who has every socket."""
        name = managed.name.lower()
        users = [w for w in watchers if w is on_all or name in references(w.options)]
        self._serving[managed] = [process for watcher in users for process in watcher.spawned()]
        self._sockets.leaving.append(managed)

    def take_back(self, managed: CircusSocket) -> None:
        """One stays after all."""
        if self._serving.pop(managed, None) is not None:
            self._sockets.leaving.remove(managed)

    def look(self) -> None:
        """Closes those whose time has come."""
        for managed, processes in list(self._serving.items()):
            if all(process.state is ProcessState.REMOVED for process in processes):
                self.take_back(managed)
                managed.close()


class Application:
    """One plan that is carried out. Owned by the supervisor thread.

    Args:
        plan: It.
        wanted: The configuration that it leads to.
        roster: The watchers.
        helpers: What plugins get.
    """

    def __init__(self, plan: Plan, wanted: Configuration, roster: Roster, helpers: Helpers) -> None:
        self._plan = plan
        self._wanted = wanted
        self._roster = roster
        self._helpers = helpers
        self._starts: list[Watcher] = []

    def exchange_sockets(
        self,
        exchange: Exchange,
        held: Sequence[CircusSocket],
        newcomers: Newcomers,
        departures: Departures,
        sockets: SocketRegistry,
    ) -> None:
        """Has the sockets be as they are to be.

        Args:
            exchange: What is to be done.
            held: The sockets that the numbers in it mean.
            newcomers: Those that it needs beside these, bound.
            departures: Takes those that go.
            sockets: The registry.

        Raises:
            SocketError: One cannot be changed. Then all are as before, and those are closed.
        """
        new = {managed.name.lower(): managed for managed in newcomers.sockets}
        after = [
            (key, new[key] if number is None else held[number])
            for key, number in exchange.numbers.items()
        ]
        wanted = {one.name.lower(): one for one in self._wanted.sockets}
        tuned: list[tuple[CircusSocket, Mapping[str, Any]]] = []
        try:
            for key, managed in after:
                if key in wanted and key not in new:
                    tuned.append((managed, managed.options()))
                    managed.retune(wanted[key].options)
        except exc.SocketError:
            for managed, before in reversed(tuned):
                managed.retune(before)
            newcomers.abandon()
            raise
        newcomers.settle()
        there = {managed for _, managed in after}
        for managed in list(sockets):
            if managed not in there:
                departures.add(managed, self._roster.everybody(), self._counting())
        for key, managed in after:
            departures.take_back(managed)
            if key in wanted:
                managed.name = wanted[key].name
        sockets.exchange(managed for _, managed in after)

    def change_watchers(self, gathering: Gathering) -> None:
        """Gives the orders: nothing of it can fail."""
        plugins = {plugin.name: plugin for plugin in self._wanted.plugins}
        steps = [*self._plan.watchers, *self._plan.plugins]
        for step in steps:
            if step.action == REMOVE:
                self._remove(step, gathering)
        for step in steps:
            if step.action == CHANGE and step.name in plugins:
                self._change_plugin(step, gathering)
            elif step.action == CHANGE:
                self._change(step, gathering)
        for step in steps:
            if step.action == ADD:
                self._add(step, plugins)
        counting = self._counting()
        has_others = any(step.action != CHANGE for step in self._plan.sockets)
        if counting is not None and counting.is_up and has_others:
            # Its process has the sockets that were there when it was started.
            self._roster.reload([counting], CAUSE, False, gathering.wait())
        if self._starts:
            self._roster.start_beside(self._starts, CAUSE, gathering.wait())

    def _counting(self) -> Watcher | None:
        """The watcher of the statistics, which has every socket; None without one."""
        return next(iter(self._helpers.with_sockets()), None)

    def _add(self, step: Step, plugins: Mapping[str, PluginConfig]) -> None:
        assert step.target is not None
        if step.name in plugins:
            helper = Plugin(plugins[step.name], self._helpers.events)
            watcher = self._helpers.add(helper)
        else:
            watcher = Watcher(step.name, step.target.options)
        self._roster.add(watcher, CAUSE)
        if step.processes == START:
            self._starts.append(watcher)

    def _remove(self, step: Step, gathering: Gathering) -> None:
        watcher = self._roster.get(step.name)
        assert watcher is not None
        self._roster.remove(watcher, CAUSE, False, gathering.wait())

    def _change_plugin(self, step: Step, gathering: Gathering) -> None:
        watcher = self._roster.get(step.name)
        assert watcher is not None
        plugin = next(one for one in self._wanted.plugins if one.name == step.name)
        helper = self._helpers.of(watcher)
        assert isinstance(helper, Plugin)
        helper.config = plugin
        self._set(watcher, helper.options, step, gathering)

    def _change(self, step: Step, gathering: Gathering) -> None:
        watcher = self._roster.get(step.name)
        assert watcher is not None and step.target is not None
        if not step.is_idle:
            self._set(watcher, step.target.options, step, gathering)
        watcher.rebase(step.target.loaded)

    def _set(
        self, watcher: Watcher, options: dict[str, Any], step: Step, gathering: Gathering
    ) -> None:
        for name in watcher.options.keys() - options.keys():
            del watcher.options[name]
        if step.processes == STOP:
            # First, so that nothing is replaced that goes anyway.
            self._roster.stop([watcher], CAUSE, gathering.wait())
        fresh = step.processes == REPLACE
        self._roster.set_options(watcher, options, CAUSE, gathering.wait(), fresh=fresh)
        if step.processes == START:
            self._starts.append(watcher)
